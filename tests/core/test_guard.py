"""Gradient steps: outliers are skipped, NaN stops the run with the name of the tensor, and learning recovers."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.batches import RandomFrames, whole_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.guard import MEMORY, WARMING, Guard
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.search import Metropolis
from bouncegrad.data.errors import InputError

from .conftest import make_known, random_batch, small_graph


def norms(guard: Guard, size: float, count: int) -> int:
    """Returns how many of `count` steps with this norm are outliers."""
    return sum(guard.is_outlier(size) for _ in range(count))


def test_a_norm_of_a_hundred_times_the_typical_norm_is_an_outlier() -> None:
    guard = Guard()
    assert norms(guard, 0.5, WARMING) == 0
    assert guard.typical == pytest.approx(math.log(0.5))
    assert norms(guard, 49.0, 1) == 0
    guard = Guard(steps=WARMING, typical=math.log(0.5))
    assert norms(guard, 51.0, 1) == 1
    assert norms(guard, math.inf, 1) == 1
    assert norms(guard, 0.0, 1) == 0


def test_a_norm_that_stays_large_becomes_typical() -> None:
    guard = Guard(steps=WARMING, typical=0.0)
    left_out = norms(guard, 1e6, 5 * MEMORY)
    assert 0 < left_out < 3 * MEMORY
    assert norms(guard, 1e6, MEMORY) == 0


def test_outliers_are_skipped_and_counted_and_other_gradients_are_clipped() -> None:
    weight = nn.Parameter(torch.zeros(2))
    optimizer, guard = torch.optim.SGD([weight], lr=1.0), Guard(clip=1.0, steps=WARMING, typical=math.log(3.0))
    for size in (1e3, 1e30):
        guard.step(optimizer, (weight * size).sum(), [])
    guard.step(optimizer, weight.sum() + math.inf, [])
    assert guard.skipped == 2 + 1
    assert torch.equal(weight.data, torch.zeros(2))
    guard.step(optimizer, weight @ torch.tensor([30.0, 40.0]), [])
    torch.testing.assert_close(weight.data, torch.tensor([-0.6, -0.8]))


def loop_of(composition, z, search=None, rate: float = 1e-3, **settings) -> BounceGrad:
    proposal, generator = Uniform(composition.groups, composition.choices), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(composition.parameters(), lr=rate)
    search = search or Metropolis()
    return BounceGrad(composition, search, proposal, Fixed(1e-9), z, generator, optimizer, **settings)


def test_outliers_that_are_not_left_out_count_as_a_typical_step() -> None:
    weight = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    guard = Guard(clip=1.0, leaves_out=False, steps=WARMING + MEMORY, typical=math.log(0.005))
    guard.step(optimizer, weight @ torch.tensor([30.0, 40.0]), [])
    typical = math.exp(guard.typical)
    assert 0.005 < typical < 0.006
    torch.testing.assert_close(weight.data, torch.tensor([-0.6, -0.8]) * typical)
    guard.step(optimizer, (weight * 1e38).sum() * 10, [])
    assert guard.skipped == 1  # its norm is infinite
    torch.testing.assert_close(weight.data, torch.tensor([-0.6, -0.8]) * typical)


def test_a_loss_that_is_not_a_number_stops_and_names_the_task() -> None:
    """Users reported losses that became NaN."""
    composition, batch = small_graph(3), random_batch(10, 6, 3)
    batch.segments[7] = math.nan
    loop = loop_of(composition, torch.zeros(10, 6, dtype=torch.long), HeatBath(10))
    before = copy.deepcopy(composition.state_dict())
    with pytest.raises(InputError, match="the loss of task 7 is not a number after 0 gradient steps; give a lower"):
        loop.step(loop.optimizer, batch, loop.z)
    assert all(torch.equal(before[k], v) for k, v in composition.state_dict().items())


def test_a_gradient_that_is_not_a_number_stops_and_names_the_first_tensor() -> None:
    """Users reported losses that became NaN."""
    composition = small_graph(3)
    loop = loop_of(composition, torch.zeros(10, 6, dtype=torch.long))
    for tensor in (composition.edge.weights[1], composition.node.weights[0]):
        tensor.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(InputError, match=r"the gradient of edge\.weights\.1 is not a number"):
        loop.step(loop.optimizer, random_batch(10, 6, 3), loop.z)


def test_a_learned_tensor_without_a_name_is_named_by_its_number() -> None:
    track = nn.Parameter(torch.zeros(2))
    track.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(InputError, match="the gradient of learned tensor 0 is not a number"):
        Guard().step(torch.optim.SGD([track], lr=1.0), track.sum(), [("other", torch.zeros(1))])


def test_the_message_has_one_line() -> None:
    assert "\n" not in str(Guard().stopped("the loss"))


class Forced:
    """Metropolis, except that in one visit a given structure is always accepted for the first task."""

    def __init__(self, structure: torch.Tensor) -> None:
        self.structure, self.search, self.force = structure, Metropolis(), False

    def __call__(self, composition, proposal, batch, z, temperature, generator) -> Move:
        move = self.search(composition, proposal, batch, z, temperature, generator)
        if self.force:
            move.z[batch.tasks == 0] = self.structure
            self.force = False
        return move

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@pytest.mark.parametrize("guarded", [True, False])
def test_training_recovers_from_a_structure_with_a_million_times_the_median_loss(guarded: bool, monkeypatch) -> None:
    """Users reported a very large loss after one bad structure; here type 1 pulls a thousand times too strongly."""
    if not guarded:
        monkeypatch.setattr("bouncegrad.core.guard.OUTLIER", math.inf)
    made = make_known(entities=3, tasks=64)
    composition = made.composition.train()
    z = torch.zeros_like(made.z)
    with torch.no_grad():
        composition.edge.weights[1][1] *= 1e3
        tracks = composition.rollout(made.tracks[:, :1], z, 11)[:, 0]
        tracks = torch.cat([made.tracks[:, :1], tracks], 1)
        tracks += 1e-3 * torch.randn(tracks.shape, generator=torch.Generator().manual_seed(3))
    search = Forced(torch.tensor([1, 1, 0, 0, 0, 0]))  # all edges into one entity change, as in one proposal
    loop = loop_of(composition, z, search)
    batches, losses = RandomFrames(tracks, 64, None), []

    def run(visits: int) -> None:
        loop.run([Clock(0, 0.0)] * visits, batches, lambda clock, batch, move, loss: losses.append(loss))

    run(60)
    before = float(torch.stack(losses[-5:]).mean())
    median = float(losses[-1].median())
    with torch.no_grad():
        bad = composition.loss(whole_tracks(tracks[:1], torch.tensor([0])), search.structure[None])
    assert float(bad) > 1e6 * median
    search.force = True
    run(1)
    assert float(losses[-1].mean()) > 1e4 * before
    assert loop.skipped == (1 if guarded else 0)
    run(20)
    recovered = float(losses[-1].mean()) < 1.5 * before
    assert recovered is guarded
