"""The graphs of simulated tasks: how many links, of which types, in which directions, and for which tasks."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import GRAPHS, SYSTEMS, simulate
from bouncegrad.data.simulate.graphs import Graph
from bouncegrad.data.simulate.starts import Streams

DRAWN = [kind for kind in GRAPHS if kind != "random"]
FREE = [name for name, system in SYSTEMS.items() if system.any_graph]


def drawn(kind, tasks, entities, types=2, seed=0, **settings):
    """Edges `[task, source, target]`."""
    return Graph(kind, **settings).draw(Streams.of(seed).edges, tasks, entities, types)


def links(edges):
    """The number of linked pairs of each task."""
    return np.triu((edges > 0) | (edges.transpose(0, 2, 1) > 0), 1).sum((1, 2))


@pytest.mark.parametrize("directed", [False, True])
def test_random_graphs_are_drawn_as_before_there_were_others(directed):
    edges = simulate("springs3", 30, frames=2, entities=4, seed=7, directed=directed).edges
    all_equal = (Streams.of(7).edges.random((30, 4, 4)) * 3).astype(int)
    lower = np.tril(all_equal, -1)
    upper = np.triu(all_equal, 1) if directed else lower.transpose(0, 2, 1)
    assert np.array_equal(edges, lower + upper)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("kind", DRAWN)
def test_both_directions_are_alike_unless_the_graph_is_directed(kind, directed):
    edges = drawn(kind, 300, 12, types=3, directed=directed)
    assert not np.einsum("mii->mi", edges).any()
    assert set(np.unique(edges)) == {0, 1, 2}
    assert np.array_equal(edges, edges.transpose(0, 2, 1)) is not directed


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize(("density", "expected"), [(None, 0.1), (0.35, 0.35), (1, 1)])
def test_density_is_the_probability_of_a_link(density, expected, directed):
    edges = drawn("er", 2000, 10, density=density, directed=directed)
    assert edges.sum() / (2000 * 90) == pytest.approx(expected, abs=0.005)


def test_the_two_directions_of_a_directed_pair_are_independent_in_er():
    edges = drawn("er", 4000, 5, density=0.3, directed=True)
    upper = np.triu_indices(5, 1)
    there, back = edges[:, *upper].ravel(), edges.transpose(0, 2, 1)[:, *upper].ravel()
    assert abs(np.corrcoef(there, back)[0, 1]) < 0.03


@pytest.mark.parametrize("kind", DRAWN)
def test_types_of_links_are_equally_likely(kind):
    edges = drawn(kind, 3000, 8, types=4)
    share = np.bincount(edges[edges > 0])[1:] / (edges > 0).sum()
    assert np.allclose(share, 1 / 3, atol=0.02)


@pytest.mark.parametrize("entities", [3, 4, 50])
def test_each_new_entity_brings_two_links_in_ba(entities):
    edges = drawn("ba", 40, entities)
    assert (links(edges) == 2 * (entities - 2)).all()
    assert (edges.sum(1)[:, 3:] >= 2).all()


def test_new_links_go_where_links_are_in_ba():
    """The fourth entity meets a star: entity 0 has half of the ends of links, 1 and 2 a quarter each.

    It links to two of them. Entity 0 is among these with probability 1/2 + 1/2 * 2/3 = 5/6.
    """
    edges = drawn("ba", 6000, 4)
    assert edges[:, 0, 3].mean() == pytest.approx(5 / 6, abs=0.015)
    assert edges[:, 1, 3].mean() == pytest.approx(7 / 12, abs=0.02)


def test_hubs_have_far_more_links_than_in_a_graph_of_equals():
    hubs = drawn("ba", 40, 50).sum(1)
    equals = drawn("er", 40, 50, density=hubs.mean() / 49).sum(1)
    assert np.median(hubs.max(1)) > 1.5 * np.median(equals.max(1))


def test_a_ring_with_shortcuts_in_ws():
    edges = drawn("ws", 3000, 20)
    around = np.arange(20)
    assert edges[:, around, (around + 1) % 20].all()
    shortcuts = links(edges) - 20
    assert shortcuts.min() == 0
    assert shortcuts.mean() == pytest.approx(2, rel=0.05)  # 20 links, each with probability 0.1
    assert (links(drawn("ws", 50, 3)) == 3).all()  # all pairs are linked already


@pytest.mark.parametrize("kind", ["ba", "ws"])
def test_a_directed_link_acts_in_one_of_its_directions(kind):
    alike, edges = (drawn(kind, 400, 10, directed=directed) for directed in (False, True))
    assert not (edges & edges.transpose(0, 2, 1)).any()
    assert np.array_equal(edges | edges.transpose(0, 2, 1), alike)
    assert np.triu(edges, 1).sum() / edges.sum() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_shared_graph_is_that_of_the_first_task(kind):
    shared = simulate("springs", 6, entities=9, frames=2, graph=kind, shared=True, seed=4)
    alone = simulate("springs", 6, entities=9, frames=2, graph=kind, seed=4)
    assert (shared.edges == alone.edges[0]).all()
    assert not (alone.edges == alone.edges[0]).all()
    assert np.array_equal(shared.x[0], alone.x[0])
    assert not np.allclose(shared.x[1], shared.x[0])


def test_charges_are_shared_with_their_graph():
    data = simulate("charged", 6, entities=9, frames=2, shared=True)
    assert (data.edges == data.edges[0]).all()
    assert 0 < data.edges[0].sum() < 72
    assert not np.allclose(data.x[1], data.x[0])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", GRAPHS)
def test_first_tasks_do_not_depend_on_how_many_follow(kind, shared):
    few, many = (
        simulate("kuramoto", m, entities=6, frames=2, seed=3, graph=kind, directed=True, shared=shared) for m in (4, 30)
    )
    assert np.array_equal(few.x, many.x[:4])
    assert np.array_equal(few.edges, many.edges[:4])
    other = simulate("kuramoto", 4, entities=6, frames=2, seed=4, graph=kind, directed=True, shared=shared)
    assert not np.array_equal(few.edges, other.edges)


@pytest.mark.parametrize("system", FREE)
def test_every_system_but_charges_has_graphs_of_any_kind(system):
    for kind in DRAWN:
        data = simulate(system, 3, entities=30, frames=3, graph=kind, directed=True)
        assert data.require_finite() is data
        assert 20 < np.median((data.edges > 0).sum((1, 2))) < 130


def test_a_density_of_one_links_all():
    assert simulate("springs", 1, entities=3, frames=2, graph="er", density=1).edges.sum() == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"graph": "tree"}, ["unknown graph 'tree'", "random, er, ba, ws"]),
        ({"graph": "ba", "entities": 2}, ["entities is 2", "a graph ba needs 3 or more"]),
        ({"graph": "ws", "entities": 2}, ["entities is 2", "a graph ws needs 3 or more"]),
        ({"graph": "er", "density": 0}, ["density is 0", "above 0, at most 1"]),
        ({"graph": "er", "density": 1.5}, ["density is 1.5", "above 0, at most 1"]),
        ({"graph": "er", "density": float("nan")}, ["density is nan"]),
        ({"density": 0.2}, ["density is only for the graph er, not for random"]),
        ({"graph": "ws", "density": 0.2}, ["density is only for the graph er, not for ws"]),
        ({"system": "charged", "graph": "er"}, ["charged", "a graph er is impossible", "drop it"]),
    ],
)
def test_graphs_that_cannot_be_drawn(change, words):
    with pytest.raises(InputError) as error:
        simulate(**{"system": "springs", "tasks": 2, "frames": 2} | change)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
