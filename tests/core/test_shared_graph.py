"""One graph for all tasks, or one for each group: evidence is summed over tasks."""

from __future__ import annotations

import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.inference import infer
from bouncegrad.core.priors import known_edges
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.structures import fillings, random_structure
from tests.core.conftest import small_graph

TASKS, FRAMES = 20, 9
ALL = torch.zeros(TASKS, dtype=torch.long)  # one group


def tracks(entities: int) -> torch.Tensor:
    return torch.randn(TASKS, FRAMES, entities, 2, generator=torch.Generator().manual_seed(0))


def test_probabilities_are_those_of_the_summed_evidence() -> None:
    graph = small_graph(3)
    batch = whole_tracks(tracks(3), torch.arange(TASKS))
    columns = torch.arange(2).expand(3, -1)
    z = random_structure(TASKS, graph.slots, 2, torch.Generator().manual_seed(0))
    loss = graph.conditional_losses(batch, z, columns).sum(0)
    share = (-loss).softmax(-1)
    expected = torch.einsum("gf,fs->gs", share, fillings(2, 2).double()).flatten()
    found = infer(graph, tracks(3), shared=ALL)
    assert torch.allclose(found.probability[..., 1], expected.float().expand(TASKS, -1), atol=1e-5)
    assert (found.z == found.z[0]).all()


def test_one_task_gives_the_same_as_without_a_shared_graph() -> None:
    graph = small_graph(4)
    alone = infer(graph, tracks(4)[:1])
    assert torch.equal(alone.probability, infer(graph, tracks(4)[:1], shared=ALL[:1]).probability)


def test_blocks_find_the_graph_that_enumeration_finds() -> None:
    graph = small_graph(5)
    for weights in graph.edge.parameters():
        weights.data.mul_(3)
    exact = infer(graph, tracks(5), shared=ALL)
    search = SharedGraph(0.0, Enumeration(4, 4))
    batch, generator = whole_tracks(tracks(5), torch.arange(TASKS)), torch.Generator().manual_seed(0)
    z = random_structure(1, graph.slots, 2, generator).repeat(TASKS, 1)
    total = torch.zeros(graph.slots)
    for sweep in range(1100):
        move = search(graph, Uniform(graph.groups, 2), batch, z, 1.0, generator)
        z = move.z
        assert (z == z[0]).all()
        total += move.probability[0, :, 1] if sweep >= 100 else 0.0
    assert (total / 1000 - exact.probability[0, :, 1]).abs().max() < 0.1


def test_every_visit_starts_from_the_last_graph_and_the_state_is_restored() -> None:
    graph, generator = small_graph(3), torch.Generator().manual_seed(0)
    search, other = SharedGraph(0.5), SharedGraph(0.5)
    z = random_structure(TASKS, graph.slots, 2, generator)
    batch = whole_tracks(tracks(3), torch.arange(TASKS))
    search(graph, Uniform(graph.groups, 2), batch, z, 1.0, generator)
    other.load_state_dict(search.state_dict())
    moves = [
        s(graph, Uniform(graph.groups, 2), batch, z, 1.0, torch.Generator().manual_seed(1)) for s in (search, other)
    ]
    assert torch.equal(moves[0].z, moves[1].z)
    assert search.evidence.shape == (1, 3, 4)


def test_a_known_edge_of_one_task_holds_for_all_tasks() -> None:
    graph = small_graph(3)
    z = torch.full((TASKS, graph.slots), -1)
    z[4, 2], z[7, 3] = 1, 0
    found = infer(graph, tracks(3), prior=known_edges(z, 2), shared=ALL)
    assert (found.z[:, 2] == 1).all()
    assert (found.z[:, 3] == 0).all()
    assert isinstance(SharedGraph(), HeatBath)


def test_the_graph_of_a_group_does_not_depend_on_other_groups() -> None:
    group = torch.arange(TASKS) % 3
    for entities in (3, 8):
        graph, x = small_graph(entities), tracks(entities)
        found = infer(graph, x, shared=group)
        for number in range(3):
            here = group == number
            alone = infer(graph, x[here], shared=torch.zeros(int(here.sum()), dtype=torch.long))
            assert torch.allclose(found.probability[here], alone.probability, atol=1e-6)
            assert torch.equal(found.z[here], alone.z)
    every = infer(small_graph(3), tracks(3), shared=torch.arange(TASKS))
    assert torch.allclose(every.probability, infer(small_graph(3), tracks(3)).probability, atol=1e-6)


def test_a_visit_changes_only_the_groups_of_its_tasks() -> None:
    graph, generator = small_graph(3), torch.Generator().manual_seed(0)
    search = SharedGraph(0.5, group=torch.arange(TASKS) // 5)
    z = random_structure(4, graph.slots, 2, generator)[torch.arange(TASKS) // 5]
    batch = whole_tracks(tracks(3)[[6, 2, 9]], torch.tensor([6, 2, 9]))
    move = search(graph, Uniform(graph.groups, 2), batch, z[[6, 2, 9]], 1.0, generator)
    assert torch.equal(move.z[0], move.z[2])
    assert torch.equal(search.z[[1, 0]], move.z[:2])
    assert (search.z[2:] == -1).all()
    assert (search.evidence[2:] == 0).all()
    assert search.evidence[:2].any(-1).all()
    evidence = search.evidence[1]
    loss = graph.conditional_losses(batch, z[[6, 2, 9]], torch.arange(2).expand(3, -1))[[0, 2]].sum(0)
    assert torch.allclose(evidence, (loss - loss.mean(-1, keepdim=True)).float(), atol=1e-5)


def test_a_known_edge_of_one_task_holds_for_its_group() -> None:
    graph, group = small_graph(3), torch.arange(TASKS) // 10
    z = torch.full((TASKS, graph.slots), -1)
    z[4, 2], z[17, 2] = 1, 0
    found = infer(graph, tracks(3), prior=known_edges(z, 2), shared=group)
    assert found.z[:, 2].tolist() == [1] * 10 + [0] * 10
