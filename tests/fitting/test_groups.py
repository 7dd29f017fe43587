"""Groups of tasks that have a graph in common, from files to results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference

from ..refusals import assert_refused

SHORT = {"epochs": 3, "threads": 1, "edge_hidden": (16,), "node_hidden": (16,), "shared_graph": True}


@pytest.fixture(scope="module")
def springs() -> Trajectories:
    """Twelve tasks; each four tasks in a row are one group."""
    return replace(simulate("springs", 12, entities=3, frames=20, seed=0), groups=("a",) * 4 + ("b",) * 4 + ("c",) * 4)


def test_tasks_of_a_group_get_one_graph(springs):
    model = RelationalInference(**SHORT, forecast=0.3, horizon=2).fit(springs)
    assert (model.structures_.reshape(3, 4, 3, 3) == model.structures_.reshape(3, 4, 3, 3)[:, :1]).all()
    result = model.infer(springs)
    pooled = result.probability.reshape(3, 4, 3, 3, 2)
    assert (pooled == pooled[:, :1]).all()
    assert not (pooled == pooled[:1]).all()
    alone = model.infer(springs.select(range(4, 8)))
    np.testing.assert_allclose(alone.probability, result.probability[4:8], atol=1e-6)
    together = model.infer(replace(springs, groups=()))
    assert (together.probability == together.probability[0]).all()
    np.testing.assert_array_equal(together.probability, model.infer(replace(springs, groups=("x",) * 12)).probability)


def test_names_of_groups_do_not_matter_and_parts_keep_theirs(springs):
    assert springs.group_numbers.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert springs.select([8, 0, 9]).groups == ("c", "a", "c")
    assert springs.select([8, 0, 9]).group_numbers.tolist() == [0, 1, 0]
    assert replace(springs, groups=()).group_numbers.tolist() == [0] * 12
    with pytest.raises(InputError, match="2 groups for 12 tasks; give one each"):
        replace(springs, groups=("a", "b"))


def test_groups_come_from_archives_and_tables(springs, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(springs, "own.npz")
    assert load("own.npz").groups == springs.groups
    save(springs, "tracks.csv")
    lines = [f"{task},{group}" for task, group in zip(springs.tasks, springs.groups, strict=True)]
    Path("groups.csv").write_text("\n".join(["task,group", *reversed(lines)]) + "\n")
    assert load("tracks.csv", groups="groups.csv").groups == springs.groups
    words = ["train", "--data", "tracks.csv", "--groups", "groups.csv", "--shared_graph", "--out", "run"]
    done = command(*words, "--epochs", 2, "--threads", 1, "--edge_hidden", "[8]", "--node_hidden", "[8]")
    assert "stated beforehand: tasks share a graph" in done.out
    assert command("infer", "run", "tracks.csv", "--groups", "groups.csv", "--out", "result").status == 0
    assert command("train", "--data", "tracks.csv", "--epochs", 1, "--threads", 1, "--out", "plain").status == 0
    for words in (
        ["train", "--data", "tracks.csv", "--out", "other"],
        ["infer", "plain", "tracks.csv", "--out", "r"],
        ["evaluate", "plain", "tracks.csv"],
    ):
        message = "option groups: only models trained with --shared_graph use it"
        assert_refused(command, [*words, "--groups", "groups.csv"], message)
    for text, message in (
        ("task,team\n0,a\n", "groups.csv, line 1: no column group among task, team"),
        ("task,group\n0,a\n", "groups.csv: no group for 11 tasks, first '1'"),
        ("task,group\n0,a\n0,b\n", "groups.csv, line 3: this task is in a line above already"),
        ("task,group\n99,a\n", "groups.csv, line 2: task '99' is no task of tracks.csv"),
    ):
        Path("groups.csv").write_text(text)
        assert_refused(command, ["inspect", "tracks.csv", "--groups", "groups.csv"], message)
