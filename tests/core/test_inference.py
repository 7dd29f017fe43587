"""Inference of new tasks: exact results, the same results from blocks, and no influence of other tasks."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core import inference
from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.inference import InferenceEffort, infer
from bouncegrad.core.structures import fillings

from .conftest import make_known, random_batch, small_graph


def by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws two edges at a time, as if there were too many to enumerate."""
    monkeypatch.setattr(inference, "EFFORT", InferenceEffort(enumerated=1, smallest=4, work=1))


def test_the_structure_that_made_the_tracks_is_found_with_high_probability(known) -> None:
    known.composition.variance.fill_(1e-8)
    found = infer(known.composition, known.tracks)
    assert torch.equal(found.z, known.z)
    assert found.probability.gather(2, known.z[..., None]).min() > 0.999
    assert found.loss.max() < 1e-10


def test_a_probability_is_the_exact_conditional() -> None:
    composition, tracks = small_graph(3), random_batch(2, 4, 3).tracks
    batch = whole_tracks(tracks, torch.arange(2))
    losses = composition.conditional_losses(batch, torch.zeros(2, 6, dtype=torch.long), torch.arange(2).expand(3, 2))
    weight = (-losses).softmax(-1)
    expected = torch.stack([weight[..., fillings(2, 2)[:, i] == 1].sum(-1) for i in range(2)], -1).flatten(1)
    found = infer(composition, tracks)
    torch.testing.assert_close(found.probability[..., 1], expected.float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.probability.sum(-1), torch.ones(2, 6))
    assert torch.equal(found.z, found.probability.argmax(-1))


def test_blocks_find_what_enumeration_finds(known, monkeypatch: pytest.MonkeyPatch) -> None:
    by_blocks(monkeypatch)
    assert torch.equal(infer(known.composition, known.tracks).z, known.z)


@pytest.mark.parametrize("blocks", [False, True])
def test_a_task_has_the_same_result_alone_and_among_others(blocks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if blocks:
        by_blocks(monkeypatch)
    composition, tracks = small_graph(4), random_batch(20, 5, 4).tracks
    together, alone = infer(composition, tracks), infer(composition, tracks[17:18])
    assert torch.equal(together.z[17], alone.z[0])
    torch.testing.assert_close(together.probability[17], alone.probability[0], atol=1e-5, rtol=0)


def test_blocks_give_the_same_result_for_the_same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    by_blocks(monkeypatch)
    composition, tracks = small_graph(4), random_batch(3, 3, 4).tracks
    one, two, other = (infer(composition, tracks, seed).probability for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_modules_infer_more_entities_than_in_training(known) -> None:
    """Users asked to train on tasks of one size and to use the model for tasks of another size."""
    larger = make_known(entities=6, tasks=4)
    found = infer(known.composition, larger.tracks)
    assert found.z.shape == (4, 30)
    assert torch.equal(found.z, larger.z)
