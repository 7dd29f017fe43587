"""The documentation is correct: its code runs, its commands parse, its links have targets, its files exist."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.app.cli import COMMANDS, main, with_underscores
from bouncegrad.data.formats import load, save
from bouncegrad.data.simulate import simulate

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TUTORIALS = sorted(DOCS.glob("tutorials/*.md"))
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *TUTORIALS]
SOURCE = ROOT / "src" / "bouncegrad"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "(?:bash|shell)") for line in block.splitlines()]
    lines += [line for page in PAGES for line in re.findall(r"`(bouncegrad [^`]*)`", page.read_text())]
    return sorted({line.split("#")[0].strip() for line in lines if line.startswith("bouncegrad ")})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds only a user's table of tracks."""
    monkeypatch.chdir(tmp_path)
    data = simulate("springs", 6, entities=3, frames=30, seed=0)
    keys = ("task,time,entity,x,y", "%s,%s,%s,%s,%s")
    m, t, n, _ = data.shape
    rows = [(i, j, k, *data.x[i, j, k, :2]) for i in range(m) for j in range(t) for k in range(n)]
    (tmp_path / "tracks.csv").write_text("\n".join([keys[0], *(keys[1] % row for row in rows)]) + "\n")
    return tmp_path


# test_examples.py runs the code of the page on extending; the code of tutorials needs the commands before it.
LONG = ("charged", "maml", "unseen")  # searches that few tasks and epochs do not shorten
ALONE = [page for page in PAGES if blocks(page, "python") and page not in (DOCS / "extending.md", *TUTORIALS)]


@pytest.mark.parametrize("page", ALONE, ids=lambda page: page.name)
def test_code_runs_from_top_to_bottom(page: Path, folder: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    exec(compile(re.sub(r"minutes=\d+", "epochs=2", code), str(page), "exec"), {})


def test_every_layout_of_your_data_is_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs the Python code and the commands of the page in their order, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    page, names, printed = ROOT / "docs" / "your-data.md", {}, []
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(re.sub(r"minutes=\d+", "epochs=2", block), str(page), "exec"), names)
            continue
        for line in block.splitlines():
            words = shlex.split(re.sub(r"--minutes \d+", "--epochs 2 --threads 1", line.split("#")[0]))
            capsys.readouterr()
            assert main(words[1:]) == 0, line
            printed.append(capsys.readouterr().out)
    for name, features in (("nri", 2), ("alet", 2), ("dnri", 2), ("netsim", 1)):
        data = load(name, part=None if name == "netsim" else "train")
        np.testing.assert_allclose(data.x[..., :features], names["x"][..., :features])
        np.testing.assert_array_equal(data.edges, names["truth"])
    by_edges = [lines.splitlines()[1:] for lines in printed[-4:-1]]
    known = [[line for line in lines if line.startswith(("type", "edge types", "symmetric"))] for lines in by_edges]
    assert known[0] == known[1] == known[2] != []


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if page.stem in LONG else []) for page in TUTORIALS],
    ids=lambda page: page.name,
)
def test_tutorials_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each tutorial with few tasks and epochs; `rerun.py` uses the settings of the page."""
    monkeypatch.chdir(tmp_path)
    for language, block in re.findall(r"^```(bash|python)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(block, str(page), "exec"), {})
            continue
        small = re.sub(r"--(epochs|meta_steps) \d+", r"--\1 2", re.sub(r"--tasks \d+", "--tasks 6", block))
        for line in small.splitlines():
            if line.startswith("bouncegrad "):
                words = shlex.split(line.partition(" | ")[0].partition("#")[0])
                assert main(words[1:]) == (2 if line.endswith("# is refused") else 0), line
            else:
                subprocess.run(["bash", "-c", line], check=True)


def test_the_five_lines_of_the_readme(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Users reported dead links to data and results that they could not reproduce."""
    (block,) = [block for block in blocks(PAGES[0], "bash") if "bouncegrad inspect" in block]
    for line in block.splitlines():
        words = shlex.split(line.split("#")[0])[1:]
        words += ["--epochs", "2", "--threads", "1"] if words[0] == "train" else []
        assert main(words) == 0
    assert (folder / "result" / "edges.csv").read_text().startswith("task,source,target,type,")
    assert (folder / "run" / "report.html").exists()


@pytest.mark.parametrize("line", commands())
def test_commands_and_options_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line.replace("&&", " "))[1:]
    if words[0] in ("COMMAND", "--help"):
        return
    assert words[0] in COMMANDS
    preset = words[1:3] if words[1:2] == ["--preset"] else []  # those of regression tasks have options of their own
    assert main([words[0], *preset, "--help-all"]) == 0
    options = capsys.readouterr().out
    for word in words:
        if word.startswith("--") and word not in ("--help", "--help-all"):
            assert f"  {with_underscores(word.partition('=')[0])} " in options.replace("\n", " \n")


def test_options_in_the_text_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        main([name, "--help-all"])
    known = {with_underscores(option) for option in re.findall(r"--[\w-]+", capsys.readouterr().out)} | {"--version"}
    for page in PAGES:
        for option in re.findall(r"`(--[\w-]+)", page.read_text()):
            assert with_underscores(option) in known, f"{page.name}: {option}"


def prose(page: Path) -> str:
    """Returns the page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Returns the anchors of all headings, as GitHub and the site form them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_targets(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_the_site_has_every_page_once() -> None:
    """The side bar is defined in conf.py."""
    listed = [name for names in runpy.run_path(str(DOCS / "conf.py"))["CONTENTS"].values() for name in names]
    assert len(listed) == len(set(listed))
    assert {DOCS / f"{name}.md" for name in listed} == set(PAGES[1:]) - {DOCS / "index.md"}


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Builds the site like `make docs`; needs the extra `docs`."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    words = ["-E", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "site")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Float[M, T, N, D]" in re.sub(r"<[^>]+>", "", (tmp_path / "site" / "api.html").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    for name in set(re.findall(r"`([\w/]+\.py)`", page.read_text())):
        assert any(str(path).endswith(f"/{name}") for path in ROOT.rglob("*.py") if ".venv" not in path.parts), name


def test_a_saved_table_is_read_by_the_first_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(simulate("springs", 3, seed=1), "example.csv")
    assert main(["inspect", "example.csv"]) == 0
    assert "truth for 20 edges" in capsys.readouterr().out


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 800
