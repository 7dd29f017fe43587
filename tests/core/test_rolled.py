"""Rollouts that are judged by learned variances."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.few_moves import rolled_tracks
from bouncegrad.core.structures import random_structure

from .conftest import small_graph


def tracks_and_structures(frames: int, marks: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tracks = torch.randn(2, frames, 3, 2, generator=generator)
    return torch.nn.functional.pad(tracks, (0, marks), value=1.0), random_structure(2, 6, 2, generator)


def test_a_rollout_of_one_step_has_the_loss_of_the_one_step_likelihood() -> None:
    tracks, z = tracks_and_structures(6)
    batch = whole_tracks(tracks, torch.arange(2))
    found = [small_graph(3, likelihood=kind).loss(batch, z) for kind in ("rolled", "learned")]
    torch.testing.assert_close(*found)


def test_variances_add_up_along_a_rollout() -> None:
    tracks, z = tracks_and_structures(4)
    composition, x, variance, expected = small_graph(3, likelihood="rolled"), tracks[:, :1], 0.0, []
    for frame in range(1, 4):
        mean, log_variance = composition.predict_change(x, z)
        x, variance = x + mean, variance + log_variance.exp()
        normal = torch.distributions.Normal(x, variance**0.5)
        expected.append(-normal.log_prob(tracks[:, frame : frame + 1]).mean((1, 2, 3)))
    found = composition.loss(rolled_tracks(tracks, torch.arange(2), 3), z)
    torch.testing.assert_close(found, sum(expected) / 3)


def test_frames_that_were_not_recorded_do_not_count() -> None:
    tracks, z = tracks_and_structures(4, marks=2)
    composition = small_graph(3, likelihood="rolled")
    tracks[:, 2, :, 2] = 0.0  # present, but not recorded
    other = tracks.clone()
    other[:, 2, :, :2] = 9.0
    found = [composition.loss(Batch(torch.arange(2), t, t[:, None]), z) for t in (tracks, other)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("kind", ["rolled", "learned"])
def test_gradients_reach_both_outputs_of_the_node_module(kind: str) -> None:
    tracks, z = tracks_and_structures(4)
    composition = small_graph(3, likelihood=kind)
    composition.loss(rolled_tracks(tracks, torch.arange(2), 3), z).sum().backward()
    assert (composition.node.weights[-1].grad[0].abs().sum(0) > 0).all()
