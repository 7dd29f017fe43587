"""`bouncegrad inspect` on layouts of other programs and on folders of parts, and the same options in other commands."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad.data.formats import load

from ..data.programs import FILES
from ..refusals import assert_refused

QUICK = ["--epochs", "2", "--threads", "1", "--edge_hidden", "[4]", "--node_hidden", "[4]", "--holdout", "0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", FILES)
def test_inspect_says_how_each_program_was_read(command, here, kind):
    name, content = FILES[kind]
    (here / name).write_text(content)
    found = command("inspect", name)
    assert (found.status, found.err) == (0, "")
    rows = [line.split("  ")[0] for line in found.out.splitlines()]
    assert "columns" in rows or "read as" in rows
    assert json.loads(command("inspect", name, "--json").out)["facts"]


def test_named_columns_go_through_training_resuming_and_inference(command, here):
    states = np.random.default_rng(0).normal(size=(4, 12, 3, 2)).cumsum(1)
    lines = [f"{m},{t},{'abc'[n]},{states[m, t, n, 0]},{states[m, t, n, 1]}" for m, t, n in np.ndindex(4, 12, 3)]
    (here / "a.csv").write_text("\n".join(["video,frame,who,px,py", *lines]))
    refusal = ["rename them, or name them with --columns 'time=frame,entity=who,features=[video,px,py]'"]
    assert_refused(command, ["train", "--data", "a.csv", "--out", "run"], *refusal)
    columns = "time=frame,entity=who,task=video,features=[x=px,y=py]"
    option = ["--columns", columns, "--fps", "10", "--missing", "0,0", "--strict"]
    assert command("train", "--data", "a.csv", "--out", "run", "--velocities", *option, *QUICK).status == 0
    assert command("train", "--resume", "--data", "a.csv", "--out", "run").status == 0
    assert command("infer", "run", "a.csv", "--velocities", *option, "--out", "result").status == 0
    assert command("convert", "a.csv", "a.npz", *option).status == 0
    data = load("a.npz")
    assert (data.dt, data.features, data.tasks) == (0.1, ("x", "y"), ("0", "1", "2", "3"))
    np.testing.assert_array_equal(data.x, states)


def test_repairs_go_through_training_resuming_and_inference(command, here):
    x = np.random.default_rng(0).normal(size=(4, 12, 3, 2)).cumsum(1)
    np.savez("a.npz", x=x, features=["x", "y"])
    option = ["--unit", "[x:0.01,y:0.01]", "--origin", "[x:3]", "--same_unit", "--unswap"]
    assert command("train", "--data", "a.npz", "--out", "run", "--velocities", *option, *QUICK).status == 0
    assert command("train", "--resume", "--data", "a.npz", "--out", "run").status == 0
    assert command("infer", "run", "a.npz", "--velocities", *option, "--out", "result").status == 0
    out = command("inspect", "a.npz", *option).out
    assert "exchanged back  no names (--unswap)" in out
    assert "one unit        no task has another unit (--same_unit)" in out
    assert command("convert", "a.npz", "b.npz", *option).status == 0
    np.testing.assert_allclose(load("b.npz").x, (x - [3, 0]) / 100)


@pytest.mark.parametrize("lost", [0, 3])
def test_inspect_draws_what_looks_wrong(command, here, lost):
    x = 50 + np.random.default_rng(0).normal(size=(6, 40, 3, 2)).cumsum(1)
    x[2:6, 10 : 10 + 2 * lost : 2, 1] = 0
    np.savez("a.npz", x=x, features=["x", "y"])
    found = command("inspect", "a.npz", "--plot", "a.svg")
    assert found.out.endswith("wrote a.svg\n")
    page = (here / "a.svg").read_text()
    assert [f"task {task}. " in page for task in range(6)] == [not lost, False, *[lost > 0] * 4]
    assert (f"may be lost: {lost}" in page, "nothing looks wrong" in page) == (lost > 0, not lost)
    assert json.loads(command("inspect", "a.npz", "--plot", "a.svg", "--json").out)["plot"] == "a.svg"
    np.savez("b.npz", x=x[..., :1], features=["signal"])
    assert command("inspect", "b.npz", "--plot", "b.png").status == 0
    assert_refused(
        command, ["inspect", "a.npz", "--plot", "a.txt"], "a.txt is no picture; name it .png or .svg or .pdf"
    )
    assert_refused(command, ["inspect", "a.npz", "--plot", "no/a.png"], "there is no folder no; make it first")


def test_other_parts_are_read_with_the_same_options(command, here):
    for part in ("train", "test"):
        np.save(f"loc_{part}_a.npy", np.random.default_rng(0).normal(size=(3, 12, 2, 3)).cumsum(1))
        np.save(f"vel_{part}_a.npy", np.random.default_rng(0).normal(size=(3, 12, 2, 3)))
    found = command("inspect", ".", "--time_step", "0.5", "--columns", "features=[x,y]").out
    assert found.count("2 features (x, y)") == 3


def test_a_folder_of_parts_is_listed(command, here):
    for name, frames in (("long_0", 12), ("long_1", 12), ("short_0", 6)):
        np.savez(f"{name}.npz", X_np=np.random.default_rng(0).normal(size=(3, frames)), Gref=np.zeros((3, 3)))
    assert command("inspect", ".").out.splitlines() == [
        ".: 2 parts, each a data set of its own",
        "long   2 tasks, 12 frames, 3 entities, 1 feature (x0), truth for 6 edges",
        "short  1 task, 6 frames, 3 entities, 1 feature (x0), truth for 6 edges",
        "look at one with: bouncegrad inspect . --part long",
    ]
    assert json.loads(command("inspect", ".", "--json").out)["parts"]["short"].startswith("1 task, 6 frames")
    assert command("inspect", ".", "--part", "short").out.startswith("1 task, 6 frames")


def test_unnamed_features_are_said(command, here):
    np.save("a.npy", np.random.default_rng(0).normal(size=(3, 20, 3, 4)))
    text = "the file does not name its features, so they were taken for x, y, vx, vy; if they are others, name them"
    assert f"warning: {text}" in command("inspect", "a.npy").out
    assert f"a.npy: {text}" in command("train", "--data", "a.npy", "--out", "run", *QUICK).out
    assert text not in command("infer", "run", "a.npy", "--out", "new", "--quiet").out
    named = command("inspect", "a.npy", "--columns", "features=[alpha,beta,gamma,delta]").out
    assert "4 features (alpha, beta, gamma, delta)" in named
    assert "warning" not in named
