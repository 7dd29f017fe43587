"""One linear law for all edges: strengths of hand-made systems, and edge types from strengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.linear_scores import cubic_ridge
from bouncegrad.results.metrics import auroc, off_diagonal
from bouncegrad.results.one_law import one_law, own_errors
from bouncegrad.results.types_of_strengths import types_of_strengths


def coupled(
    tasks: int, frames: int, entities: int, seed: int, *, shared: bool, noise: float = 0.0, pull: float = 0.05
) -> Trajectories:
    """Entities with two features; along an edge, the first feature of the source drives the second of the target."""
    rng = np.random.default_rng(seed)
    graphs = rng.random((tasks, entities, entities)) < 0.3
    graphs = (graphs[:1].repeat(tasks, 0) if shared else graphs) & off_diagonal(entities)
    x = rng.normal(size=(tasks, frames, entities, 2))
    for frame in range(1, frames):
        before = x[:, frame - 1]
        arriving = np.einsum("ms,mst->mt", before[..., 0], graphs) - before[..., 0] * graphs.sum(1)
        x[:, frame, :, 0] = before[..., 0] + 0.1 * before[..., 1]
        x[:, frame, :, 1] = 0.8 * before[..., 1] - 0.2 * before[..., 0] - 0.01 * before[..., 0] ** 3 + pull * arriving
        x[:, frame] += noise * rng.normal(size=(tasks, entities, 2))
    return Trajectories(x, edges=graphs.astype(int))


def test_the_strengths_of_an_exact_law_are_exact() -> None:
    """All edges have one strength, and all other pairs 0, up to the scale that strengths share with the law."""
    data = coupled(8, 12, 9, 0, shared=True)
    strength = one_law(data, np.zeros(8, int))[0]
    edges = data.edges[0] > 0
    scale = strength[edges].mean()
    np.testing.assert_allclose(strength, scale * edges, atol=0.02 * scale)


def test_one_law_needs_fewer_frames_than_a_law_for_each_edge() -> None:
    data = coupled(4, 16, 15, 1, shared=True, noise=0.05)
    joined = replace(data, edges=data.edges[:1], x=data.x.reshape(1, 64, 15, 2), tasks=())
    alone = auroc(joined.edges, cubic_ridge(joined))
    assert alone < 0.8 < auroc(joined.edges, one_law(data, np.zeros(4, int)))


def test_every_recording_may_have_its_own_graph() -> None:
    data = coupled(6, 100, 5, 2, shared=False, noise=0.1, pull=0.3)
    assert auroc(data.edges, one_law(data)) > 0.99


def test_the_state_of_a_target_may_change_what_its_sources_do() -> None:
    """Oscillators: along an edge, the rate of the target grows by sin(phase of source - phase of target)."""
    rng = np.random.default_rng(6)
    graph = (rng.random((10, 10)) < 0.3) & off_diagonal(10)
    own, phase = rng.uniform(1, 3, (12, 10)), rng.uniform(0, 2 * np.pi, (12, 10))
    x = np.empty((12, 60, 10, 3))
    for frame in range(60):
        pull = np.sin(phase[:, :, None] - phase[:, None, :])
        rate = own + 0.3 * (graph * pull).sum(1)
        x[:, frame] = np.stack([rate, np.sin(phase), np.cos(phase)], -1)
        phase = phase + 0.1 * rate
    data = Trajectories(x, edges=np.broadcast_to(graph.astype(int), (12, 10, 10)))
    assert auroc(data.edges[:1], one_law(data, np.zeros(12, int))) > 0.99


def test_frames_that_were_not_observed_are_not_read() -> None:
    data = coupled(5, 20, 6, 3, shared=True, noise=0.1)
    mask = np.ones(data.shape[:3], bool)
    mask[0, 7, 2] = mask[3, 0] = False
    hidden = replace(data, mask=mask)
    spoiled = replace(data, mask=mask, x=np.where(mask[..., None], data.x, 1e6))
    np.testing.assert_array_equal(one_law(hidden, np.zeros(5, int)), one_law(spoiled, np.zeros(5, int)))


def test_graphs_without_a_complete_frame_have_no_edges_and_do_not_spoil_others() -> None:
    """In each frame of the second recording another entity is missing, as trackers lose them."""
    data = coupled(2, 100, 5, 2, shared=False, noise=0.1, pull=0.2)
    mask = np.ones(data.shape[:3], bool)
    mask[1, np.arange(100), np.arange(100) % 5] = False
    found = one_law(replace(data, mask=mask))
    assert auroc(data.edges[:1], found[:1]) > 0.99
    np.testing.assert_array_equal(found[1], np.zeros((5, 5)))
    lost = replace(data.select([1]), mask=mask[1:])
    np.testing.assert_array_equal(one_law(lost), np.zeros((1, 5, 5)))
    np.testing.assert_array_equal(own_errors(lost), np.zeros(2))


def test_a_constant_feature_and_recordings_that_stand_still_give_no_edges() -> None:
    data = coupled(8, 20, 5, 4, shared=True)
    with_constant = Trajectories(np.concatenate([data.x, np.ones((8, 20, 5, 1))], -1), edges=data.edges)
    assert auroc(data.edges[:1], one_law(with_constant, np.zeros(8, int))) > 0.99
    still = one_law(Trajectories(np.ones((2, 5, 3, 1))))
    np.testing.assert_array_equal(still, np.zeros((2, 3, 3)))


def test_own_errors_are_those_of_own_states() -> None:
    """Nothing acts on anything: noise of 0.3 is all that is left; the change of a constant feature is 0."""
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(20, 50, 4, 1)), 1)
    np.testing.assert_allclose(own_errors(Trajectories(x)), [1.0], atol=0.02)
    assert own_errors(Trajectories(np.concatenate([x, np.zeros_like(x)], -1)))[1] < 1e-4


@pytest.mark.parametrize("types", [2, 3])
def test_types_are_the_clusters_of_strengths(types: int) -> None:
    rng = np.random.default_rng(types)
    true = rng.integers(types, size=(2, 12, 12))
    strength = np.array([0.0, 1.0, -1.0])[true] + 0.05 * rng.normal(size=true.shape)
    found = types_of_strengths(strength, types)
    np.testing.assert_allclose(found.sum(-1), 1)
    pairs = off_diagonal(12)
    for k in range(types):
        of_type = found.argmax(-1)[:, pairs] == k
        values = strength[:, pairs][of_type]
        assert values.std() < 0.1
        assert of_type.sum() == (true[:, pairs] == (0.0, 1.0, -1.0).index(round(values.mean()))).sum()
    assert abs(strength[:, pairs][found.argmax(-1)[:, pairs] == 0].mean()) < 0.05


def test_few_edges_are_a_cluster_of_their_own() -> None:
    strength = np.zeros((1, 20, 20)) + 0.02 * np.random.default_rng(0).normal(size=(1, 20, 20))
    strength[0, 0, 1:9] += 0.3
    found = types_of_strengths(strength, 2)[0, ..., 1] > 0.5
    assert found[0, 1:9].all()
    assert found[off_diagonal(20)].sum() == 8


def test_equal_strengths_tell_nothing() -> None:
    np.testing.assert_array_equal(types_of_strengths(np.zeros((1, 3, 3)), 2), np.full((1, 3, 3, 2), 0.5))
