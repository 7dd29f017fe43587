"""Moves: which slots change, how often each slot changes, and to which modules."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.moves import flip_slot, redraw_all, redraw_group, redraw_slot, slots_of_one_group
from bouncegrad.core.structures import edge_index, incoming_edges, random_structure

GROUPS = incoming_edges(edge_index(3), 3)
ZEROS = torch.zeros(6000, 6, dtype=torch.long)


def certain_of(module: int, choices: int = 3) -> torch.Tensor:
    return torch.eye(choices)[module].expand(6000, 6, choices)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_all_slots_of_one_group_change() -> None:
    moved = slots_of_one_group(GROUPS, ZEROS, generator())
    by_group = moved[:, GROUPS]
    assert (by_group.all(2) | ~by_group.any(2)).all()
    assert (by_group.all(2).sum(1) == 1).all()
    torch.testing.assert_close(by_group.all(2).float().mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)


@pytest.mark.parametrize(("move", "count"), [(redraw_slot, 1), (redraw_group, 2), (flip_slot, 1), (redraw_all, 6)])
def test_the_right_number_of_slots_changes_and_all_equally_often(move, count: int) -> None:
    moved = move(ZEROS, certain_of(2), GROUPS, generator()) == 2
    assert (moved.sum(1) == count).all()
    torch.testing.assert_close(moved.float().mean(0), torch.full((6,), count / 6), atol=0.02, rtol=0)


@pytest.mark.parametrize("move", [redraw_slot, redraw_group, redraw_all])
def test_modules_are_drawn_by_their_probabilities(move) -> None:
    probability = torch.tensor([0.5, 0.2, 0.3]).expand(6000, 6, 3)
    found = move(ZEROS - 1, probability, GROUPS, generator())
    shares = torch.bincount(found[found >= 0], minlength=3) / (found >= 0).sum()
    torch.testing.assert_close(shares, probability[0, 0], atol=0.02, rtol=0)


def test_a_flip_excludes_the_present_module_and_keeps_the_odds_of_the_others() -> None:
    z = random_structure(6000, 6, 3, generator())
    flipped = flip_slot(z, torch.tensor([0.96, 0.03, 0.01]).expand(6000, 6, 3), GROUPS, generator())
    changed = flipped != z
    assert (changed.sum(1) == 1).all()
    for present, odds in ((0, 0.75), (1, 0.96 / 0.97), (2, 0.96 / 0.99)):
        new = flipped[changed & (z == present)]
        assert (new == (1 if present == 0 else 0)).float().mean() == pytest.approx(odds, abs=0.03)


def test_a_padded_group_changes_only_slots_that_exist() -> None:
    groups = torch.tensor([[0, 1], [2, 6]])
    moved = redraw_group(ZEROS, certain_of(1), groups, generator()) == 1
    assert set(map(tuple, moved.nonzero().tolist())) > {(0, 2)} or moved[0, :2].all()
    assert ((moved[:, :2].all(1)) ^ moved[:, 2]).all()
    assert not moved[:, 3:].any()
