"""Long forecasts of every preset: finite, and never beyond three times the range of training, whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from bouncegrad.core.compositions.graph_settings import Place
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.models.forecasts import forecast, frames_inside, predict
from bouncegrad.models.model import Model
from bouncegrad.results.result import Result
from bouncegrad.settings.build import CompositionSetup, build_composition, build_forecaster
from bouncegrad.settings.config import PRESETS, Config, preset
from bouncegrad.settings.resolved import resolve

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))
FRAMES, STEPS = 12, 500  # and 100 steps where it is not slow: states are pulled back within a few


def data_of(name: str, tasks: int):
    system = next((system for system in ("springs", "kuramoto") if system in name), "charged")
    return simulate(system, tasks, frames=FRAMES, seed=0)


def untrained(name: str, data, size: float) -> Model:
    """A model of a preset, with weights that are drawn at random."""
    settings = yaml.safe_load(preset(name).read_text())
    config = resolve(Config.from_mapping(settings | {"threads": 1}, name), data.shape)
    scaling, generator = Scaling.fit(data), torch.Generator().manual_seed(0)
    setup = CompositionSetup(Place(data.shape[2]), data.features, scaling, generator, config)
    forecaster = build_forecaster(setup, None)
    with torch.no_grad():
        for weights in forecaster.parameters():
            weights.copy_(size * torch.randn(weights.shape, generator=generator))
    parts = (build_composition(setup), forecaster, scaling, config, data.features, FRAMES, data.dt)
    return Model(*parts).evaluated()


def any_structure(data, types: int) -> Result:
    m, _, n, _ = data.shape
    drawn = np.random.default_rng(0).dirichlet(np.ones(types), (m, n, n)) * (1 - np.eye(n))[..., None]
    drawn[:, range(n), range(n), 0] = 0.0
    return Result.from_probability(drawn, np.zeros(m), FRAMES, tasks=data.tasks, entities=data.entities)


def assert_near(model: Model, path: np.ndarray) -> None:
    low, high = np.array(model.scaling.low), np.array(model.scaling.high)
    assert np.isfinite(path).all()
    assert (np.abs(path - (low + high) / 2) <= 1.5 * (high - low) * (1 + 1e-5)).all()


@pytest.mark.parametrize("name", NAMES)
def test_free_runs_of_any_weights_stay_near_what_training_saw(name):
    data = data_of(name, 1)
    model = untrained(name, data, 3.0)
    assert_near(model, predict(model, data, 100, result=any_structure(data, model.config.edge_types)))


@pytest.mark.parametrize("name", ["demo", "kuramoto5"])
def test_so_do_sampled_futures(name):
    data = data_of(name, 2)
    model = untrained(name, data, 3.0)
    found = forecast(model, data, 50, result=any_structure(data, model.config.edge_types))
    assert_near(model, found.x)
    assert np.isfinite(found.low).all()
    assert np.isfinite(found.high).all()


def test_the_first_frame_outside_of_what_was_seen_is_named():
    model = untrained("demo", data_of("demo", 1), 0.1)
    low, high = np.array(model.scaling.low), np.array(model.scaling.high)
    path = np.broadcast_to((low + high) / 2, (2, 5, 3, 4)).copy()
    for room, beyond, found in ((0.25, 0.24, None), (0.25, 0.26, 3), (0.02, 0.03, None), (0.02, 0.05, 3)):
        model.forecaster.room.fill_(room)
        path[1, 3, 2, 0] = high[0] + beyond * (high[0] - low[0])
        assert frames_inside(model, path) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_free_runs_of_any_weights(name):
    data = data_of(name, 1000)
    for size in (0.1, 3.0):
        model = untrained(name, data, size)
        assert_near(model, predict(model, data, STEPS, result=any_structure(data, model.config.edge_types)))
