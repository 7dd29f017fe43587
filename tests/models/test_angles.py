"""Models with angles: whole turns that are added to single values change no result, from training to forecasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import forecast_error

SHORT = {"epochs": 4, "threads": 1, "edge_hidden": (16,), "node_hidden": (16,)}
TURN = 2 * np.pi


def oscillators(tasks: int, entities: int = 4, frames: int = 30, seed: int = 0) -> Trajectories:
    """Kuramoto's phases in steps of 0.1, `phase' = frequency + 2 Σ sin(phase_s - phase_t)`, and the frequencies."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(2, size=(tasks, entities, entities)) * (1 - np.eye(entities, dtype=int))
    phase = rng.uniform(-np.pi, np.pi, size=(tasks, entities))
    frequency = rng.uniform(1, 4, size=(tasks, entities))
    x = np.empty((tasks, frames, entities, 2))
    for frame in range(frames):
        x[:, frame] = np.stack([phase, frequency], -1)
        for _ in range(20):
            pull = 2 * (edges * np.sin(phase[:, :, None] - phase[:, None])).sum(1)
            phase = phase + 0.005 * (frequency + pull)
    angle = wrapped(x, np.array([TURN, 0.0]))
    return Trajectories(angle, edges=edges, dt=0.1, features=("phase", "frequency"), angles=("phase",))


def turned(data: Trajectories, seed: int = 1) -> Trajectories:
    """Adds a random number of whole turns to every value."""
    turns = np.random.default_rng(seed).integers(-3, 4, size=data.shape[:3])
    return replace(data, x=data.x + turns[..., None] * data.periods)


@pytest.fixture(scope="module")
def few() -> Trajectories:
    data = oscillators(8)
    mask = np.ones(data.x.shape[:3], bool)
    mask[0, 7:9, 1] = mask[1, 20:, 2] = mask[2, :3, 0] = False
    return replace(data, mask=mask)


@pytest.fixture(scope="module")
def trained(few):
    return RelationalInference(**SHORT, forecast=0.3, horizon=3).fit(few)


def test_whole_turns_change_no_result(few, trained):
    other = RelationalInference(**SHORT, forecast=0.3, horizon=3).fit(turned(few))
    one, two = trained.infer(few), other.infer(turned(few, seed=2))
    np.testing.assert_allclose(one.probability, two.probability, atol=1e-4)
    one, two = trained.infer(few), trained.infer(turned(few))
    np.testing.assert_allclose(one.probability, two.probability, atol=1e-6)
    here, there = trained.forecast(few, 5, 15), trained.forecast(turned(few), 5, 15)
    for field in ("x", "low", "high"):
        apart = getattr(here, field) - getattr(there, field)
        np.testing.assert_allclose(np.nan_to_num(wrapped(apart, few.periods)), 0, atol=1e-4)
    a, b = (evaluate(trained.model_, data, 10).numbers for data in (few, turned(few)))
    for name in ("mse_1", "mse_10", "one_step_mse_10", "loss", "edge_accuracy"):
        assert a[name] == pytest.approx(b[name], rel=1e-3), name
    for name, row in a["baselines"].items():
        known = {key: value for key, value in row.items() if value is not None}
        assert known == pytest.approx({key: b["baselines"][name][key] for key in known}, rel=1e-6), name
    apart = trained.without(few, 1, 4, 15).distance - trained.without(turned(few), 1, 4, 15).distance
    np.testing.assert_allclose(np.nan_to_num(apart), 0, atol=1e-4)


def test_unobserved_angles_are_not_read(few, trained):
    hidden = replace(few, x=np.where(few.mask[..., None], few.x, 1e9))
    np.testing.assert_array_equal(trained.infer(hidden).probability, trained.infer(few).probability)
    np.testing.assert_array_equal(trained.predict(hidden, 3), trained.predict(few, 3))


def test_forecasts_have_the_unit_and_the_range_of_training(few):
    degrees = replace(few, x=np.degrees(few.x) % 360, angles=("phase:deg",), units=("deg", ""))
    model = RelationalInference(**SHORT).fit(degrees)
    future = model.forecast(degrees, 25, 18)
    there = ~np.isnan(future.x[..., 0])
    assert (future.x[..., 0][there] >= 0).all()
    assert (future.x[..., 0][there] < 360).all()
    assert np.ptp(future.x[..., 0][there]) > 180
    assert (future.low[..., 0][there] <= future.x[..., 0][there]).all()
    assert (future.x[..., 0][there] <= future.high[..., 0][there]).all()


def test_errors_of_angles_are_at_most_half_a_turn():
    truth, path = np.full((1, 1, 1, 2), 179.0), np.full((1, 1, 1, 2), -179.0)
    found = forecast_error(truth, path, np.ones(2), periods=np.array([360.0, 0.0]))
    assert found.tolist() == [(2.0**2 + 358.0**2) / 2]


def test_files_runs_and_the_command_line_keep_angles(few, trained, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(few, "own.npz")
    assert load("own.npz").angles == ("phase",)
    save(few, "table.csv")
    assert load("table.csv", angles=["phase"]).angles == ("phase",)
    converted = command("convert", "own.npz", "again.csv")
    assert "not kept: angles phase" in converted.out
    options = ["--epochs", 4, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    assert command("train", "--data", "table.csv", "--angles", "[phase]", "--out", "run", *options).status == 0
    model = Model.load("run")
    assert model.angles == ("phase",)
    one = model.infer(load("table.csv"))  # as in training
    np.testing.assert_array_equal(one.probability, model.infer(few).probability)
    assert command("predict", "run", "table.csv", "--steps", 3, "--out", "future").status == 0
    with pytest.raises(InputError, match="angles phase:deg differ from those of training, phase"):
        model.infer(load("table.csv", angles=["phase:deg"]))
    plain = RelationalInference(**SHORT).fit(replace(few, angles=()))
    with pytest.raises(InputError, match="angles phase differ from those of training, none"):
        plain.infer(few)


@pytest.mark.parametrize("settings", [{"mirror": True}, {"search": "paper", "proposal": "learned"}])
def test_settings_without_support_for_angles_are_refused(few, settings):
    with pytest.raises(InputError, match="it does not work with angles"):
        RelationalInference(**SHORT, **settings).fit(replace(few, mask=None))


def test_forecasts_continue_where_an_angle_wraps():
    """If phases are treated as plain numbers, forecasts are wrong where they wrap."""
    data, new = oscillators(24), oscillators(16, frames=40, seed=9)
    error = {}
    for angles in (("phase",), ()):
        model = RelationalInference(epochs=60, threads=1).fit(replace(data, angles=angles))
        future = model.predict(replace(new, angles=angles), 10, 30)
        error[angles] = np.abs(wrapped(future - new.x[:, 30:], new.periods)[..., 0]).mean()
    assert error["phase",] < error[()] / 3, error


@pytest.mark.slow
def test_oscillators_are_learned_from_angles():
    data, new = oscillators(200, frames=40), oscillators(64, frames=60, seed=9)
    model = RelationalInference(epochs=300, threads=1).fit(data)
    found = evaluate(model.model_, new, 40).numbers
    assert found["edge_accuracy"] > 0.99
    assert found["mse_10"] < 1e-3
