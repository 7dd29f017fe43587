"""The numbers of `evaluate` equal numbers that are computed here from the model and the tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.forecasts import predict
from bouncegrad.results.baselines import SCORES
from bouncegrad.results.metrics import auroc


@pytest.fixture(scope="module")
def tasks() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=40, seed=0)


@pytest.fixture(scope="module")
def model(tasks):
    return RelationalInference(epochs=5, threads=1).fit(tasks.frames(0, 20)).model_


@pytest.fixture(scope="module")
def new() -> Trajectories:
    return simulate("springs", 9, entities=3, frames=40, seed=1)


def published(scaling: Scaling) -> np.ndarray:
    """Returns the factors that map the range of positions, and that of velocities, to a width of 2."""
    (x, y, vx, vy), (x2, y2, vx2, vy2) = scaling.low, scaling.high
    place, speed = 2 / (max(x2, y2) - min(x, y)), 2 / (max(vx2, vy2) - min(vx, vy))
    return np.array([place, place, speed, speed])


def test_forecast_errors(model, new):
    """Users reported forecasts that read the true frame before each one; here they read only the 20 context frames."""
    numbers = evaluate(model, new).numbers
    assert (numbers["context_frames"], numbers["forecast_context_frames"]) == (20, 20)
    future = predict(model, new, 20, context=20)
    factors = published(model.scaling)
    for horizon in (1, 10, 20):
        frame = 20 + horizon - 1
        error = np.square((future[:, horizon - 1] - new.x[:, frame]) * factors).mean()
        assert numbers[f"mse_{horizon}"] == pytest.approx(error)
        still = np.square((new.x[:, 19] - new.x[:, frame]) * factors).mean()
        assert numbers["baselines"]["static"][f"mse_{horizon}"] == pytest.approx(still)


def test_edge_accuracies_are_computed_right(model, new):
    numbers = evaluate(model, new).numbers
    found, pairs = model.infer(new, 20).edges, ~np.eye(3, dtype=bool)
    right = (found == new.edges)[:, pairs].mean()
    assert numbers["edge_accuracy"] == pytest.approx(max(right, 1 - right))
    assert numbers["relabelling"] == ([0, 1] if right >= 0.5 else [1, 0])
    assert numbers["tasks"] == 9
    assert set(numbers["baselines"]) == {"static", "constant_velocity", *SCORES}
    truth = (new.edges + new.edges.swapaxes(1, 2) > 0).astype(int)
    assert (truth == new.edges).all()  # springs act in both directions
    either = model.infer(new, 20).probability[..., 1]
    found = auroc(truth, either + either.swapaxes(1, 2))
    assert numbers["auroc_undirected"] == pytest.approx(found if right >= 0.5 else 1 - found)


def test_relabelling_the_truth_changes_no_accuracy(model, new):
    numbers = evaluate(model, new).numbers
    relabelled = evaluate(model, replace(new, edges=(1 - new.edges) * ~np.eye(3, dtype=bool))).numbers
    for name in ("edge_accuracy", "edge_accuracy_symmetric", "auroc", "calibration_error"):
        assert relabelled[name] == pytest.approx(numbers[name])
    assert relabelled["relabelling"] == numbers["relabelling"][::-1]


def test_if_the_context_has_all_frames_the_last_ones_are_held_out(model, new):
    """If the context has all frames, structures for a forecast are inferred without the frames to forecast."""
    part = new.frames(0, 30)
    numbers = evaluate(model, part, context=30).numbers
    assert (numbers["context_frames"], numbers["forecast_context_frames"]) == (30, 10)
    future = predict(model, part.frames(0, 10), 20)
    error = np.square((future[:, 9] - part.x[:, 19]) * published(model.scaling)).mean()
    assert numbers["mse_10"] == pytest.approx(error)


@pytest.mark.parametrize(("frames", "known"), [(2, []), (3, [1]), (12, [1, 10]), (22, [1, 10, 20])])
def test_short_recordings_have_fewer_forecast_errors(model, new, frames, known):
    numbers = evaluate(model, new.frames(0, frames)).numbers
    assert [horizon for horizon in (1, 10, 20) if numbers[f"mse_{horizon}"] is not None] == known


def test_unobserved_future_frames_are_left_out(model, new):
    """The value of an unobserved cell is not used as the truth."""
    mask = np.ones(new.x.shape[:3], dtype=bool)
    mask[3, 29] = mask[5, 20, 1] = False
    x = new.x.copy()
    x[~mask] = 1e6
    numbers, whole = evaluate(model, replace(new, x=x, mask=mask), 20).numbers, evaluate(model, new, 20).numbers
    assert numbers["mse_20"] == whole["mse_20"]
    future = (predict(model, new, 20, context=20) - new.x[:, 20:]) * published(model.scaling)
    for horizon in (1, 10):
        seen = mask[:, 19 + horizon]
        assert numbers[f"mse_{horizon}"] == pytest.approx(np.square(future[:, horizon - 1][seen]).mean())


def test_infinite_values_in_forecast_frames_are_refused(model, new):
    x = new.x.copy()
    x[2, 25, 1, 0] = np.inf
    with pytest.raises(InputError, match="inf at task 2, frame 25, entity 1, feature x"):
        evaluate(model, replace(new, x=x), 20)
    assert evaluate(model, replace(new, x=x), 4, protocol="kipf").numbers["mse_20"] > 0


def test_the_one_step_column_starts_from_the_true_frame_before(model, new):
    """Users reported forecasts that read the true frame before each one; only the one-step column may do so."""
    numbers = evaluate(model, new).numbers
    assert numbers["one_step_mse_1"] == numbers["mse_1"]
    past = model.infer(new, 20)
    after = predict(model, new, 1, 29, past)[:, 0]
    error = np.square((after - new.x[:, 29]) * published(model.scaling)).mean()
    assert numbers["one_step_mse_10"] == pytest.approx(error)
    assert numbers["one_step_mse_50"] is None


def test_the_protocol_of_nri(model, new):
    """Structures come from the first C frames; 20 frames are forecast from frame C, which is given."""
    part = new.frames(0, 39)
    numbers = evaluate(model, part, context=18, protocol="kipf").numbers
    future = predict(model, part, 20, 19, model.infer(part, 18))
    for horizon in (1, 5, 10, 20):
        error = np.square((future[:, horizon - 1] - part.x[:, 18 + horizon]) * published(model.scaling)).mean()
        assert numbers[f"mse_{horizon}"] == pytest.approx(error)
    with pytest.raises(InputError, match="kipf needs 39 frames, the data has 38"):
        evaluate(model, new.frames(0, 38), context=18, protocol="kipf")


def test_the_protocol_of_modular_meta_learning(model, new):
    """Structures come from the context; 10 frames are forecast from every 10th frame of it."""
    part = new.frames(0, 31)
    numbers = evaluate(model, new, 31, protocol="alet").numbers
    assert (numbers["context_frames"], numbers["mse_20"]) == (31, None)
    result = model.infer(part)
    later = [predict(model, part, 10, start + 1, result)[:, 9] - part.x[:, start + 10] for start in (10, 20)]
    first = predict(model, replace(part, x=np.repeat(part.x[:, :1], 2, 1)), 10, 2, result)[:, 9] - part.x[:, 10]
    assert numbers["mse_10"] == pytest.approx(np.square([first, *later] * published(model.scaling)).mean())
    still = np.concatenate([part.x[:, start] - part.x[:, start + 10] for start in (0, 10, 20)])
    assert numbers["baselines"]["static"]["mse_10"] == pytest.approx(np.square(still * published(model.scaling)).mean())


def test_a_context_that_is_too_short_for_the_protocol_is_refused(model, new):
    with pytest.raises(InputError, match="alet needs a context of 11 frames, not 10"):
        evaluate(model, new, 10, protocol="alet")


def test_an_unknown_protocol_is_refused(model, new):
    with pytest.raises(InputError, match="option protocol: 'nri' is not known; choose free, kipf, alet"):
        evaluate(model, new, protocol="nri")
