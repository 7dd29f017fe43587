"""Settings `lags` and `lagged`: training, inference and forecasts with a history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad import InputError, RelationalInference
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.stages import train
from bouncegrad.models.forecasts import predict
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

SETTINGS = {"epochs": 3, "threads": 1, "lags": 2, "lagged": ("sin_phase",)}


@pytest.fixture(scope="module")
def tasks():
    return simulate("kuramoto", 12, entities=3, frames=15, seed=0)


@pytest.fixture(scope="module")
def model(tasks):
    return RelationalInference(**SETTINGS).fit(tasks)


def test_a_run_is_loaded_with_its_lags(tasks, model, tmp_path):
    train(Config(**SETTINGS), tasks, Run(tmp_path / "run"))
    loaded = Model.load(tmp_path / "run")
    assert loaded.config.lagged == ("sin_phase",)
    np.testing.assert_array_equal(loaded.infer(tasks).probability, model.infer(tasks).probability)
    np.testing.assert_array_equal(predict(loaded, tasks, 4, 8), predict(model.model_, tasks, 4, 8))


def test_forecasts_read_only_the_context(tasks, model):
    other = replace(tasks, x=np.where(np.arange(15)[:, None, None] < 8, tasks.x, np.nan))
    np.testing.assert_array_equal(predict(model.model_, other, 5, 8), predict(model.model_, tasks, 5, 8))
    assert predict(model.model_, tasks, 5, 8).shape == (12, 5, 3, 3)


def test_a_forecast_does_not_jump_at_the_end_of_the_context(tasks, model):
    """A forecast of one step is the last frame plus a change, computed from this frame and its history."""
    moved = np.abs(predict(model.model_, tasks, 1, 8)[:, 0] - tasks.x[:, 7]).max()
    assert moved <= 3 * np.abs(np.diff(tasks.x, axis=1)).max()


@pytest.mark.parametrize("context", [2, 3])
def test_a_context_must_hold_the_history_and_a_step(tasks, model, context):
    with pytest.raises(InputError, match=rf"a context of {context} frames, the data has 15; give 4 to 15"):
        model.infer(tasks, context)
    with pytest.raises(InputError, match="this model needs 4"):
        model.infer(tasks.frames(0, context))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lags": -1}, "setting lags: -1 cannot be used"),
        ({"lags": 14}, "14 lags need 16 frames, the data has 15"),
        ({"lagged": ("rate",)}, "it needs --lags"),
        ({"lags": 1, "lagged": ("speed",)}, "feature 'speed' is not in the data, which has rate, sin_phase, frequency"),
        ({"lags": 1, "lagged": (1,)}, "give a list of names"),
    ],
)
def test_lags_that_cannot_be_used_are_refused(tasks, settings, message):
    with pytest.raises(InputError, match=message):
        RelationalInference(epochs=1, **settings).fit(tasks)
