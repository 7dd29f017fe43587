"""States with a history: modules see changes of earlier frames, and all computations agree."""

from __future__ import annotations

import torch

from bouncegrad.core.batches import RandomFrames, whole_tracks
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import infer
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.offsets import move_offsets
from bouncegrad.core.structures import fillings, random_structure

from .conftest import small_graph, unit_scaling


def tracks_of(tasks: int, frames: int, entities: int = 3, features: int = 2) -> torch.Tensor:
    return torch.randn(tasks, frames, entities, features, generator=torch.Generator().manual_seed(0))


def test_a_history_is_the_last_changes_newest_first() -> None:
    composition = small_graph(3, features=3, lags=2, lagged=[0, 2])
    composition.change.copy_(torch.tensor([0.5, 1.0, 2.0]))
    x = tracks_of(1, 5, features=3)[0]
    states = composition.with_history(x)
    assert states.shape == (3, 3, 7)
    for t in range(2, 5):
        newest = [(x[t, :, 0] - x[t - 1, :, 0]) / 0.5, (x[t, :, 2] - x[t - 1, :, 2]) / 2]
        older = [(x[t - 1, :, 0] - x[t - 2, :, 0]) / 0.5, (x[t - 1, :, 2] - x[t - 2, :, 2]) / 2]
        torch.testing.assert_close(states[t - 2], torch.cat([x[t], torch.stack([*newest, *older], -1)], -1))


def test_without_lags_a_state_is_a_frame() -> None:
    x = tracks_of(2, 4)
    assert torch.equal(small_graph(3).with_history(x), x)


def test_a_rollout_carries_its_own_history() -> None:
    composition = small_graph(3, lags=2, lagged=[1])
    z = random_structure(1, 6, 2, torch.Generator().manual_seed(1))
    frames = tracks_of(1, 3)
    path = composition.rollout(composition.with_history(frames), z, 4)[:, 0]
    for _ in range(4):
        state = composition.with_history(frames[:, -3:])
        frames = torch.cat([frames, composition(state, z)[..., :2]], 1)
    torch.testing.assert_close(path, frames[:, 3:])


def test_segments_include_the_frames_before_them() -> None:
    x = tracks_of(3, 9)
    whole = whole_tracks(x, torch.arange(3), lags=2)
    assert whole.segments.shape == (3, 6, 4, 3, 2)
    assert torch.equal(whole.segments[:, 1], x[:, 1:5])
    assert (whole.steps, whole.track_steps) == (6, 6)
    drawn = next(iter(RandomFrames(x, 2, segments=5, steps=3, lags=2)(torch.Generator().manual_seed(0))))
    assert drawn.segments.shape == (2, 5, 6, 3, 2)
    assert (drawn.steps, drawn.track_steps) == (15, 6)
    every = next(iter(RandomFrames(x, 3, segments=None, steps=3, lags=2)(torch.Generator().manual_seed(0))))
    assert torch.equal(every.segments, torch.stack([x[every.tasks, :6], x[every.tasks, 3:9]], 1))


def test_conditionals_sum_to_the_loss_of_every_structure() -> None:
    composition = small_graph(3, lags=1)
    composition.view.opening.fill_(0.3)
    composition.view.steady.copy_(torch.randn(2, 2, generator=torch.Generator().manual_seed(4)))
    batch = whole_tracks(tracks_of(2, 6), torch.arange(2), lags=1)
    generator = torch.Generator().manual_seed(0)
    table = composition.conditional_losses(batch, random_structure(2, 6, 2, generator), torch.arange(2).expand(3, 2))
    for _ in range(10):
        z = random_structure(2, 6, 2, generator)
        number = (z[:, composition.groups] * torch.tensor([2, 1])).sum(-1)
        summed = table.gather(2, number[..., None]).sum((1, 2)) / (4 * 3 * 2)
        torch.testing.assert_close(summed.float(), composition.loss(batch, z))
    assert len(fillings(2, 2)) == table.shape[2]


def test_a_lag_replaces_a_velocity_that_was_not_recorded() -> None:
    """Entities move at constant velocities: one lag determines the next change exactly."""
    generator = torch.Generator().manual_seed(0)
    start, pace = torch.randn(4, 1, 3, 1, generator=generator), torch.randn(4, 1, 3, 1, generator=generator)
    batch = whole_tracks(start + pace * torch.arange(8)[:, None, None], torch.arange(4), lags=1)
    composition = small_graph(3, features=1, node_hidden=(2,), likelihood="shared", activation="relu", lags=1)
    with torch.no_grad():
        for parameter in composition.parameters():
            parameter.zero_()
        composition.node.weights[0][0, -1] = torch.tensor([1.0, -1.0])
        composition.node.weights[1][0, :, 0] = torch.tensor([1.0, -1.0])
    with torch.no_grad():
        assert float(composition.loss(batch, torch.zeros(4, 6, dtype=torch.long)).max()) < 1e-10


def test_search_inference_offsets_and_mirroring_work_with_lags() -> None:
    composition, x = small_graph(3, features=4, lags=1), tracks_of(5, 9, features=4)
    batches = Mirrored(RandomFrames(x, 5, 3, lags=1), ("x", "y", "vx", "vy"), unit_scaling(4))
    batch = next(iter(batches(torch.Generator().manual_seed(0))))
    assert batch.lags == 1
    z = random_structure(5, 6, 2, torch.Generator().manual_seed(0))
    move = HeatBath(5)(composition, None, batch, z, 1.0, torch.Generator().manual_seed(0))
    assert move.z.shape == (5, 6)
    before = infer(composition, x)
    assert before.probability.shape == (5, 6, 2)
    move_offsets(composition, x)
    torch.testing.assert_close(infer(composition, x).loss, before.loss)
