"""Communities are found where they are, and only there; the order of many entities follows them."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.results.communities import arrange, background, edge_weights

from .graphs import blocks, plain_graph, random_graph


def same_groups(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two lists of communities are the same except for their numbers."""
    return bool(((a[:, None] == a) == (b[:, None] == b)).all())


@pytest.mark.parametrize("sizes", [[7, 7], [5, 5, 5, 5], [10, 20], [13, 13, 12, 12], [30, 25, 20, 15, 10], [20] * 5])
def test_cliques_are_communities(sizes: list[int]) -> None:
    found = arrange(blocks(sizes, 1.0, 0.0).astype(float))
    assert found.sizes == sorted(sizes, reverse=True)
    assert same_groups(found.community, np.repeat(np.arange(len(sizes)), sizes))
    assert found.borders == np.cumsum(found.sizes)[:-1].tolist()


@pytest.mark.parametrize(
    ("sizes", "within", "between", "most"), [([13, 13, 12, 12], 0.6, 0.05, 0.5), ([20] * 5, 0.35, 0.04, 1.5)]
)
def test_communities_of_random_blocks_are_found_with_few_errors(
    sizes: list[int], within: float, between: float, most: float
) -> None:
    true, wrong = np.repeat(np.arange(len(sizes)), sizes), []
    for seed in range(10):
        found = arrange(blocks(sizes, within, between, seed).astype(float))
        assert len(found.sizes) == len(sizes)
        shared = np.array([np.bincount(true[found.community == c]).max() for c in range(len(sizes))])
        wrong.append(len(true) - shared.sum())
    assert np.mean(wrong) <= most  # entities in another community


@pytest.mark.parametrize("entities", [13, 20, 50, 100])
@pytest.mark.parametrize("kind", ["empty", "one edge", "star", "ring", "complete", "two sides"])
def test_graphs_without_communities_keep_the_order_of_the_data(entities: int, kind: str) -> None:
    found = arrange(plain_graph(kind, entities).astype(float))
    assert found.order.tolist() == list(range(entities))
    assert found.sizes == [entities]
    assert found.borders == []


def test_random_graphs_have_no_communities() -> None:
    """Methods that only maximise the modularity find blocks in every random graph."""
    false = 0
    for seed in range(25):
        for entities in (13, 30, 100):
            for density in (0.03, 0.1, 0.5, 0.9):
                for directed in (True, False):
                    false += len(arrange(random_graph(entities, density, seed, directed).astype(float)).sizes) > 1
    assert false <= 3  # of 600


def test_the_result_does_not_depend_on_the_numbering() -> None:
    generator = np.random.default_rng(0)
    for seed in range(5):
        weight = blocks([15, 14, 13], 0.5, 0.05, seed) * generator.uniform(0.6, 1, (42, 42))
        order = generator.permutation(42)
        first, second = arrange(weight), arrange(weight[np.ix_(order, order)])
        assert same_groups(first.community[order], second.community)
        assert order[second.order].tolist() == first.order.tolist()
        assert arrange(weight).order.tolist() == first.order.tolist()


def test_both_directions_of_an_edge_count_alike() -> None:
    weight = np.triu(blocks([8, 8], 1.0, 0.0)).astype(float)
    assert arrange(weight).community.tolist() == arrange(weight.T).community.tolist() == [0] * 8 + [1] * 8


def test_large_communities_and_entities_with_many_edges_come_first_and_those_without_edges_last() -> None:
    weight = np.zeros((16, 16))
    weight[1:7, 1:7] = weight[8:, 8:] = 1.0
    np.fill_diagonal(weight, 0.0)
    weight[9, 10] = weight[10, 9] = weight[9, 11] = weight[11, 9] = 0.0
    found = arrange(weight)
    assert found.community.tolist() == [-1] + [1] * 6 + [-1] + [0] * 8
    assert found.sizes == [8, 6]
    assert found.order.tolist() == [8, 12, 13, 14, 15, 10, 11, 9, 1, 2, 3, 4, 5, 6, 0, 7]
    assert found.borders == [8, 14]


def test_weights_are_probabilities_of_an_edge() -> None:
    edges = np.array([[0, 2, 1], [0, 0, -1], [1, 1, 0]])
    assert edge_weights(edges, None, 1).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    probability = np.full((3, 3, 3), [0.5, 0.2, 0.3])
    np.testing.assert_allclose(edge_weights(edges, probability, 1), [[0, 0.8, 0.8], [0.8, 0, 0], [0.8, 0.8, 0]])


def test_the_most_frequent_type_is_the_background_if_none_is_stated() -> None:
    edges = np.array([[0, 1, 1], [2, 0, 1], [2, -1, 0]])
    assert background(edges, None) == 1
    assert background(edges, 2) == 2
    assert background(np.stack([edges, np.full((3, 3), 2)]), None) == 2
    assert background(np.full((3, 3), -1), None) == 0
