"""Offsets of messages: moving them keeps predictions for the number of entities in training, and helps for more."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.offsets import move_offsets
from bouncegrad.core.structures import random_structure

from .conftest import make_known, random_batch, small_graph


def structure(composition, tasks: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return random_structure(tasks, composition.slots, composition.choices, generator)


@pytest.mark.parametrize("shortcut", [False, True])
def test_with_as_many_entities_as_in_training_predictions_stay_the_same(shortcut) -> None:
    composition, batch = small_graph(4, edge_types=3, shortcut=shortcut), random_batch(5, 9, 4)
    if shortcut:
        torch.nn.init.uniform_(composition.edge.shortcut, -1, 1, torch.Generator().manual_seed(5))
        torch.nn.init.uniform_(composition.node.shortcut, -1, 1, torch.Generator().manual_seed(6))
    z = structure(composition, 5)
    mean, log_variance = composition.predict_change(batch.tracks, z)
    before = composition.edge.biases[-1].clone()
    move_offsets(composition, batch.tracks)
    assert not torch.equal(before, composition.edge.biases[-1])
    torch.testing.assert_close(composition.predict_change(batch.tracks, z), (mean, log_variance), rtol=1e-4, atol=1e-5)


def test_with_more_entities_a_law_with_an_offset_acts_like_one_without() -> None:
    plain, shifted = make_known(4, 6), make_known(4, 6)
    composition, offset = shifted.composition, torch.tensor([0.7])
    with torch.no_grad():
        composition.edge.biases[-1].add_(offset)
        composition.node.biases[0].sub_(3 * (offset @ composition.node.weights[0][0, :1]))
    move_offsets(composition, shifted.tracks)
    x, z = torch.randn(2, 1, 9, 1, generator=torch.Generator().manual_seed(0)), structure(plain.composition.on(9), 2)
    torch.testing.assert_close(composition.on(9)(x, z), plain.composition.on(9)(x, z), rtol=1e-5, atol=1e-5)


def test_with_a_pinned_type_no_offset_is_moved() -> None:
    composition, batch = small_graph(4, pinned=True), random_batch(5, 9, 4)
    before = composition.edge.biases[-1].clone()
    move_offsets(composition, batch.tracks)
    assert torch.equal(before, composition.edge.biases[-1])
