"""Coverage, CRPS and energy of forecasts, as `evaluate` prints them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.app.tables import evaluation_tables
from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.energy import energy
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.forecast_scores import forecast_scores
from bouncegrad.models.forecasts import forecast
from bouncegrad.models.laws import true_law
from bouncegrad.models.protocols import MODEL, plan

PLACES = ([0, 1], [2, 3])


@pytest.fixture(scope="module")
def model():
    tasks = simulate("springs", 40, entities=3, frames=20, seed=0)
    return RelationalInference(epochs=30, threads=1, forecast=0.3, edge_hidden=(8,), node_hidden=(8,)).fit(tasks).model_


@pytest.fixture(scope="module")
def new():
    return simulate("springs", 9, entities=3, frames=30, seed=1)


def test_the_share_inside_is_that_of_the_forecast_that_users_get(model, new):
    result = model.infer(new, 10)
    scores = forecast_scores(model, new, plan("free", 30, 10, 0), result)
    found = forecast(model, new, 20, 10, result)
    truth = new.x[:, 10:]
    inside = ((found.low <= truth) & (truth <= found.high)).mean((0, 2, 3))
    np.testing.assert_allclose(scores[MODEL].inside, inside, atol=0.01)
    assert set(scores) == {MODEL, "random walk", "linear autoregression"}
    assert all((of.crps > 0).all() for of in scores.values())


def test_the_score_of_samples_is_in_published_units(model, new):
    """One frame ahead it is smaller than the absolute error of the point forecast, as for any good distribution."""
    result = model.infer(new, 10)
    one = forecast_scores(model, new, plan("free", 30, 10, 0), result)[MODEL].crps
    point = forecast(model, new, 20, 10, result).x
    error = (np.abs(point - new.x[:, 10:]) * model.scaling.published()).mean((0, 2, 3))
    assert 0.2 * error[0] < one[0] < 1.2 * error[0]


def test_evaluate_prints_scores_and_the_energy_of_systems_that_have_one(model, new):
    numbers = evaluate(model, new, 10).numbers
    assert set(numbers["intervals"]) == {MODEL, "random walk", "linear autoregression"}
    assert numbers["energy_drift"]["recording"]["10"] < 0.05
    for words in ("inside 90 % at 10", "CRPS at 20", "energy drift at 10", "linear autoregression"):
        assert words in evaluation_tables(numbers)
    unknown = evaluate(model, replace(new, source="tracks.csv"), 10).numbers
    assert unknown["energy_drift"] is None
    named = evaluate(model, replace(new, source="tracks.csv"), 10, system="springs").numbers
    assert named["energy_drift"] == numbers["energy_drift"]
    with pytest.raises(InputError, match="option system: 'kuramoto' has no known energy; choose one of springs"):
        evaluate(model, new, 10, system="kuramoto")
    assert "energy" not in evaluation_tables(unknown)
    assert evaluate(model, new, 20, protocol="alet").numbers["intervals"] == {}


@pytest.mark.parametrize(("system", "most"), [("springs", 2e-3), ("charged", 0.5)])
def test_recordings_of_simulations_keep_their_energy(system, most):
    """The published generator limits the force between charges, so that close encounters change their energy."""
    tasks = simulate(system, 20, entities=4, frames=50, seed=3)
    values = energy(tasks.x, tasks.edges, true_law(tasks.source), PLACES)
    drift = np.median(np.abs(values[:, -1] - values[:, 0]))
    assert drift < most * np.square(tasks.x[:, 0, :, 2:]).sum((1, 2)).mean() / 2


def test_the_energy_of_two_bodies_on_a_spring():
    x = np.array([[[[0.0, 0.0, 1.0, 0.0], [3.0, 4.0, 0.0, 2.0]]]])
    edges = np.array([[[0, 1], [1, 0]]])
    moving = energy(x, edges, true_law("simulate springs"), PLACES)
    still = energy(x * np.array([1, 1, 0, 0]), edges, true_law("simulate springs"), PLACES)
    near = energy(x * np.array([0.2, 0.2, 0, 0]), edges, true_law("simulate springs"), PLACES)
    assert (moving - still).item() == pytest.approx(2.5)
    assert (still - near).item() == pytest.approx(0.05 * (25 - 1), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("system", "steps"), [("springs", 500), ("charged", 200)])
def test_long_forecasts_stay_in_the_box(system, steps):
    """The box has walls at -5 and 5; a tenth of a width is room for the softness of learned walls."""
    tasks = simulate(system, 400, frames=99, seed=0)
    fitted = RelationalInference(epochs=150, threads=1, forecast=0.3).fit(tasks)
    new = simulate(system, 100, frames=49, seed=1)
    assert np.abs(fitted.predict(new, steps)[..., :2]).max() < 6.0
