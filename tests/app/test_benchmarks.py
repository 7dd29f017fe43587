"""Benchmarks: rows are kept as soon as they are known and are not run again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad.app.benchmarks import accuracy, forecast, speed
from bouncegrad.app.benchmarks.accuracy import ROWS, Row
from bouncegrad.app.benchmarks.rows import chosen
from bouncegrad.app.benchmarks.speed import inference_rate, step_rate, time_to
from bouncegrad.data.simulate import simulate


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(accuracy, "NEW_TASKS", 8)
    monkeypatch.setattr(accuracy, "ROWS", (Row("few", "springs", "0.999 (NRI 2018)", tasks=12, entities=3),))


def test_figures_are_kept_and_not_measured_again(command, tmp_path, small, monkeypatch):
    """Users asked for a table that compares results with the reference."""
    line = ["benchmark", "accuracy", "--minutes", "0.01", "--seeds", "0,1", "--out", tmp_path]
    first = command(*line)
    assert first.status == 0
    assert "0.999 (NRI 2018)" in first.out
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["few-seed0-0.01min.json", "few-seed1-0.01min.json"]
    figures = json.loads((tmp_path / files[0]).read_text())
    assert {"edge_accuracy", "seed", "minutes", "training_seconds", "machine", "least_squares"} <= set(figures)
    monkeypatch.setattr(accuracy, "measure", lambda *_: pytest.fail("measured again"))
    assert command(*line).out == first.out


def test_forecasts_stand_beside_what_is_published(command, tmp_path, monkeypatch):
    """Users asked for a table that compares results with the reference."""
    monkeypatch.setattr(forecast, "NEW_TASKS", 6)
    monkeypatch.setattr(forecast, "RANGE_TASKS", 30)
    monkeypatch.setattr(forecast, "ROWS", (forecast.Row("few", "springs", 12, 0.02, {"forecast": 0.5}),))
    line = ["benchmark", "forecast", "--out", tmp_path]
    first = command(*line)
    assert first.status == 0
    name = "few-forecast-seed0-0.02min"
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.json", f"{name}.svg"}
    lines = first.out.splitlines()
    row = next(line for line in lines if "NRI, true graph" in line)
    assert row.split()[-4:-1] == ["1.69e-11", "1.32e-09", "7.06e-06"]
    figures = json.loads((tmp_path / f"{name}.json").read_text())
    ours = next(line for line in lines if "bouncegrad  " in line)
    assert f"{figures['errors']['free-running'][19]:.2e}" in ours
    assert (len(figures["errors"]["one-step"]), len(figures["errors_restarted"]["static"])) == (20, 10)
    assert set(figures["covered"]) == {"1", "10", "20"}
    assert "NRI, true graph, published" in (tmp_path / f"{name}.svg").read_text()
    monkeypatch.setattr(forecast, "measure", lambda *_: pytest.fail("measured again"))
    assert command(*line).out == first.out


def test_training_and_fresh_tasks_differ_and_noise_is_added():
    plain, noisy = (Row("a", "springs", "", tasks=20, noise=noise).data(0) for noise in (0.0, 0.01))
    assert not np.array_equal(plain[0].x[:20], plain[1].x[:20])
    assert (noisy[0].x - plain[0].x).std() == pytest.approx(0.01, rel=0.05)
    assert Row("a", "springs", "", tasks=3, new_entities=7).data(0)[1].shape[2] == 7


def test_every_row_is_known_by_its_own_name():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert [row.name for row in chosen(["springs5", "charged5"], ROWS)] == ["springs5", "charged5"]


def test_arithmetic_is_counted():
    data = simulate("springs", 8, entities=3, frames=12, seed=0)
    found = step_rate(data, {"edge_hidden": (16,), "threads": 1})
    assert found["matrix_gflops"] > 0
    assert 0 < found["share_of_matrix_rate"] < 2
    assert found["gradient_gflops"] > 0


def test_the_shortest_limit_that_is_enough(monkeypatch):
    monkeypatch.setattr(speed, "LIMITS", (0.005, 0.05))
    monkeypatch.setattr(speed, "WANTED", (0.1, 1.1))
    limits, train = [], speed.train

    def counted(config, data):
        limits.append(config.minutes)
        return train(config, data)

    monkeypatch.setattr(speed, "train", counted)
    data = simulate("springs", 40, entities=3, frames=20, seed=0)
    model, reached = time_to(data, data, 0)
    assert limits == [0.005, 0.05]
    assert reached["0.1"] > 0
    assert reached["1.1"] is None
    assert inference_rate(model, data)["tasks_per_second"] > 0


def test_a_mean_over_seeds_is_known_where_all_were_right():
    assert speed.mean_of([1.0, 2.0]) == 1.5
    assert speed.mean_of([1.0, None]) is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("benchmark guess", "benchmark 'guess' is not known; choose accuracy, forecast, speed"),
        ("benchmark accuracy --rows charged6", "row 'charged6' is not known"),
        ("benchmark accuracy --seeds x", "option seeds: 'x'"),
        ("benchmark accuracy --minutes 0", "option minutes: 0"),
    ],
)
def test_what_cannot_be_measured(command, tmp_path, monkeypatch, line, says):
    monkeypatch.chdir(tmp_path)
    outcome = command(*line.split())
    assert outcome.status == 2
    assert says in outcome.err
