"""The loop: visits of tasks, effects of a gradient step, and resuming from a saved state."""

from __future__ import annotations

import copy

import pytest
import torch

from bouncegrad.core.annealing import Fixed, Geometric, Tracked
from bouncegrad.core.batches import RandomFrames, scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.proposals import Learned, Uniform
from bouncegrad.core.seams import Clock
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import random_structure
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories

from .conftest import make_known, small_graph


def loop_of(composition, search, tasks: int, learns: bool = True, **parts) -> BounceGrad:
    generator = torch.Generator().manual_seed(0)
    z = random_structure(tasks, composition.slots, composition.choices, generator)
    optimizer = torch.optim.Adam(composition.parameters(), lr=1e-2) if learns else None
    parts = {"proposal": Uniform(composition.groups, composition.choices), "annealer": Fixed(1.0)} | parts
    return BounceGrad(composition, search, z=z, generator=generator, optimizer=optimizer, **parts)


def tracks(tasks: int = 10, frames: int = 6, entities: int = 3) -> torch.Tensor:
    return torch.randn(tasks, frames, entities, 2, generator=torch.Generator().manual_seed(2))


def clocks(start: int, stop: int, total: int = 8):
    return (Clock(epoch, epoch / total, min(epoch / (0.6 * total), 1.0)) for epoch in range(start, stop))


def test_a_pass_can_visit_only_some_tasks() -> None:
    batches, generator = RandomFrames(tracks(), 3, 2), torch.Generator().manual_seed(0)
    batches.few = torch.tensor([7, 1, 4, 2])
    visited = [batch.tasks for batch in batches(generator)]
    assert len(visited) == 2
    assert torch.cat(visited).sort().values.tolist() == [1, 2, 4, 7]
    batches.few = None
    assert torch.equal(torch.cat([batch.tasks for batch in batches(generator)]).sort().values, torch.arange(10))


def test_an_epoch_visits_every_task_once_and_reports_every_batch() -> None:
    composition, seen = small_graph(3), []
    loop = loop_of(composition, HeatBath(10), 10)
    loop.run(clocks(0, 3), RandomFrames(tracks(), 4, 2), lambda clock, batch, move, loss: seen.append((clock, batch)))
    assert [clock.epoch for clock, _ in seen] == [0] * 3 + [1] * 3 + [2] * 3
    for epoch in range(3):
        visited = torch.cat([batch.tasks for clock, batch in seen if clock.epoch == epoch])
        assert sorted(visited.tolist()) == list(range(10))
    assert all(len(batch.tasks) in (3, 4) for _, batch in seen)


def test_without_an_optimizer_modules_stay_and_structures_are_found(known) -> None:
    known.composition.variance.fill_(1e-8)
    loop = loop_of(known.composition, HeatBath(12, decay=0.0), 12, learns=False)
    before = copy.deepcopy(known.composition.state_dict())
    losses = []
    loop.run(clocks(0, 1), RandomFrames(known.tracks, 12, 11), lambda clock, batch, move, loss: losses.append(loss))
    assert losses == [None]
    assert torch.equal(loop.z, known.z)
    assert all(torch.equal(before[k], v) for k, v in known.composition.state_dict().items())


def test_gradient_steps_learn_the_law_from_known_structures() -> None:
    """With the true structure, the loss falls far below the variance of the changes."""
    made = make_known(entities=3, tasks=40)
    composition = small_graph(3, features=1, edge_hidden=(16,), node_hidden=(16,), likelihood="shared")
    loop = loop_of(composition, HeatBath(40), 40)
    assert loop.optimizer is not None
    generator = torch.Generator().manual_seed(0)
    batches = RandomFrames(made.tracks, 40, 8)
    first = last = 0.0
    for _ in range(300):
        batch = next(batches(generator))
        last = float(loop.step(loop.optimizer, batch, made.z[batch.tasks]).mean())
        first = first or last
    assert last < first / 50


def parts_of(kind: str, composition) -> dict:
    if kind == "heat-bath":
        return {"search": HeatBath(10, 0.7), "annealer": Geometric(20.0, hot=0.15)}
    encoder = TrackEncoder(6, 2, 2, composition.pairs, torch.Generator().manual_seed(4), hidden=8)
    return {"search": Metropolis(), "annealer": Tracked(1.0), "proposal": Learned(encoder, composition.groups)}


@pytest.mark.parametrize("kind", ["heat-bath", "paper"])
def test_a_resumed_loop_equals_an_unbroken_one(kind: str) -> None:
    def made() -> BounceGrad:
        composition = small_graph(3)
        parts = parts_of(kind, composition)
        return loop_of(composition, parts.pop("search"), 10, **parts)

    batches, quiet = RandomFrames(tracks(), 4, 2), lambda *_: None
    unbroken, first, second = made(), made(), made()
    unbroken.run(clocks(0, 8), batches, quiet)
    first.run(clocks(0, 3), batches, quiet)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.run(clocks(3, 8), batches, quiet)
    assert torch.equal(second.z, unbroken.z)
    for key, value in unbroken.composition.state_dict().items():
        assert torch.equal(second.composition.state_dict()[key], value), key


def test_random_frames_are_frames_of_the_tracks_in_order() -> None:
    x = torch.arange(2 * 7).view(2, 7, 1, 1).float()
    for batch in RandomFrames(x, 1, 3, steps=2)(torch.Generator().manual_seed(0)):
        assert batch.segments.shape == (1, 3, 3, 1, 1)
        assert (batch.segments.diff(dim=2) == 1).all()
        assert torch.isin(batch.segments, x[batch.tasks]).all()
    (every,) = RandomFrames(x, 2, None, steps=3)(torch.Generator().manual_seed(0))
    assert every.segments[:, :, 0, 0, 0].sort(0).values.tolist() == [[0, 3], [7, 10]]


def test_tracks_are_scaled_with_the_statistics_of_the_training_part() -> None:
    data = Trajectories(torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0)).numpy() * 5 + 3)
    scaled = scaled_tracks(data, Scaling.fit(data))
    torch.testing.assert_close(scaled.mean((0, 1, 2)), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1, 2), correction=0), torch.ones(2))
