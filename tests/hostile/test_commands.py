"""Damaged files and odd words on the command line: status 0, or status 2 and one line; never a traceback."""

from __future__ import annotations

import contextlib
import io
import shutil
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncegrad.app.cli import COMMANDS, main
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate

from .corpus import Case, corpus, hdf5
from .mutations import CELLS, lay, spoiled
from .test_loaders import CALM, GIGABYTE, resident

QUICK = ["--epochs", "2", "--threads", "1", "--edge_hidden", "[4]", "--node_hidden", "[4]", "--holdout", "0"]
ON_DATA = [
    ["inspect", "DATA"],
    ["inspect", "DATA", "--baselines", "--json"],
    ["convert", "DATA", "new.npz"],
    ["convert", "DATA", "new.csv"],
    ["convert", "DATA", "new", "--format", "kipf", "--part", "train"],
    ["infer", "run", "DATA", "--out", "new"],
    ["train", "--data", "DATA", "--out", "new", *QUICK],
]
ON_RUN = [
    ["infer", "run", "springs.npz", "--out", "new"],
    ["predict", "run", "springs.npz", "--steps", "2", "--out", "new"],
    ["evaluate", "run", "springs.npz", "--json"],
    ["report", "run"],
    ["train", "--resume", "--data", "springs.npz", "--out", "run"],
]
ON_RESULT = [["export", "result", "--to", "csv", "--out", "new.csv"], ["export", "result", "--to", "graphml"]]
ON_SETTINGS = [["train", "--data", "springs.npz", "--out", "new", "--config", "run/config.yaml", "--epochs", "1"]]
ON_HDF5 = [["train", "--preset", "functions-bouncegrad", "--data", "a.h5", "--meta_steps", "1", "--out", "new"]]
# --epochs and --minutes are left out: an endless run that was asked for is no error.
OPTIONS = ["--edges", "--part", "--time_step", "--context", "--edge_hidden", "--config", "--seed", "--out"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with recordings, a run on them and its result."""
    folder = tmp_path_factory.mktemp("made")
    save(simulate("springs", 6, entities=3, frames=6, seed=0), folder / "springs.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        torch.set_num_threads(1)
        assert main(["train", "--data", "springs.npz", "--out", "run", *QUICK]) == 0
        assert main(["infer", "run", "springs.npz", "--out", "result"]) == 0
    return folder


@pytest.fixture(scope="module")
def lines(made) -> dict[str, tuple[Case, list[list[str]]]]:
    """For each kind of file a case and the commands that read it."""

    def under(folder: str) -> Case:
        files = {str(path.relative_to(made)): path.read_bytes() for path in sorted((made / folder).glob("*.*"))}
        return Case(folder, {name: content for name, content in files.items() if not name.endswith(".svg")})

    found = {f"data {kind}": (case, ON_DATA) for kind, case in corpus().items()}
    found |= {"run": (under("run"), ON_RUN), "result": (under("result"), ON_RESULT)}
    found["settings"] = (Case("run", {"run/config.yaml": (made / "run/config.yaml").read_bytes()}), ON_SETTINGS)
    found["hdf5"] = (Case("a.h5", {"a.h5": hdf5()}), ON_HDF5)
    return found


@st.composite
def typed(draw, lines: dict[str, tuple[Case, list[list[str]]]]) -> tuple[Case, list[str]]:
    """A damaged file, and a command that reads it, now and then with an odd option."""
    # Runs are drawn more often: they have many files and commands, and the loaders are not tested with them.
    kind = draw(st.sampled_from([*sorted(lines), *["run"] * 10, *["result", "hdf5", "settings"] * 2]))
    case, commands = lines[kind]
    _, case = draw(spoiled({kind: case}))
    words = [case.path if word == "DATA" else word for word in draw(st.sampled_from(commands))]
    for name, value in case.options.items():
        words += [f"--{name}", value] if words[0] in ("inspect", "train", "infer") else []
    if draw(st.integers(0, 5)) == 0:
        odd = draw(st.sampled_from(CELLS)).replace("\0", "")[:1000]
        words += [draw(st.sampled_from(OPTIONS)), odd]
    return case, words


def outcome(words: list[str]) -> tuple[int, str]:
    """Returns the status and the text on stderr."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(printed):
        status = main(words)
    return status, printed.getvalue()


@pytest.mark.parametrize("examples", [60, pytest.param(3_000, marks=pytest.mark.slow)])
def test_damaged_files(made, lines, tmp_path, monkeypatch, examples):
    before, ends = resident(), Counter()

    @settings(CALM, max_examples=examples)
    @given(typed(lines))
    def check(found):
        case, words = found
        folder = tmp_path / "case"
        shutil.copytree(made, folder)
        monkeypatch.chdir(folder)
        try:
            lay(case, folder)
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # numpy's, of overflow
                status, printed = outcome(words)
            assert status in (0, 2), words
            if status == 2:
                assert printed.startswith("bouncegrad: "), words
                assert printed.count("\n") == 1, (words, printed)
                assert len(printed) < 2000, words
                assert "memory is not enough" not in printed, "what is too large is refused before it is tried"
            assert not list(tmp_path.rglob("evil*"))
            assert resident() - before < GIGABYTE, words
            ends[words[0], status] += 1
        finally:
            monkeypatch.chdir(tmp_path)
            shutil.rmtree(folder)

    check()
    assert sum(ends.values()) >= examples / 2


@pytest.mark.parametrize("examples", [100, pytest.param(2_000, marks=pytest.mark.slow)])
def test_odd_words(made, monkeypatch, tmp_path, examples):
    """Commands get options that make no sense, and no data that could be read."""
    monkeypatch.chdir(tmp_path)
    word = st.one_of(st.sampled_from([*COMMANDS, *OPTIONS, "none", "-", "--", "--=", "."]), st.text(max_size=20))

    @settings(CALM, max_examples=examples)
    @given(st.sampled_from([*COMMANDS]), st.lists(word.map(lambda text: text.replace("\0", "")), max_size=5))
    def check(command, words):
        status, printed = outcome([command, *words]) if command not in ("demo", "benchmark") else (0, "")
        assert status in (0, 2)
        assert printed.count("\n") == (status == 2), (command, words, printed)

    check()


def test_control_characters_in_names_are_escaped(tmp_path):
    path = Path(tmp_path, "a\nb\x1b[2J.npz")
    path.write_bytes(b"")
    assert outcome(["inspect", str(path)]) == (
        2,
        f"bouncegrad: {tmp_path}/a\\nb\\x1b[2J.npz: is empty; save it with numpy.savez\n",
    )


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (["--edge_hidden", "[40000,40000]"], "51.9 GB"),
        (["--node_hidden", "[65536,65536]"], "137.4 GB"),
        (["--search", "paper", "--proposal", "learned", "--encoder_hidden", "60000"], "576.0 GB"),
        (["--segments", "900000"], "28.5 GB"),
    ],
)
def test_settings_that_would_take_all_memory(made, tmp_path, words, size):
    line = ["train", "--data", str(made / "springs.npz"), "--out", str(tmp_path / "new"), *QUICK, *words]
    status, printed = outcome(line)
    assert (status, printed.count("\n"), (tmp_path / "new").exists()) == (2, 1, False)
    assert f"takes about {size}, 1.0 GB are free; give fewer pairs" in printed
