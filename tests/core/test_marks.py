"""Marks: values that were not observed change nothing, and entities that are not present send nothing."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.batches import Batch, RandomFrames, whole_tracks
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.inference import infer
from bouncegrad.core.marks import counted, observed_pairs, present, with_marks
from bouncegrad.core.structures import random_structure
from tests.core.conftest import small_graph

FEATURES, FRAMES = 2, 12


def padded(tasks: int, entities: int, of: int, seed: int, last: int = FRAMES) -> torch.Tensor:
    """Returns tracks of `of` entities; later frames and other entities are not observed and hold large numbers."""
    generator = torch.Generator().manual_seed(seed)
    marked = with_marks(torch.randn(tasks, FRAMES, of, FEATURES, generator=generator), FEATURES)
    marked[:, last:], marked[:, :, entities:] = 50.0, 50.0
    marked[:, last:, :, FEATURES:], marked[:, :, entities:, FEATURES:] = 0.0, 0.0
    return marked


def alone(z: torch.Tensor, of: int, entities: int) -> torch.Tensor:
    """Returns the slots between the first entities."""
    pairs = small_graph(of).pairs
    return z[:, (pairs < entities).all(0)]


@pytest.mark.parametrize("settings", [{}, {"pinned": True}, {"lags": 2}, {"momentum": True}, {"polar": (0, 1)}])
@pytest.mark.parametrize("likelihood", ["learned", "shared"])
def test_the_loss_of_each_task_of_a_mixed_batch_is_its_loss_alone(likelihood, settings) -> None:
    graph = small_graph(5, likelihood=likelihood, **settings)
    lags = settings.get("lags", 0)
    parts = [padded(4, n, 5, seed=n, last=last) for n, last in ((3, 8), (4, 12), (5, 10))]
    z = random_structure(12, graph.slots, 2, torch.Generator().manual_seed(0))
    mixed = graph.loss(whole_tracks(torch.cat(parts), torch.arange(12), lags), z)
    for part, n, last, given, found in zip(parts, (3, 4, 5), (8, 12, 10), z.split(4), mixed.split(4), strict=True):
        tracks = part[:, :last, :n, :FEATURES]
        expected = graph.on(n).loss(whole_tracks(tracks, torch.arange(4), lags), alone(given, 5, n))
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("lags", [0, 2])
def test_absent_entities_add_no_evidence(lags) -> None:
    graph = small_graph(5, lags=lags).eval()
    tracks = padded(4, 3, 5, seed=1, last=9)
    found = infer(graph, tracks)
    expected = infer(graph.on(3), tracks[:, :9, :3, :FEATURES])
    among = (graph.pairs < 3).all(0)
    assert torch.allclose(found.probability[:, among], expected.probability, atol=1e-5)
    assert torch.allclose(found.loss, expected.loss, atol=1e-5)
    assert (found.probability[:, ~among] - 0.5).abs().max() < 1e-6
    assert torch.equal(observed_pairs(tracks, FEATURES, graph.pairs, lags), among.expand(4, -1))


def test_rollouts_and_their_errors_are_those_of_the_task_alone() -> None:
    graph, generator = small_graph(4, likelihood="shared"), torch.Generator().manual_seed(0)
    forecaster = Forecaster(graph, torch.ones(2), torch.arange(2), (8,), generator, substeps=2)
    tracks = padded(6, 3, 4, seed=2)
    z = random_structure(6, graph.slots, 2, generator)
    whole = Batch(torch.arange(6), tracks, tracks[:, None, :5])
    part = tracks[:, :, :3, :FEATURES]
    expected = forecaster.on(3).loss(Batch(torch.arange(6), part, part[:, None, :5]), alone(z, 4, 3))
    assert torch.allclose(forecaster.loss(whole, z), expected, atol=1e-5)


def test_gradients_do_not_depend_on_hidden_values() -> None:
    graph = small_graph(4)
    z = random_structure(4, graph.slots, 2, torch.Generator().manual_seed(0))
    found = []
    for hidden in (0.0, 50.0, -7.0):
        tracks = padded(4, 3, 4, seed=3)
        tracks[..., :FEATURES][tracks[..., FEATURES] == 0] = hidden
        graph.zero_grad()
        graph.loss(whole_tracks(tracks, torch.arange(4)), z).mean().backward()
        found.append(torch.cat([weight.grad.flatten() for weight in graph.parameters()]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_marks_of_complete_recordings_change_nothing() -> None:
    graph = small_graph(4)
    tracks = torch.randn(3, FRAMES, 4, FEATURES, generator=torch.Generator().manual_seed(4))
    z = random_structure(3, graph.slots, 2, torch.Generator().manual_seed(0))
    plain, marked = (graph.loss(whole_tracks(x, torch.arange(3)), z) for x in (tracks, with_marks(tracks, FEATURES)))
    assert torch.allclose(plain, marked, rtol=1e-6)


def test_a_change_counts_if_all_its_frames_were_observed() -> None:
    frames = with_marks(torch.zeros(6, 1, 1), 1)
    frames[2, 0, 1] = 0  # not observed but filled in
    assert counted(frames, 1).flatten().tolist() == [1, 0, 0, 1, 1]
    assert counted(frames, 1, lags=1).flatten().tolist() == [0, 0, 0, 1]
    assert counted(frames, 1, rolled=True).flatten().tolist() == [1, 0, 1, 1, 1]
    assert present(frames, 1, lags=1).flatten().tolist() == [1, 1, 1, 1, 1]
    frames[4, 0, 2] = 0
    assert present(frames, 1, lags=1).flatten().tolist() == [1, 1, 1, 0, 0]


def test_only_segments_with_observed_changes_are_drawn() -> None:
    tracks = torch.cat([padded(3, 4, 4, seed=5, last=6), padded(3, 4, 4, seed=6)])
    counts = counted(tracks, FEATURES)
    batches = RandomFrames(tracks, 6, 200, counts=counts)
    (batch,) = batches(torch.Generator().manual_seed(0))
    seen = counted(batch.segments, FEATURES)
    assert (seen.amax((2, 3)) == 1).all()
    assert batch.track_steps.tolist() == (counts.amax(2).sum(1))[batch.tasks].tolist()
    first = batch.segments[batch.tasks < 3][:, :, 0, 0, 0]
    assert len(first.unique()) == 3 * 5
