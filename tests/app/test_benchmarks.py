"""Benchmarks: rows are kept as soon as they are known and are not run again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad.app.benchmarks import accuracy, forecast, network_rows, networks, speed
from bouncegrad.app.benchmarks.accuracy import ROWS, Row
from bouncegrad.app.benchmarks.network_rows import Recordings, scaled_oscillators
from bouncegrad.app.benchmarks.rows import chosen
from bouncegrad.app.benchmarks.speed import inference_rate, step_rate, time_to
from bouncegrad.data.simulate import simulate
from bouncegrad.results.edge_scores import least_squares
from bouncegrad.results.metrics import auroc


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


FEW = (
    networks.Row("few", "springs", "ba", 4, "0.9 (GDP 2024)", Recordings("12 x 20 frames", 12, 20)),
    network_rows.dosi("netsims", 4, recordings=Recordings("12 x 20 frames", 12, 20)),
)


def test_one_graph_for_all_stands_beside_simple_scores_and_what_is_published(command, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "ROWS", FEW)
    line = ["benchmark", "networks", "--rows", "few", "--minutes", "0.02", "--seeds", "0,1", "--out", tmp_path]
    first = command(*line)
    assert first.status == 0
    files = [f"few-networks-seed{seed}-0.02min.json" for seed in (0, 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    figures = [json.loads((tmp_path / name).read_text()) for name in files]
    assert figures[0]["settings"] == {"shared_graph": True, "pinned": True, "symmetric": True}
    assert "tasks share a graph" in figures[0]["priors"]
    mean = [np.mean([one["baselines"][name] for one in figures]) for name in networks.SCORES]
    ours = [one["auroc"] for one in figures]
    printed = next(line for line in first.out.splitlines() if line.startswith("few  "))
    numbers = [f"{value:.4f}" for value in (*mean, np.mean(ours), min(ours))]
    assert printed.split()[5:11] == ["alike", "2", *numbers[:4]]
    assert printed.split()[11] == numbers[4]
    assert printed.endswith("0.9 (GDP 2024)")
    assert networks.NOTE in first.out
    monkeypatch.setattr(networks, "measure", lambda *_: pytest.fail("measured again"))
    assert command(*line).out == first.out


def test_simple_scores_need_no_training(command, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "ROWS", FEW)
    monkeypatch.setattr(networks, "measure", lambda *_: pytest.fail("trained"))
    found = command("benchmark", "networks", "--baselines", "--out", tmp_path)
    assert found.status == 0
    assert "AUROC 0" not in found.out
    names = [f"{row.name}-networks-seed0-baselines.json" for row in FEW]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    directed = json.loads((tmp_path / names[1]).read_text())
    assert directed["baselines"] == directed["baselines_each_direction"]
    assert directed["baselines"]["least_squares"] == 1.0  # a linear law


def test_scores_of_an_undirected_graph_are_the_mean_of_both_directions():
    row = networks.Row("a", "michaelis-menten", "ba", 8, recordings=Recordings("", 20, 6))
    data = row.data(3)
    assert np.array_equal(data.edges, np.broadcast_to(data.edges[0], (20, 8, 8)))
    assert np.array_equal(data.edges, data.edges.transpose(0, 2, 1))
    found = networks.described(row, data)
    score = least_squares(networks.end_to_end(data))
    for name, value in (("baselines", (score + score.transpose(0, 2, 1)) / 2), ("baselines_each_direction", score)):
        area = auroc(data.edges[:1], value)
        assert found[name]["least_squares"] == pytest.approx(max(area, 1 - area))


def test_recordings_are_kept_as_published():
    row = networks.Row("a", "michaelis-menten", "er", 6)
    data, full = row.data(2), simulate("michaelis-menten", 60, entities=6, frames=17, seed=2, graph="er", shared=True)
    assert (data.shape, data.dt) == ((60, 5, 6, 1), 4.0)
    assert np.array_equal(data.x, full.x[:, ::4].astype(np.float16))
    assert not np.array_equal(data.x, full.x[:, ::4])
    exact = networks.Row("a", "coupled-maps", "er", 6, recordings=network_rows.GDP_EXACT).data(2)
    maps = simulate("coupled-maps", 60, entities=6, frames=17, seed=2, graph="er", shared=True)
    assert np.array_equal(exact.x, maps.x[:, ::4])
    assert np.array_equal(exact.edges, maps.edges)
    other = network_rows.dosi("springs", 15).data(0)
    assert other.shape == (200, 49, 15, 4)
    assert other.edges[0].sum() / 210 == pytest.approx(0.2, abs=0.1)
    assert not np.array_equal(other.edges[0], other.edges[0].T)


def test_oscillators_are_scaled_as_published():
    data = simulate("kuramoto-phase", 3, entities=12, frames=40, graph="er", density=0.15, directed=True)
    rate, sine, phase, frequency = np.moveaxis(scaled_oscillators(data).x, -1, 0)
    for scaled, seen in ((rate, data.edges.any(1)), (phase, np.ones((3, 12), bool))):
        assert np.allclose(scaled.min(1)[seen], -1)
        assert np.allclose(scaled.max(1)[seen], 1)
    assert not data.edges.any(1).all()
    assert not rate.transpose(0, 2, 1)[~data.edges.any(1)].any()
    assert np.array_equal(sine, data.x[..., 1])
    assert np.allclose(frequency * 4.5 + 5.5, data.x[..., 3])


def test_training_and_fresh_tasks_differ_and_noise_is_added():
    plain, noisy = (Row("a", "springs", "", tasks=20, noise=noise).data(0) for noise in (0.0, 0.01))
    assert not np.array_equal(plain[0].x[:20], plain[1].x[:20])
    assert (noisy[0].x - plain[0].x).std() == pytest.approx(0.01, rel=0.05)
    assert Row("a", "springs", "", tasks=3, new_entities=7).data(0)[1].shape[2] == 7


def test_every_row_is_known_by_its_own_name():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert [row.name for row in chosen(["springs5", "charged5"], ROWS)] == ["springs5", "charged5"]
    assert len({row.name for row in networks.ROWS}) == len(networks.ROWS)
    for row in networks.ROWS:
        assert not (row.directed and row.settings.get("symmetric", False))
        assert row.settings["shared_graph"]
        assert f"{row.entities}" in row.name


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
        (
            "benchmark guess",
            "benchmark 'guess' is not known; choose accuracy, forecast, moves, networks, published, series, speed",
        ),
        ("benchmark accuracy --rows charged6", "row 'charged6' is not known"),
        ("benchmark networks --rows mm50", "row 'mm50' is not known; choose from michaelis-menten-er50, "),
        ("benchmark speed --baselines", "option baselines: the table speed has nothing without training; drop it"),
        ("benchmark series --rows NetSim", "row 'NetSim' needs recordings with true edges; name their file with"),
        ("benchmark accuracy --seeds x", "option seeds: 'x'"),
        ("benchmark accuracy --minutes 0", "option minutes: 0"),
    ],
)
def test_what_cannot_be_measured(command, tmp_path, monkeypatch, line, says):
    monkeypatch.chdir(tmp_path)
    outcome = command(*line.split())
    assert outcome.status == 2
    assert says in outcome.err
    assert list(tmp_path.iterdir()) == []  # no empty folder is left behind
