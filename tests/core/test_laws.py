"""Effects of edges, measured on modules with a known law."""

from __future__ import annotations

import torch

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.graph_settings import Messages, Networks, Place
from bouncegrad.core.laws import effects
from bouncegrad.core.structures import edge_index
from bouncegrad.data.scaling import Scaling

D = 4
PLAIN = Scaling((0.0,) * D, (1.0,) * D, (0.5,) * D, (1.0,) * D, (-1.0,) * D, (1.0,) * D)


def linear_law(stiffness: tuple[float, ...], entities: int = 3, pinned: bool = False) -> GraphComposition:
    """Returns modules without hidden layers: an edge of type k sends `stiffness[k] (x_s - x_t)`; it changes velocities.

    The node module adds another change, which does not belong to the effect of any edge.
    """
    generator = torch.Generator().manual_seed(0)
    made = GraphComposition(
        Place(entities),
        D,
        len(stiffness) + pinned,
        PLAIN,
        generator,
        Networks(edge_hidden=(), node_hidden=(), message=2),
        messages=Messages(pinned=pinned),
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        for k, value in enumerate(stiffness):
            made.edge.weights[0][k, 2 * D : 2 * D + 2] = value * torch.eye(2)
        made.node.weights[0][0, :2, 2:4] = torch.eye(2)
        made.node.weights[0][0, 2:, :D] = 0.7 * torch.eye(D)
        made.node.biases[0][0] = 3.0
    return made


def test_the_effect_of_an_edge_is_only_its_own_force() -> None:
    composition = linear_law((0.0, 2.0))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 7, 3, D, generator=generator)
    z = torch.randint(2, (5, 6), generator=generator)
    found = effects(composition, x, z)
    assert found.shape == (5, 7, 6, D)
    source, target = edge_index(3)
    pull = 2.0 * z[:, None, :, None] * (x[:, :, source, :2] - x[:, :, target, :2])
    torch.testing.assert_close(found[..., 2:], 0.5 * pull, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[..., :2], torch.zeros(5, 7, 6, 2), atol=1e-5, rtol=0)


def test_a_pinned_type_has_no_effect_and_candidate_pairs_are_used() -> None:
    pairs = torch.tensor([[2, 0], [0, 1]])
    composition = linear_law((1.0,), pinned=True).on(3, pairs)
    x = torch.arange(12.0).view(1, 1, 3, D)
    found = effects(composition, x, torch.tensor([[1, 0]]))
    torch.testing.assert_close(found[0, 0, :, 2:], torch.tensor([[4.0, 4.0], [0.0, 0.0]]))
