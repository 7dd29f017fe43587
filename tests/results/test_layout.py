"""Places of many entities: apart from each other, communities in discs of their own, neighbours near each other."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.results.communities import arrange
from bouncegrad.results.layout import SPACE, Layout, layout

from .graphs import blocks, plain_graph, random_graph

GRAPHS = {
    "five blocks": blocks([20] * 5, 0.5, 0.05),
    "two blocks": blocks([12, 8], 0.9, 0.1),
    "sparse": random_graph(50, 0.03, 0),
    "dense": random_graph(100, 0.5, 0),
    "empty": plain_graph("empty", 13),
    "star": plain_graph("star", 50),
    "ring": plain_graph("ring", 30),
    "complete": plain_graph("complete", 20),
}


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points, axis=-1)


def placed(edges: np.ndarray) -> Layout:
    return layout(edges.astype(float), arrange(edges.astype(float)))


@pytest.mark.parametrize("name", GRAPHS)
def test_entities_are_in_the_square_and_do_not_overlap(name: str) -> None:
    edges = GRAPHS[name]
    at = placed(edges)
    assert np.isfinite(at.places).all()
    assert abs(at.places).max() <= 1
    apart = distances(at.places)[~np.eye(len(edges), dtype=bool)].min()
    assert apart > 0.8 * SPACE * at.unit
    np.testing.assert_array_equal(placed(edges).places, at.places)


def test_each_community_is_in_its_own_disc() -> None:
    for name in ("five blocks", "two blocks"):
        edges = GRAPHS[name]
        found, at = arrange(edges.astype(float)), placed(edges)
        away = np.linalg.norm(at.places[:, None] - at.centres, axis=-1)
        inside = away < at.radii
        assert (inside.argmax(1) == found.community).all()
        assert (inside.sum(1) == 1).all()
        middle = distances(at.centres) - at.radii - at.radii[:, None]
        assert middle[~np.eye(len(at.radii), dtype=bool)].min() > 0


def test_discs_are_turned_so_that_edges_between_them_are_short() -> None:
    edges = blocks([8, 7, 6], 1.0, 0.0)
    links = [(3, 8), (12, 15), (20, 5)]
    for s, t in links:
        edges[s, t] = edges[t, s] = 1
    at, of = placed(edges), np.repeat([0, 1, 2], [8, 7, 6])
    farther = []  # share of a community that is farther from the other community than the end of the edge
    for s, t in links + [(t, s) for s, t in links]:
        toward = (at.places - at.centres[of[s]]) @ (at.centres[of[t]] - at.centres[of[s]])
        farther.append((toward[of == of[s]] < toward[s]).mean())
    assert np.mean(farther) > 0.6


def test_distances_follow_the_paths_along_edges() -> None:
    at = placed(GRAPHS["star"]).places
    assert np.linalg.norm(at - at.mean(0), axis=1).argmin() == 0  # the hub is in the middle
    at = placed(GRAPHS["ring"]).places
    angle = np.unwrap(np.arctan2(*(at - at.mean(0)).T))
    assert abs(angle[-1] - angle[0]) > 5  # once around, in the order of the ring
    assert (np.sign(np.diff(angle)) == np.sign(angle[-1] - angle[0])).all()


def test_entities_without_edges_are_below_the_others() -> None:
    edges = GRAPHS["sparse"]
    alone = ~(edges | edges.T).any(1)
    assert 0 < alone.sum() < 50
    at = placed(edges).places
    assert at[alone, 1].max() < at[~alone, 1].min()
