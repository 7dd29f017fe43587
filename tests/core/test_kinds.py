"""Kinds of entities: each kind has its own node module, and nothing else changes."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.structures import fillings, incoming_edges, random_structure

from .conftest import random_batch, small_graph

KINDS = [1, 0, 0, 1]


@pytest.fixture
def graphs():
    """A graph with one node module for all entities, and a graph with two node modules of equal weights."""
    alike, apart = small_graph(4), small_graph(4, kinds=KINDS)
    state = alike.state_dict()
    apart.load_state_dict(
        {name: value.expand(2, *value.shape[1:]) if "node" in name else value for name, value in state.items()}
    )
    return alike, apart


@pytest.mark.parametrize("columns", [[0, 1, 2], [0, 2]], ids=["whole", "block"])
def test_two_modules_of_equal_weights_act_as_one(graphs, columns):
    batch, columns = random_batch(3, 6, 4), torch.tensor(columns).expand(4, -1)
    z = random_structure(3, 12, 2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(graphs[0].loss(batch, z), graphs[1].loss(batch, z))
    losses = [graph.conditional_losses(batch, z, columns) for graph in graphs]
    torch.testing.assert_close(losses[0], losses[1])


def test_conditional_losses_add_up_to_the_loss_of_a_structure():
    graph, batch = small_graph(4, kinds=KINDS), random_batch(3, 6, 4)
    z = random_structure(3, 12, 2, torch.Generator().manual_seed(1))
    losses = graph.conditional_losses(batch, z, torch.arange(3).expand(4, 3))
    at = (fillings(2, 3) == z[:, incoming_edges(graph.pairs, 4)][:, :, None]).all(-1).float().argmax(-1)
    picked = losses.gather(2, at[..., None])[..., 0].sum(1) / (5 * 4 * 2)
    torch.testing.assert_close(picked.float(), graph.loss(batch, z), rtol=1e-5, atol=1e-5)


def test_a_node_module_changes_only_entities_of_its_kind():
    graph = small_graph(4, kinds=KINDS)
    x = torch.randn(1, 1, 4, 2, generator=torch.Generator().manual_seed(0))
    z = torch.zeros(1, 12, dtype=torch.long)
    before = graph(x, z)
    with torch.no_grad():
        graph.node.biases[-1][1] += 1.0
    changed = (graph(x, z) != before).any(-1)[0, 0]
    assert changed.tolist() == [kind == 1 for kind in KINDS]


def test_other_entities_may_have_other_kinds():
    graph = small_graph(4, kinds=KINDS)
    assert graph.on(3, kinds=[1, 1, 0]).kinds == [1, 1, 0]
    assert graph.on(4).kinds == KINDS
