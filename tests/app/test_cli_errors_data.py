"""Recordings that cannot be used: every command that reads them says what, where, which value, and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.formats import load

from ..refusals import assert_refused

TRAIN = ["train", "--out", "new", "--epochs", "1", "--threads", "1", "--data"]
INFER = ["infer", "run", "--out", "new"]
COMMANDS = {"train": TRAIN, "infer": INFER, "evaluate": ["evaluate", "run"], "report": ["report", "run", "--data"]}


def changed(at: tuple[int, ...], value: float) -> np.ndarray:
    x = load("springs.npz").x
    x[at] = value
    return x


def states(shape_of) -> np.ndarray:
    return shape_of(load("springs.npz").x)


def table(edit) -> str:
    """The table of named recordings, its lines edited; line 1 of the file is `lines[0]`."""
    lines = Path("named.csv").read_text().splitlines()
    edit(lines)
    return "\n".join(lines) + "\n"


def last_cell(lines: list[str], line: int, cell: str) -> None:
    lines[line - 1] = lines[line - 1].rpartition(",")[0] + cell


# name of the file, what is in it (bytes, text, an array or the arrays of an archive), what the message must say
UNUSABLE = [
    ("empty.npz", lambda: b"", ["empty.npz: is empty", "numpy.savez"]),
    ("empty.npy", lambda: b"", ["empty.npy: is empty", "numpy.save"]),
    ("empty.csv", lambda: b"", ["empty.csv, line 1: is empty"]),
    ("text.npz", lambda: "hello\n", ["text.npz: is no .npz archive"]),
    ("text.npy", lambda: "hello\n", ["text.npy: is no .npy file"]),
    ("tracks.doc", lambda: "hello\n", ["tracks.doc: files named *.doc are not known", ".csv table"]),
    ("tracks.xyz", lambda: "hello\n", ["tracks.xyz, line 1: 'hello' where a number is expected"]),
    ("cut.npz", lambda: Path("springs.npz").read_bytes()[:2000], ["cut.npz"]),
    ("axes.npy", lambda: states(lambda x: x[0]), ["axes.npy", "need 4 axes", "(30, 3, 4)", "transpose"]),
    ("objects.npy", lambda: np.array([{}], dtype=object), ["objects.npy", "pickled"]),
    ("words.npy", lambda: np.full((2, 3, 2, 1), "a"), ["words.npy: states must be numbers", "<U1"]),
    ("complex.npy", lambda: states(lambda x: x * 1j), ["states must be numbers", "complex128"]),
    ("frame.npy", lambda: states(lambda x: x[:, :1]), ["frame.npy: 1 frame in shape (24, 1, 3, 4)", "two frames"]),
    ("alone.npy", lambda: states(lambda x: x[:, :, :1]), ["alone.npy: 1 entity in shape", "two entities"]),
    ("tasks.npy", lambda: states(lambda x: x[:0]), ["0 tasks"]),
    ("features.npy", lambda: states(lambda x: x[..., :0]), ["0 features"]),
    ("inf.npy", lambda: changed((0, 29, 2, 1), -np.inf), ["-inf at task 0, frame 29, entity 2, feature y", "put NaN"]),
    ("huge.npy", lambda: changed((5, 6, 0, 3), 1e301), ["1e+301 at task 5, frame 6, entity 0, feature vy", "units"]),
    ("key.npz", lambda: {"x": load("springs.npz").x, "foo": np.zeros(1)}, ["key.npz: unknown key foo", "rename"]),
    ("no_x.npz", lambda: {"dt": np.array(1.0)}, ["no_x.npz: has dt but no x"]),
    ("dt.npz", lambda: {"x": load("springs.npz").x, "dt": np.array(-1.0)}, ["dt.npz: dt is -1.0"]),
    ("names.npz", lambda: {"x": load("springs.npz").x, "entities": ["a", "b"]}, ["2 names in entities for 3"]),
    ("twice.npz", lambda: {"x": load("springs.npz").x, "entities": ["a", "b", "a"]}, ["'a' stands twice"]),
    ("text.csv", lambda: table(lambda lines: last_cell(lines, 6, ",fast")), ["text.csv, line 6: vy holds 'fast'"]),
    ("long.csv", lambda: table(lambda lines: last_cell(lines, 9, ",1,2")), ["long.csv, line 9: has more cells"]),
    ("inf.csv", lambda: table(lambda lines: last_cell(lines, 7, ",inf")), ["inf.csv, line 7: vy holds 'inf'"]),
    ("twice.csv", lambda: table(lambda lines: lines.append(lines[7])), ["line 2162", "is in line 8", "remove one"]),
    ("head.csv", lambda: table(lambda lines: lines.__delitem__(slice(1, None))), ["a header but no rows"]),
    ("column.csv", lambda: table(lambda lines: lines.__setitem__(0, "a,b,c,x,y,vx,vy")), ["line 1: the columns are"]),
    ("binary.csv", lambda: b"\xff\xfe\x00\x01", ["binary.csv: is no text in UTF-8"]),
]


def write(name: str, content) -> None:
    if isinstance(content, bytes):
        Path(name).write_bytes(content)
    elif isinstance(content, str):
        Path(name).write_text(content)
    elif isinstance(content, dict):
        np.savez(name, **content)
    else:
        np.save(name, content)


@pytest.mark.parametrize("command_name", COMMANDS)
@pytest.mark.parametrize(("name", "content", "says"), UNUSABLE, ids=[name for name, *_ in UNUSABLE])
def test_unusable_recordings(command, work, name, content, says, command_name):
    write(name, content())
    assert_refused(command, [*COMMANDS[command_name], name], name.partition(".")[0], *says)


def test_tasks_that_tell_nothing_are_not_trained_on(command, work):
    mask = np.arange(24 * 30 * 3).reshape(24, 30, 3) >= 180
    write("gap.npz", {"x": load("springs.npz").x, "mask": mask})
    says = "gap.npz: in task 0 nobody was observed in 2 frames in a row (2 such tasks); leave such tasks out"
    assert_refused(command, [*COMMANDS["train"], "gap.npz"], says)


@pytest.mark.parametrize("command_name", [*COMMANDS, "inspect"])
def test_missing_recordings(command, work, command_name):
    (work / "folder").mkdir()
    line = COMMANDS.get(command_name, ["inspect"])
    assert_refused(command, [*line, "none.npz"], "none.npz: no such file or folder", "correct the path")
    assert_refused(command, [*line, "folder"], "folder: this folder has no known format")
    assert_refused(command, [*line, "springs.npz", "--part", "train"], "springs.npz: has no parts, so no part 'train'")


@pytest.mark.parametrize("name", ["empty.npz", "text.npy", "tracks.doc", "axes.npy", "frame.npy", "text.csv"])
def test_inspect_refuses_what_is_no_recording(command, work, name):
    content, says = next(case[1:] for case in UNUSABLE if case[0] == name)
    write(name, content())
    assert_refused(command, ["inspect", name], *says)
    assert_refused(command, ["inspect", name, "--json"], *says)


@pytest.mark.parametrize("command_name", COMMANDS)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--edges", "none.csv"], ["none.csv: no such file"]),
        (["--edges", "run"], ["run", "cannot be read"]),
        (["--edges", "stranger.csv"], ["stranger.csv, line 2: target '9' is no entity of springs.npz (0, 1, 2)"]),
        (["--edges", "self.csv"], ["self.csv, line 2: source and target are the same"]),
        (["--velocities"], ["springs.npz: has vx and vy already"]),
        (["--time_step", "0"], ["springs.npz: dt is 0.0"]),
        (["--time-step", "-1"], ["springs.npz: dt is -1.0"]),
        (["--time_step", "fast"], ["option time_step: 'fast' cannot be used; give a number"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_wrong_options_of_reading(command, work, command_name, options, says):
    (work / "stranger.csv").write_text("task,source,target,type\n0,0,9,1\n")
    (work / "self.csv").write_text("task,source,target,type\n0,2,2,1\n")
    assert_refused(command, [*COMMANDS[command_name], "springs.npz", *options], *says)


@pytest.mark.parametrize("command_name", ["infer", "evaluate", "report"])
class TestAfterTraining:
    def test_other_features(self, command, work, command_name, springs):
        np.save("two.npy", springs.x[..., :2])
        np.savez("turned.npz", x=springs.x, features=["vx", "vy", "x", "y"])
        line = COMMANDS[command_name]
        assert_refused(command, [*line, "two.npy"], "two.npy: features x0, x1 differ", "x, y, vx, vy")
        assert_refused(command, [*line, "turned.npz"], "turned.npz: features vx, vy, x, y differ", "same order")

    def test_other_units(self, command, work, command_name, springs):
        np.save("far.npy", springs.x * 1e20)
        line = [*COMMANDS[command_name], "far.npy"]
        assert_refused(command, line, "far.npy: ", "at task 0, frame 0, entity", "times the spread", "the units of")

    @pytest.mark.parametrize("context", ["1", "0", "-3", "31"])
    def test_a_context_that_is_not_there(self, command, work, command_name, context):
        line = [*COMMANDS[command_name], "springs.npz", "--context", context]
        assert_refused(command, line, f"springs.npz: a context of {context} frames", "has 30", "give 2 to 30")

    @pytest.mark.parametrize("context", ["x", "2.5", "", "1e400"])
    def test_a_context_that_is_no_number(self, command, work, command_name, context):
        line = [*COMMANDS[command_name], "springs.npz", "--context", context]
        assert_refused(command, line, "option context: ", "give a whole number")


def test_unknown_future_frames_are_named_by_their_own_number(command, work):
    np.save("late.npy", changed((3, 17, 1, 2), np.inf))
    assert_refused(command, ["evaluate", "run", "late.npy", "--context", "9"], "inf at task 3, frame 17, entity 1")
    assert command("infer", "run", "late.npy", "--context", "17", "--out", "new").status == 0


def test_a_folder_of_several_data_sets(command, work, springs):
    for name in ("", "_more"):
        for kind, axes in (("loc", slice(2)), ("vel", slice(2, 4))):
            np.save(f"{kind}_train{name}.npy", springs.x[..., axes].transpose(0, 1, 3, 2))
    for line in (*COMMANDS.values(), ["inspect"]):
        assert_refused(command, [*line, "."], ".: holds 2 data sets", "_more", "give one of the files")
