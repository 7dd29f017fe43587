"""What the search of a shared graph is given before it begins: a regression's edges, and a resolution."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.structures import edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.prepare import prepare
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.settings.config import Config
from bouncegrad.settings.first_graph import first_graph, with_resolution
from bouncegrad.settings.resolved import resolve


def ring(tasks: int = 20, entities: int = 12) -> Trajectories:
    """Each entity drives the next one; in the second group of recordings, the one before."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(tasks, 15, entities, 1))
    edges = np.zeros((tasks, entities, entities), int)
    for task in range(tasks):
        step = 1 if task % 2 else -1
        edges[task, np.arange(entities), (np.arange(entities) + step) % entities] = 1
        for frame in range(1, 15):
            before = x[task, frame - 1, :, 0]
            x[task, frame, :, 0] = 0.5 * before + 0.4 * np.roll(before, step) + 0.05 * rng.normal(size=entities)
    return Trajectories(x, edges=edges, groups=tuple("ab"[task % 2] for task in range(tasks)))


def test_every_group_begins_from_its_own_regression() -> None:
    data = ring()
    config = prepare(Config(shared_graph=True, search="joint-draws", epochs=1), data).config
    pairs = edge_index(12)
    first = first_graph(config, data, pairs)
    assert first is not None
    torch.testing.assert_close(first.exp().sum(-1), torch.ones(2, 132, dtype=torch.float64))
    true = torch.as_tensor(data.edges[:2])[:, *pairs] > 0
    assert torch.equal(first.argmax(-1) > 0, true)
    assert first.exp().min() > 0.009


def test_the_time_of_the_regression_counts_for_the_limit_of_time(monkeypatch) -> None:
    clock = iter([100.0, 112.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    prepared = prepare(Config(shared_graph=True, search="joint-draws", minutes=0.5, forecast=0), ring())
    assert prepared.spent == 12.0
    assert Schedule(prepared.config, 20, spent=prepared.spent).seconds_left == 18.0
    assert Schedule(prepared.config, 20, spent=40.0).seconds_left == 0.0


def test_only_joint_draws_of_shared_graphs_have_a_first_graph_and_a_resolution() -> None:
    data = ring()
    for config in (Config(epochs=1), Config(epochs=1, shared_graph=True, search="heat-bath", edge_types=2)):
        prepared = prepare(config, data.select(range(4)))
        assert prepared.first is None
        assert prepared.config.resolution == ()
    none = prepare(Config(epochs=1, shared_graph=True, search="joint-draws", first_graph="none"), data)
    assert none.first is None


def test_the_resolution_is_a_share_of_the_errors_of_own_states() -> None:
    data = ring()
    config = Config(epochs=1, shared_graph=True, search="joint-draws")
    resolved = resolve(config, data.shape)
    (found,) = with_resolution(resolved, data).resolution
    (doubled,) = with_resolution(resolved, replace(data, x=2 * data.x + 3)).resolution
    assert 0.01 < found < 0.2
    assert doubled == pytest.approx(found, rel=1e-2)
    with pytest.raises(InputError, match="2 numbers for 1 features; give one for each feature"):
        with_resolution(replace(resolved, resolution=(0.1, 0.2)), data)
    given = resolve(replace(config, resolution=(0.5,)), data.shape)
    assert with_resolution(given, data).resolution == (0.5,)


@pytest.mark.parametrize("settings", [{}, {"shared_graph": True, "search": "heat-bath"}])
def test_a_first_graph_needs_joint_draws_of_a_shared_graph(settings) -> None:
    with pytest.raises(InputError, match="setting first_graph: 'regression' cannot be used; only --shared_graph with"):
        Config(first_graph="regression", **settings)


@pytest.mark.parametrize("resolution", [(-0.1,), (0.1, 11.0)])
def test_a_resolution_has_a_range(resolution) -> None:
    with pytest.raises(InputError, match="setting resolution: "):
        Config(resolution=resolution)
