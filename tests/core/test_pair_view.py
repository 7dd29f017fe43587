"""The input of edge modules: exact values for known pairs, and the effect of shifts, scales and exchanged ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.pair_view import PairView, polar
from bouncegrad.core.structures import edge_index
from bouncegrad.data.scaling import Scaling

from .conftest import random_batch, small_graph


def planar(entities: int = 4, **settings) -> GraphComposition:
    """Returns a graph with the features x, y, vx, vy."""
    return small_graph(entities, features=4, **settings)


def view_of(scale: Sequence[float], difference: Sequence[float]) -> PairView:
    ones = (1.0,) * len(scale)
    return PairView(2, 0, Scaling(ones, tuple(scale), ones, tuple(difference), ones, ones), polar=(0, 1))


def test_direction_and_distance_of_a_pair() -> None:
    """The source is 3 to the right of the target and 4 above it; the typical distance is 5."""
    rows = view_of((1.0, 1.0), (3.0, 4.0))(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]), edge_index(2))
    first = [0, 0, 3, 4, -3 / 3, -4 / 4, -0.6, -0.8, 0]  # source 1, target 0
    torch.testing.assert_close(rows, torch.tensor([first, [3, 4, 0, 0, 1, 1, 0.6, 0.8, 0]]), atol=2e-6, rtol=0)


def test_distances_do_not_depend_on_the_scales_of_the_axes() -> None:
    x = torch.randn(1, 1, 3, 2)
    plain = view_of((1.0, 1.0), (3.0, 4.0))(x, edge_index(3))
    stretched = view_of((2.0, 0.5), (3.0, 4.0))(x / torch.tensor([2.0, 0.5]), edge_index(3))
    torch.testing.assert_close(plain[:, -3:], stretched[:, -3:])


def test_the_view_is_finite_if_two_entities_have_the_same_position() -> None:
    offset = torch.zeros(1, 2, requires_grad=True)
    row = polar(offset)
    assert row.tolist() == [[0.0, 0.0, pytest.approx(math.log(1e-3))]]
    row.sum().backward()
    assert torch.isfinite(offset.grad).all()


def test_swapped_rows_are_those_of_the_opposite_edge() -> None:
    for settings in ({"polar": (0, 1)}, {}, {"polar": (0, 1), "relative": (0, 1)}):
        composition = planar(4, **settings)
        source, target = composition.pairs
        back = [int(((source == target[e]) & (target == source[e])).nonzero()) for e in range(12)]
        rows = composition.view(random_batch(1, 2, 4, 4).tracks[:, :1], composition.pairs)
        torch.testing.assert_close(composition.view.swapped(rows), rows[back])


def loss_and_conditionals(composition: GraphComposition, shift: Tensor) -> tuple[Tensor, Tensor]:
    batch = random_batch(3, 6, composition.entities, 4)
    moved = batch._replace(tracks=batch.tracks + shift, segments=batch.segments + shift)
    z = torch.randint(2, (3, composition.slots), generator=torch.Generator().manual_seed(5))
    columns = torch.arange(composition.groups.shape[1]).expand(composition.entities, -1)
    return composition.loss(moved, z), composition.conditional_losses(moved, z, columns)


@pytest.mark.parametrize("pinned", [False, True])
def test_without_positions_a_law_is_the_same_everywhere(pinned) -> None:
    shift = torch.tensor([3.0, -2.0, 0.0, 0.0])
    settings = {"polar": (0, 1), "relative": (0, 1), "pinned": pinned}
    for placeless in (True, False):
        composition = planar(**settings, placeless=placeless)
        here, there = (loss_and_conditionals(composition, s) for s in (torch.zeros(4), shift))
        same = [torch.allclose(a, b, atol=1e-3, rtol=1e-5) for a, b in zip(here, there, strict=True)]
        assert same == [placeless, placeless]


@pytest.mark.parametrize("pinned", [False, True])
def test_messages_with_momentum_add_up_to_zero(pinned) -> None:
    composition = planar(momentum=True, polar=(0, 1), pinned=pinned)
    x = random_batch(2, 5, 4, 4).tracks
    for symmetric in (True, False):
        kind = torch.randint(2, (4, 4), generator=torch.Generator().manual_seed(1))
        kind = torch.maximum(kind, kind.T) if symmetric else kind
        z = kind[composition.pairs[0], composition.pairs[1]].expand(10, -1)
        sent = composition.messages(composition.view(x, composition.pairs), z.reshape(-1)).view(10, 12, -1)
        assert bool((sent.sum(1).abs() < 1e-5).all()) is symmetric
        assert sent.abs().max() > 0.01


def test_conditionals_with_momentum_are_those_of_the_loss() -> None:
    composition = planar(3, momentum=True, polar=(0, 1))
    batch, generator = random_batch(2, 6, 3, 4), torch.Generator().manual_seed(2)
    z = torch.randint(2, (2, 6), generator=generator)
    columns = torch.arange(2).expand(3, -1)
    every = composition.conditional_losses(batch, z, columns)
    filling = z[:, composition.groups] @ torch.tensor([2, 1])
    chosen = every.gather(2, filling[..., None])[..., 0].sum(1)
    torch.testing.assert_close(chosen, composition.loss(batch, z).double() * 5 * 3 * 4, rtol=1e-4, atol=1e-4)
