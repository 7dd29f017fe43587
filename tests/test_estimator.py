"""`RelationalInference`: what it accepts, refuses, learns and returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad import InputError, RelationalInference, Trajectories
from bouncegrad.data.simulate import simulate
from bouncegrad.models.forecasts import predict
from bouncegrad.models.model import Model

SHORT = {"epochs": 3, "threads": 1}


@pytest.fixture(scope="module")
def tasks() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=20, seed=0)


@pytest.fixture(scope="module")
def model(tasks) -> RelationalInference:
    return RelationalInference(**SHORT).fit(tasks)


def refused(call, *says: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    for part in says:
        assert part in str(caught.value)


def test_what_is_learned(tasks, model):
    assert isinstance(model.model_, Model)
    assert model.structures_.shape == (12, 3, 3)
    assert set(np.unique(model.structures_)) <= {0, 1}
    assert not np.einsum("mii->mi", model.structures_).any()
    row = model.history_[-1]
    assert row["epoch"] == 3
    assert row.keys() >= {"loss", "edge_accuracy", "temperature", "acceptance", "shares", "seconds", "progress"}
    right = (model.structures_ == tasks.edges)[:, ~np.eye(3, dtype=bool)].mean()
    assert row["edge_accuracy"] == pytest.approx(max(right, 1 - right))


def test_fit_returns_itself(tasks):
    model = RelationalInference(**SHORT)
    assert model.fit(tasks) is model


def test_results_carry_the_names_of_the_data(tasks, model):
    named = replace(tasks, entities=("ann", "bob", "cat"), tasks=tuple(f"day {i}" for i in range(12)))
    result = model.infer(named, context=9)
    assert (result.entities, result.tasks[3], result.context) == (("ann", "bob", "cat"), "day 3", 9)
    assert result.probability.shape == (12, 3, 3, 2)


@pytest.mark.parametrize("entities", [2, 5])
def test_other_numbers_of_entities(model, entities):
    """Users asked to train on tasks of one size and to use the model for tasks of another size."""
    other = simulate("springs", 2, entities=entities, frames=6, seed=1)
    assert model.infer(other).edges.shape == (2, entities, entities)
    assert model.predict(other, steps=3).shape == (2, 3, entities, 4)


def test_edge_types(tasks):
    model = RelationalInference(edge_types=5, **SHORT).fit(tasks)
    assert model.infer(tasks).probability.shape == (12, 3, 3, 5)


def test_arrays_take_the_feature_names_of_training(tasks):
    named = replace(tasks, features=("a", "b", "c", "d"))
    model = RelationalInference(**SHORT).fit(named)
    assert np.array_equal(model.infer(tasks.x).probability, model.infer(named).probability)
    assert np.array_equal(model.infer(list(tasks.x)).probability, model.infer(named).probability)


def test_forecasts_start_where_the_context_ends(tasks, model):
    step = np.abs(np.diff(tasks.x, axis=1)).max((0, 1, 2))
    future = model.predict(tasks, steps=2, context=11)
    assert future.dtype == np.float64
    assert (np.abs(future[:, 0] - tasks.x[:, 10]) < 5 * step).all()
    assert np.array_equal(future, model.predict(tasks.frames(0, 11), steps=2))
    assert np.array_equal(future[:, :1], model.predict(tasks, steps=1, context=11))


def test_forecasts_are_in_the_units_of_the_data(tasks, model):
    """Small motions far from zero keep their precision."""
    far = replace(tasks, x=tasks.x + 1e6)
    other = RelationalInference(**SHORT).fit(far)
    assert other.predict(far, steps=5) - 1e6 == pytest.approx(model.predict(tasks, steps=5), abs=1e-3)


def test_forecasts_have_intervals(tasks, model):
    forecast = model.forecast(tasks, 4, 15)
    np.testing.assert_array_equal(forecast.x, model.predict(tasks, 4, 15))
    assert ((forecast.low < forecast.x) & (forecast.x < forecast.high)).all()


def test_an_entity_is_left_out_by_name_or_number(tasks, model):
    named, numbered = model.without(tasks, tasks.entities[1], 4), model.without(tasks, 1, 4)
    np.testing.assert_array_equal(named.without_entity, numbered.without_entity)
    assert named.entities == (tasks.entities[0], tasks.entities[2])
    refused(lambda: model.without(tasks, 3, 4), "entity 3: give a name, or a number from 0 to 2")


def test_a_forecast_with_the_edges_given(tasks, model):
    """Edges that were inferred before are not inferred again, and the forecast depends on them."""
    result = model.infer(tasks)
    assert np.array_equal(predict(model.model_, tasks, 3, result=result), model.predict(tasks, steps=3))
    turned = model.infer(tasks)
    object.__setattr__(turned, "edges", (1 - turned.edges) * ~np.eye(3, dtype=bool))
    assert not np.array_equal(predict(model.model_, tasks, 3, result=turned), model.predict(tasks, steps=3))


@pytest.mark.parametrize("name", ["infer", "predict"])
def test_unfitted(tasks, name):
    model = RelationalInference()
    line = {"steps": 3} if name == "predict" else {}
    refused(lambda: getattr(model, name)(tasks, **line), "RelationalInference: is not fitted yet", "call fit(")
    refused(lambda: getattr(model, name)(tasks.x, **line), "is not fitted yet")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"edge_typs": 3}, ["unknown setting 'edge_typs'", "known are activation"]),
        ({"edge_types": 0}, ["setting edge_types: 0 cannot be used", "1 to 64"]),
        ({"edge_types": "x"}, ["setting edge_types: 'x'", "give a whole number"]),
        ({"edge_types": True}, ["setting edge_types: True"]),
        ({"edge_types": 2.0}, ["setting edge_types: 2.0"]),
        ({"seed": -1}, ["setting seed: -1"]),
        ({"seed": None}, ["setting seed: None", "give a whole number"]),
        ({"epochs": 0}, ["setting epochs: 0"]),
        ({"minutes": float("inf")}, ["setting minutes: inf", "give a number"]),
        ({"activation": "tanh"}, ["setting activation: 'tanh'", "give silu or relu"]),
        ({"edge_hidden": 64}, ["setting edge_hidden: 64", "give a list of whole numbers"]),
        ({"edge_hidden": ["x"]}, ["setting edge_hidden: ('x',)"]),
        ({"proposal": "learned"}, ["setting proposal: 'learned'", "only --search paper"]),
    ],
)
def test_wrong_settings(tasks, settings, says):
    """Scikit-learn asks that values are checked in `fit` and not before; a wrong name is refused at once."""
    refused(lambda: RelationalInference(**settings).fit(tasks), "RelationalInference: ", *says)


def test_wrong_names(model):
    refused(lambda: RelationalInference(edge_typs=3), "unknown setting 'edge_typs'")
    refused(lambda: model.set_params(edge_typs=3), "RelationalInference: unknown setting 'edge_typs'")


def test_numbers_of_numpy_are_numbers(tasks):
    model = RelationalInference(
        edge_types=np.int64(3), seed=np.int32(4), epochs=np.int64(1), learning_rate=np.float32(0.5), threads=np.int8(1)
    )
    assert (model.config.edge_types, model.config.seed, model.config.learning_rate) == (3, 4, 0.5)
    assert model.fit(tasks).structures_.max() <= 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda x: x[0], ["array: states need 4 axes", "(20, 3, 4)"]),
        (lambda x: [x[0], x[1, :5]], ["array: recordings differ in shape", "equally long"]),
        (lambda x: [x[0], x[1, :, :2]], ["array: recordings differ in shape"]),
        (lambda x: [], ["array: states need 4 axes"]),
        (lambda x: None, ["array: states"]),
        (lambda x: "tracks.csv", ["array: states"]),
        (lambda x: x.astype(str), ["array: states must be numbers"]),
        (lambda x: x[:, :1], ["array: 1 frame"]),
        (lambda x: x[:, :, :1], ["array: 1 entity"]),
        (lambda x: np.where(np.arange(4) == 2, np.inf, x), ["array: inf at task 0, frame 0, entity 0, feature vx"]),
        (lambda x: x * 1e200, ["array: ", "is too large a number"]),
    ],
)
def test_wrong_data(tasks, data, says):
    model = RelationalInference(**SHORT)
    refused(lambda: model.fit(data(tasks.x)), *says)
    assert not hasattr(model, "model_")


def test_wrong_new_data(tasks, model):
    refused(lambda: model.infer(tasks.x[..., :2]), "features x0, x1 differ from those of training, x, y, vx, vy")
    refused(lambda: model.infer(replace(tasks, features=("y", "x", "vx", "vy"))), "features y, x, vx, vy differ")
    refused(lambda: model.infer(tasks, context=1), "a context of 1 frames, the data has 20; give 2 to 20")
    refused(lambda: model.infer(tasks, context=21), "a context of 21 frames")
    refused(lambda: model.predict(tasks, steps=0), "a forecast of 0 steps; give 1 to 100,000")
    gap = np.ones((12, 20, 3), dtype=bool)
    gap[2, 3, 1] = False
    refused(lambda: model.unseen(replace(tasks, mask=gap)), "entity 1 was not observed in task 2, frame 3")
    gap[4] = False
    refused(
        lambda: RelationalInference(**SHORT).fit(replace(tasks, mask=gap)),
        "in task 4 nobody was observed in 2 frames in a row (1 such task); leave such tasks out",
    )


def test_data_is_left_as_it_was(tasks):
    x = tasks.x.copy()
    model = RelationalInference(**SHORT).fit(x)
    model.infer(x)
    model.predict(x, steps=2)
    assert np.array_equal(x, tasks.x)
    x.setflags(write=False)
    RelationalInference(**SHORT).fit(x).infer(x)


def test_another_time_step_is_refused_where_both_are_known(model, tasks):
    """Learned changes belong to one time step; a recording that does not state its time step has 1."""
    with pytest.raises(InputError, match=r"the time between frames is 0.5, in training it was 0.1; --resample 0.1"):
        model.infer(replace(tasks, dt=0.5))
    np.testing.assert_array_equal(model.infer(replace(tasks, dt=1.0)).edges, model.infer(tasks).edges)
