"""Routes of rollouts: their messages and gradients are those of the composition, which sorts edges at every step."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.compositions import routes as module
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.routes import arriving_messages, routes_of

from .conftest import random_batch, small_graph

SOME = torch.tensor([[1, 3, 0, 2], [0, 0, 1, 3]])  # entity 2 receives nothing, and 0 sends to 1 alone
SETTINGS = [
    {},
    {"pinned": True},
    {"pairs": SOME},
    {"pairs": SOME, "pinned": True},
    {"momentum": True},
    {"polar": (0, 1), "path": "dense"},
    {"lags": 2},
    {"shortcut": True},
]


def states(graph: GraphComposition, marks: bool = False) -> torch.Tensor:
    """Returns three states of each of five tasks; with marks, some entities are absent."""
    tracks = random_batch(5, 3 + graph.lags, 4).tracks
    if marks:
        there = (torch.rand(*tracks.shape[:3], 1, generator=torch.Generator().manual_seed(3)) < 0.7).float()
        tracks = torch.cat([tracks, there, there], -1)
    return graph.with_history(tracks)


def types(graph: GraphComposition) -> torch.Tensor:
    return torch.randint(2, (5, graph.slots), generator=torch.Generator().manual_seed(1))


def sums_and_gradients(graph: GraphComposition, x: torch.Tensor, routed: bool) -> list[torch.Tensor]:
    """Returns the sums of messages into every entity, and their gradients."""
    x, z, width = x.clone().requires_grad_(), types(graph), graph.edge.sizes[-1]
    if graph.edge.shortcut is not None:
        torch.nn.init.ones_(graph.edge.shortcut)
    if routed:
        found = arriving_messages(graph, x, routes_of(graph, z, x.shape[1]))
    else:
        found = graph.node_input(x, z)[:, :width]
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(2))
    return [found.detach(), *torch.autograd.grad((found * weight).sum(), [x, *graph.edge.parameters()])]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("marks", [False, True])
def test_messages_and_gradients_are_those_of_the_composition(settings, marks) -> None:
    graph = small_graph(4, **settings)
    x = states(graph, marks)
    for one, other in zip(sums_and_gradients(graph, x, True), sums_and_gradients(graph, x, False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_if_no_edge_sends_the_sums_are_zero() -> None:
    graph = small_graph(4, pinned=True)
    nobody = torch.zeros(5, graph.slots, dtype=torch.long)
    found = arriving_messages(graph, states(graph), routes_of(graph, nobody, 3))
    assert torch.equal(found, torch.zeros(60, graph.edge.sizes[-1]))


def test_many_pairs_in_parts_give_the_same(monkeypatch) -> None:
    graph = small_graph(4)
    whole = sums_and_gradients(graph, states(graph), True)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    for one, other in zip(sums_and_gradients(graph, states(graph), True), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
