"""`bouncegrad train`: what it writes, what it trains on, and that options do what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml

from bouncegrad.data.formats import load, save
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

SHORT = ("--epochs", "2", "--threads", "1")


def weights(folder) -> dict[str, torch.Tensor]:
    return Run(folder).state()["composition"]


def same(first, second) -> bool:
    one, two = weights(first), weights(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_quiet_names_what_was_written_and_nothing_else(command, work):
    assert command("train", "--data", "springs.npz", "--out", "new", *SHORT, "--quiet") == (0, "wrote new\n", "")
    assert command("simulate", "springs", "--tasks", 2, "--out", "s.npz", "--quiet").out == "wrote s.npz\n"
    for line in (["infer"], ["predict", "--context", 20], ["without", "--entity", "1"]):
        found = command(line[0], "run", "springs.npz", *line[1:], "--out", line[0], "--quiet")
        assert (found.status, found.err) == (0, "")
        assert all(name.startswith(f"wrote {line[0]}/") for name in found.out.splitlines())
        assert found.out.count("\n") == len(list((work / line[0]).iterdir()))
    found = command("train", "--data", "springs.npz", "--out", "new", *SHORT, "--quiet")
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)


def test_the_run_folder(command, work, springs):
    found = command("train", "--data", "springs.npz", "--out", "new", *SHORT)
    assert (found.status, found.err) == (0, "")
    assert found.out.splitlines()[0].endswith("truth for 6 edges; 6 tasks held out")
    assert found.out.splitlines()[-1] == "wrote new"
    assert {path.name for path in (work / "new").iterdir()} == {
        "config.yaml",
        "data.json",
        "metrics.jsonl",
        "checkpoint.pt",
    }
    config = yaml.safe_load((work / "new" / "config.yaml").read_text())
    assert config == yaml.safe_load(resolve(Config(epochs=2, threads=1), (18, 30, 3, 4)).to_yaml())
    about = json.loads((work / "new" / "data.json").read_text())
    assert about["shape"] == [18, 30, 3, 4]
    assert about["source"] == "springs.npz"
    part = springs.select(np.setdiff1d(np.arange(24), about["held_out"]))
    assert Run("new").scaling() == Scaling.fit(part)
    row = Run("new").rows()[-1]
    assert (row["epoch"], row["progress"], row["skipped_steps"]) == (2, 1.0, 0)
    assert 0 <= row["edge_accuracy"] <= 1
    assert sum(row["shares"]) == pytest.approx(1, abs=1e-3)


def test_held_out_tasks_are_not_trained_on(command, work, springs):
    """The modules do not depend on the held-out tasks."""
    held = Run("run").about()["held_out"]
    assert len(held) == 6
    x = springs.x.copy()
    x[held] = np.random.default_rng(0).normal(size=x[held].shape)
    np.savez("changed.npz", x=x)
    assert command("train", "--data", "changed.npz", "--out", "new", "--epochs", 20, "--threads", 1).status == 0
    assert Run("new").about()["held_out"] == held
    assert same("new", "run")


def test_the_share_that_is_held_out_is_the_users_choice(command, work):
    for holdout, count in (("0", 0), ("0.5", 12)):
        command("train", "--data", "springs.npz", "--out", f"new{count}", "--holdout", holdout, *SHORT)
        about = Run(f"new{count}").about()
        assert len(about["held_out"] or []) == count
        assert about["shape"][0] == 24 - count


def test_data_with_parts_trains_on_the_training_part(command, work, springs):
    folder = work / "kipf"
    save(springs.select(range(10)), folder, "train", format="kipf")
    save(springs.select(range(10, 14)), folder, "valid", format="kipf")
    assert command("train", "--data", folder, "--out", "new", *SHORT).status == 0
    assert Run("new").about()["shape"][0] == 10
    assert Run("new").about()["held_out"] is None
    assert command("train", "--data", folder, "--part", "valid", "--out", "other", *SHORT).status == 0
    assert Run("other").about()["shape"][0] == 4


def test_tables_arrays_and_archives_train_alike(command, work, springs):
    """Users reported that their own data needed a change of the source code."""
    np.save("bare.npy", springs.x)
    for name in ("springs.npz", "named.csv", "bare.npy"):
        assert command("train", "--data", name, "--out", name[:4], *SHORT).status == 0
    assert same("spri", "name")
    assert same("spri", "bare")


def test_options_of_reading_are_used(command, work, springs):
    np.savez("bare.npz", x=springs.x[..., :2], features=["x", "y"])
    line = ["--data", "bare.npz", "--velocities", "--time_step", "0.2", *SHORT]
    assert command("train", *line, "--out", "new").status == 0
    about = Run("new").about()
    assert (about["features"], about["dt"]) == (["x", "y", "vx", "vy"], 0.2)


def test_settings_reach_the_modules(command, work):
    line = ["--edge-types", "5", "--edge_hidden", "[7]", "--node_hidden", "[6,5]", "--message", "3"]
    assert command("train", "--data", "springs.npz", "--out", "new", *line, *SHORT).status == 0
    shapes = {name: tuple(weight.shape) for name, weight in weights("new").items() if "weights" in name}
    assert shapes == {
        "edge.weights.0": (5, 15, 7),
        "edge.weights.1": (5, 7, 3),
        "node.weights.0": (1, 7, 6),
        "node.weights.1": (1, 6, 5),
        "node.weights.2": (1, 5, 8),
    }


@pytest.mark.parametrize(
    "line",
    [
        ["--edge_types", "9"],
        ["--edge_types", "64", "--holdout", "0.9", "--segments", "1"],
        ["--batch", "1000"],
        ["--search", "paper", "--proposal", "learned", "--steps", "3"],
        ["--search", "paper", "--annealer", "fixed", "--loss", "likelihood"],
        ["--annealer", "fixed", "--segments", "1", "--evidence", "0"],
        ["--loss", "rollout"],
    ],
)
def test_unusual_settings_work(command, work, line):
    """Also more edge types than the data can distinguish."""
    assert command("train", "--data", "springs.npz", "--out", "new", *line, *SHORT).status == 0
    assert command("infer", "new", "springs.npz", "--context", "3", "--out", "found").status == 0


@pytest.mark.parametrize(("tasks", "frames", "entities"), [(1, 8, 3), (2, 2, 2), (3, 3, 4)])
def test_the_smallest_data_works(command, work, tasks, frames, entities):
    save(simulate("springs", tasks, frames=frames, entities=entities), "small.npz")
    assert command("train", "--data", "small.npz", "--out", "new", *SHORT).status == 0
    assert command("infer", "new", "small.npz", "--out", "found").status == 0
    assert json.loads(command("evaluate", "new", "small.npz", "--json").out)["tasks"] >= 1


def test_features_that_never_change_work(command, work):
    """Users reported losses that became NaN; a feature that never changes must not cause this."""
    np.save("still.npy", np.zeros((6, 10, 3, 2)))
    assert command("train", "--data", "still.npy", "--out", "new", *SHORT).status == 0
    assert command("infer", "new", "still.npy", "--out", "found").status == 0


def test_a_budget_of_minutes_is_kept(command, work):
    assert command("train", "--data", "springs.npz", "--out", "new", "--minutes", "0.01", "--threads", "1").status == 0
    row = Run("new").rows()[-1]
    assert row["progress"] == 1.0
    assert row["seconds"] > 0.4  # nearly all of it is used
    assert row["epoch"] < 6000  # after ten times the steps of its cooling, a run would end for another reason


def test_the_same_seed_gives_the_same_run_and_another_does_not(command, work):
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        command("train", "--data", "springs.npz", "--out", out, "--seed", seed, *SHORT)
    assert same("a", "b")
    assert not same("a", "c")
    assert load("springs.npz").shape == (24, 30, 3, 4)


def test_an_unknown_truth_is_reported(command, work, springs):
    """Users asked whether they must invent edges for recordings without a known truth."""
    np.save("bare.npy", springs.x)
    found = command("train", "--data", "bare.npy", "--out", "new", *SHORT)
    assert "edge accuracy not available, no truth" in found.out
    assert Run("new").rows()[-1]["edge_accuracy"] is None
