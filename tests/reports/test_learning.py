"""Users' reports about learned results, each on three seeds: `make test-slow`."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from bouncegrad.data.formats import load
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.results.hidden import hide
from bouncegrad.results.metrics import edge_accuracy, relabelling

from ..measuring import calls
from .conftest import fixture_path

pytestmark = pytest.mark.slow
OFF = ~np.eye(4, dtype=bool)


@pytest.fixture(scope="module")
def models(springs4: Trajectories) -> list[RelationalInference]:
    """Trained on 72 of the 96 springs with type 0 pinned, half a minute each."""
    settings = {"pinned": True, "epochs": 750, "threads": 1}
    return [RelationalInference(seed=seed, **settings).fit(springs4.select(range(72))) for seed in range(3)]


def accuracy(model: RelationalInference, data: Trajectories) -> float:
    assert data.edges is not None
    edges = model.infer(data).edges
    right = edge_accuracy(data.edges, edges, relabelling(data.edges, edges, 2, pinned=True))
    assert right is not None
    return right


def test_where_nobody_interacts_edges_are_of_the_pinned_type(models):
    """Users reported that no inferred edge ever had the type that means no interaction."""
    free = load(fixture_path("free4.npz"))
    assert median((model.infer(free).edges[:, OFF] == 0).mean() for model in models) >= 0.90


def test_a_link_that_ends_is_in_the_first_window_alone(models):
    """Users asked for a graph that changes over time."""
    with np.load(fixture_path("switch3.npz")) as file:
        data = Trajectories(file["state"], edges=file["edges_first"], source="switch3")
    for model in models:
        edges = model.infer(data, window=50).edges.reshape(24, 2, 3, 3)
        assert (edges[:, 0, [0, 1], [1, 0]] == 1).mean() >= 0.90
        assert (edges[:, 1, [0, 1], [1, 0]] == 0).mean() >= 0.90
        assert (edges[:, :, [0, 1, 2, 2], [2, 2, 0, 1]] == 0).mean() >= 0.90


def test_a_batch_gives_the_answers_of_single_tasks_with_fewer_calls(models, springs4):
    """Users asked for parallel inference."""

    def edges(tasks_at_once: int) -> np.ndarray:
        parts = [springs4.select(range(i, i + tasks_at_once)) for i in range(0, 64, tasks_at_once)]
        return np.concatenate([models[0].infer(part).edges for part in parts])

    assert np.array_equal(edges(64), edges(1))
    assert 10 * calls(lambda: edges(64)) < calls(lambda: edges(1))  # one call works on many tasks


def test_a_hidden_entity_is_found_where_it_interacts(models, springs4):
    """Users asked for entities that were not observed."""
    new = springs4.select(range(72, 92))
    assert new.edges is not None
    visible, _ = hide(new, new.entities[3])
    acts = new.edges[:, 3, :3].any(1)
    nearer, undetermined = [], []
    for model in models:
        found = model.unseen(visible)
        places = [new.features.index(name) for name in "xy"]
        there, centre = new.x[:, :, 3][..., places], visible.x[..., places].mean(2)
        error = np.linalg.norm(found.tracks[:, :, 0][..., places] - there, axis=-1).mean(1)
        of_centre = np.linalg.norm(centre - there, axis=-1).mean(1)
        nearer.append(error[acts].mean() / of_centre[acts].mean())
        undetermined.append(1 - found.determined[~acts].mean() if (~acts).any() else 1.0)
    assert median(nearer) < 1
    assert median(undetermined) >= 0.9


def test_springs_between_four_are_recognised_between_five(models, springs4):
    """Users asked to train on tasks of one size and to use the model for tasks of another size."""
    five = load(fixture_path("springs5.npz"))
    assert median(accuracy(model, five) for model in models) >= 0.75
    assert median(accuracy(model, springs4.select(range(72, 96))) for model in models) >= 0.95
