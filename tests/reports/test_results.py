"""Users' reports about results: where the graph is, what numbers mean, which type means no edge, directions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bouncegrad import edge_index
from bouncegrad.data.formats import load
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.results.result import Result

from .conftest import QUICK, fixture_path


def test_the_temperature_of_every_row_is_that_of_the_schedule(springs4):
    """Users asked why the temperature was fixed instead of annealed."""
    settings = QUICK | {"search": "paper", "epochs": 160, "steps": 2, "segments": 2, "batch": 32}
    few = springs4.select(range(32))
    for annealer, ends in (("geometric", (2.0, 0.5)), ("fixed", (0.7, 0.7))):
        given = {"annealer": annealer, "temperature": ends[0], "floor": ends[1]}
        rows = RelationalInference(seed=0, **settings | given).fit(few).history_
        temperatures = [row["temperature"] for row in rows if row["temperature"] is not None]
        assert all(earlier >= later for earlier, later in pairwise(temperatures))
        assert temperatures[-1] == pytest.approx(max(ends[1], min(1.0, ends[0])))
        assert all(0 <= row["acceptance"] <= 1 for row in rows)
        if annealer == "fixed":
            assert set(temperatures) == {0.7}


def test_a_result_has_a_type_and_a_score_for_each_type(model4, springs4):
    """Users reported that they could not distinguish sampled edges from edge probabilities."""
    result = model4.infer(springs4.select([0]))
    scores = result.probability[0][~np.eye(4, dtype=bool)]
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.abs(scores.sum(1) - 1).max() < 1e-6
    assert np.array_equal(scores.argmax(1), result.edges[0][~np.eye(4, dtype=bool)])


def test_three_types_have_one_confusion_table_under_one_relabelling(command, here):
    """Users asked for three edge types without labels."""
    settings = ["--epochs", 3, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    data = fixture_path("types3.npz")
    assert command("train", "--data", data, "--edge_types", 3, "--out", "run", *settings).status == 0
    numbers = json.loads(command("evaluate", "run", data, "--json").out)
    assert sorted(numbers["relabelling"]) == [0, 1, 2]
    assert command("report", "run").status == 0
    page = Path("run/report.html").read_text()
    assert "confusion" in page.lower() or "true type" in page.lower()


def test_without_a_pinned_type_the_output_says_that_none_means_absence(command, here, run4):
    """Users reported that no inferred edge ever had the type that means no interaction."""
    found = command("infer", run4, fixture_path("free4.npz"), "--out", "result")
    assert "no type is known to mean absence; train with --pinned" in found.out


def test_a_stronger_preference_for_none_never_lowers_its_share():
    """Users asked for sparse graphs."""
    data = simulate("springs", 12, entities=4, frames=20, seed=0)
    model = RelationalInference(seed=0, pinned=True, sparsity=0.5, **QUICK).fit(data).model_
    from dataclasses import replace

    shares = []
    for sparsity in (0.01, 0.1, 0.5, 0.9, 0.99):
        with_it = replace(model, config=replace(model.config, sparsity=sparsity))
        probability = with_it.infer(data).probability[:, ~np.eye(4, dtype=bool), 0]
        shares.append(probability.mean())
    assert all(earlier <= later for earlier, later in pairwise(shares))
    assert shares[0] < shares[-1]


def test_inference_prints_its_files_among_them_names_and_a_picture(run4, tmp_path):
    """Users reported that they did not find the graph after a run; here: through a shell, without a display."""
    words = ["infer", str(run4), str(fixture_path("springs4.npz")), "--out", "result"]
    code = f"from bouncegrad.app.cli import main; raise SystemExit(main({words!r}))"
    dark = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=dark, capture_output=True, text=True, check=True
    )
    written = {line.removeprefix("wrote ") for line in done.stdout.splitlines() if line.startswith("wrote ")}
    assert written == {str(path.relative_to(tmp_path)) for path in (tmp_path / "result").iterdir()}
    assert "result/graph.svg" in written
    table = pd.read_csv(tmp_path / "result" / "edges.csv", dtype=str)
    assert list(table.columns[:4]) == ["task", "source", "target", "type"]
    assert "<svg" in (tmp_path / "result" / "graph.svg").read_text()


def test_the_picture_is_of_the_task_that_is_named(command, here, run4, springs4):
    """Users asked for a picture of the estimated graph."""
    path = fixture_path("springs4.npz")
    assert command("infer", run4, path, "--out", "result", "--task", springs4.tasks[7]).status == 0
    edges = Result.load("result/result.npz").edges[7]
    picture = Path("result/graph.svg").read_text()
    for s, t in np.argwhere(~np.eye(4, dtype=bool)):
        assert f'id="edge-{s}-{t}-type-{edges[s, t]}"' in picture
    assert "has no task 'nobody'" in command("infer", run4, path, "--out", "r", "--task", "nobody").err


def test_the_pairs_of_three_entities_are_six_in_a_stated_order():
    """Users asked what the matrices of senders and receivers are."""
    assert edge_index(3).tolist() == [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]


def test_a_model_of_four_entities_infers_five(model4):
    """Users asked to train on tasks of one size and to use the model for tasks of another size."""
    result = model4.infer(load(fixture_path("springs5.npz")))
    assert result.edges.shape == (24, 5, 5)


def test_one_step_and_free_running_errors_are_columns_by_horizon(command, run4):
    """Users reported forecasts that read the truth again in each frame; only the one-step column may do so."""
    data = fixture_path("springs4.npz")
    evaluated = command("evaluate", run4, data, "--context", 25)
    for words in ("one-step", "free-running", "constant velocity"):
        assert words in evaluated.out
    numbers = json.loads(command("evaluate", run4, data, "--context", 25, "--json").out)
    for horizon in (1, 5, 10, 20):
        assert numbers[f"mse_{horizon}"] > 0
        assert numbers[f"one_step_mse_{horizon}"] > 0
    assert numbers["mse_20"] >= numbers["one_step_mse_20"]
