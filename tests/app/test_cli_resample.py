"""`--resample`: recordings of uneven times through every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.formats import load
from bouncegrad.data.simulate import simulate

from ..refusals import assert_refused

LINE = "resampled to steps of 0.1 (recorded: 0.08"
OPTIONS = ["--epochs", 2, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]


@pytest.fixture
def uneven(tmp_path, monkeypatch) -> None:
    """`uneven.csv`: springs recorded about every 0.1, one pause in one task; `even.csv`: as they are resampled."""
    monkeypatch.chdir(tmp_path)
    fine = simulate("springs", 6, entities=3, frames=400, seed=0)  # one frame is a step of 0.01
    frames = np.arange(5, 400, 10) + np.random.default_rng(0).integers(-1, 2, size=40)
    rows = []
    for task in range(6):
        for frame in frames[(task != 2) | (frames < 100) | (frames > 160)]:
            for entity in range(3):
                x, y, vx, vy = fine.x[task, frame, entity]
                rows.append((task, frame / 100, entity, x, y, 10 * vx, 10 * vy))
    pd.DataFrame(rows, columns=["task", "time", "entity", "x", "y", "vx", "vy"]).to_csv("uneven.csv", index=False)


@pytest.mark.usefixtures("uneven")
def test_every_command_resamples_and_says_so(command):
    trained = command("train", "--data", "uneven.csv", "--resample", "usual", "--out", "run", *OPTIONS)
    assert trained.status == 0, trained.err
    assert f"{LINE} to " in trained.out
    assert "resampled to steps of 0.1" in command("inspect", "uneven.csv", "--resample", 0.1).out
    for words in (
        ["infer", "run", "--out", "found"],
        ["predict", "run", "--out", "future", "--steps", 3],
        ["without", "run", "--out", "alone", "--entity", "1"],
        ["evaluate", "run"],
    ):
        found = command(*words[:2], "uneven.csv", *words[2:], "--resample", "0.1")
        assert found.status == 0, found.err
        assert found.out.startswith(f"uneven.csv: {LINE}"), words
    json.loads(command("infer", "run", "uneven.csv", "--resample", 0.1, "--out", "quiet", "--json").out)
    assert "held out" in command("evaluate", "run", "uneven.csv", "--resample", 0.1).out
    assert command("report", "run").status == 0


@pytest.mark.usefixtures("uneven")
def test_converted_once_and_for_all(command):
    done = command("convert", "uneven.csv", "even.npz", "--resample", 0.1)
    assert LINE in done.out
    data = load("even.npz")
    np.testing.assert_array_equal(data.x, load("uneven.csv", resample=0.1).x)
    assert "resampled" not in data.summary()
    assert data.summary().endswith("2.6% not observed")
    assert command("convert", "uneven.csv", "even.csv", "--resample", 0.1).status == 0
    np.testing.assert_array_equal(load("even.csv").mask, data.mask)


@pytest.mark.usefixtures("uneven")
def test_refusals_name_the_option(command):
    for words in (["inspect"], ["train", "--out", "new", "--data"], ["convert", "--format", "npz"]):
        line = [words[0], "uneven.csv", "new.npz", *words[1:]] if words[0] == "convert" else [*words, "uneven.csv"]
        assert_refused(command, line, "uneven.csv: in task 0 time goes from", "with --resample usual, or")
    assert_refused(command, ["inspect", "uneven.csv", "--resample", "slow"], "option resample: 'slow' cannot be used")
    assert not Path("new").exists()
