"""Evidence in blocks of time: log odds on hand-made gains, and probabilities of known graphs."""

from __future__ import annotations

import math

import pytest
import torch

from bouncegrad.core.block_evidence import BLOCKS, FEWEST, block_probability, log_odds

from .conftest import Known, make_known


def test_a_gain_counts_by_its_least_evidence():
    noise = torch.tensor([1.0, -1.0]).repeat(BLOCKS // 2)
    z = 0.5 / (noise.std() / math.sqrt(BLOCKS))
    strong = (0.5 + noise)[:, None]
    assert log_odds(strong, 1e-6)[0] == pytest.approx(float(z**2 / 2 - 2))  # z counts
    assert log_odds(strong, 2.0)[0] == pytest.approx(10 / 2 - 2 if z**2 / 2 > 5 else float(z**2 / 2 - 2))
    torch.testing.assert_close(log_odds(-strong, 1e-6), -log_odds(strong, 1e-6))
    assert log_odds((0.1 + noise)[:, None], 1.0)[0] == 0  # less than what is taken off


def test_blocks_that_do_not_differ_say_nothing():
    assert (log_odds(torch.zeros(BLOCKS, 3), 1.0) == 0).all()


def test_too_short_recordings_have_no_blocks():
    known = make_known(4, 2)
    prior = torch.zeros(2, known.composition.slots, 2).log_softmax(-1)
    assert known.tracks.shape[1] < BLOCKS * FEWEST
    assert block_probability(known.composition, known.tracks, known.z[:2], prior) is None


def long_tracks(known: Known) -> torch.Tensor:
    """400 frames with noise; they start anew after every ten, since the law lets them grow."""
    generator, frames = torch.Generator().manual_seed(0), [known.tracks[:, 0]]
    for frame in range(1, 400):
        drawn = torch.randn(frames[-1].shape, generator=generator)
        with torch.no_grad():
            new = known.composition(frames[-1][:, None], known.z)[:, 0]
        frames.append(new + 0.05 * drawn if frame % 10 else drawn)
    return torch.stack(frames, 1)


def test_the_true_graph_is_sure_and_other_tasks_do_not_count():
    known = make_known(4, 2)
    x = long_tracks(known)
    prior = torch.zeros(2, known.composition.slots, 2).log_softmax(-1)
    found = block_probability(known.composition, x, known.z, prior)
    assert found.shape == (2, known.composition.slots, 2)
    torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]))
    sure = found.amax(-1) > 0.95
    assert sure.float().mean() > 0.25
    assert (found.argmax(-1) == known.z)[sure].all()
    alone = block_probability(known.composition, x[1:], known.z[1:], prior[1:])
    torch.testing.assert_close(alone[0], found[1])


def test_an_impossible_type_stays_impossible():
    known = make_known(4, 1)
    x = long_tracks(known)
    prior = torch.zeros(1, known.composition.slots, 2)
    prior[0, 0, 1 - known.z[0, 0]] = -math.inf
    found = block_probability(known.composition, x, known.z, prior.log_softmax(-1))
    assert found[0, 0, known.z[0, 0]] == 1.0
