import torch
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.core.structures import (
    adjacency_to_structure,
    edge_index,
    fillings,
    incoming_edges,
    random_structure,
    structure_to_adjacency,
)

from ..measuring import calls


def test_edges_of_three_entities_are_ordered_by_target_then_source() -> None:
    """Users asked what the matrices of senders and receivers are."""
    pairs = [(int(s), int(t)) for s, t in edge_index(3).T]
    assert pairs == [(1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2)]


@given(st.integers(2, 12))
def test_every_ordered_pair_occurs_once_and_no_self_edge(n: int) -> None:
    pairs = {(int(s), int(t)) for s, t in edge_index(n).T}
    assert pairs == {(s, t) for s in range(n) for t in range(n) if s != t}
    assert edge_index(n).shape == (2, n * (n - 1))


def test_300_entities_take_as_many_calls_as_3() -> None:
    """Users reported that one-hot matrices of pairs could not be built for many entities."""
    assert edge_index(300).shape == (2, 89700)
    assert calls(lambda: edge_index(300)) == calls(lambda: edge_index(3))


def test_a_directed_structure_becomes_source_target() -> None:
    z = torch.zeros(1, 6, dtype=torch.long)
    z[0, 2] = 1  # (0 -> 1)
    adjacency = structure_to_adjacency(z, edge_index(3), 3)
    assert adjacency[0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


@given(st.integers(2, 7), st.integers(2, 4), st.integers(0, 2**31))
def test_structure_to_adjacency_and_back(n: int, choices: int, seed: int) -> None:
    pairs = edge_index(n)
    z = random_structure(3, pairs.shape[1], choices, torch.Generator().manual_seed(seed))
    assert torch.equal(adjacency_to_structure(structure_to_adjacency(z, pairs, n), pairs), z)


def test_incoming_edges_are_padded_with_the_number_of_edges() -> None:
    pairs = torch.tensor([[2, 0, 2, 0], [0, 1, 1, 2]])
    assert incoming_edges(pairs, 3).tolist() == [[0, 4], [1, 2], [3, 4]]


@given(st.integers(2, 9))
def test_incoming_edges_of_a_complete_graph(n: int) -> None:
    pairs, rows = edge_index(n), incoming_edges(edge_index(n), n)
    assert rows.shape == (n, n - 1)
    assert all((pairs[1][rows[t]] == t).all() for t in range(n))


@given(st.integers(2, 4), st.integers(1, 4))
def test_fillings_are_complete_and_in_counting_order(choices: int, slots: int) -> None:
    rows = fillings(choices, slots)
    assert rows.shape == (choices**slots, slots)
    values = (rows * choices ** torch.arange(slots - 1, -1, -1)).sum(1)
    assert values.tolist() == list(range(choices**slots))
