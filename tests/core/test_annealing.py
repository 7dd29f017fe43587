"""Annealers: each temperature equals values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bouncegrad.core.annealing import Fixed, Geometric, Tracked
from bouncegrad.core.residual import Residual
from bouncegrad.core.seams import Clock, Move, Unexplained
from bouncegrad.core.search import unexplained


def move(accepted_worse: int, refused_worse: int, better: int = 3) -> Move:
    """Returns a move with worse proposals, some of them accepted, and better proposals, all accepted."""
    accepted = torch.tensor([True] * accepted_worse + [False] * refused_worse + [True] * better)
    proposed = torch.tensor([2.0] * (accepted_worse + refused_worse) + [0.0] * better)
    return Move(torch.zeros(len(accepted), 1), accepted, torch.ones(len(accepted)), proposed)


def test_geometric_falls_from_the_first_temperature_to_1() -> None:
    """Users asked why the temperature was fixed instead of annealed."""
    annealer, seen = Geometric(300.0), [300.0]
    for step in range(101):
        annealer.update(Clock(step, step / 100, min(step / 60, 1.0)), move(0, 0))
        seen.append(annealer.temperature)
    assert seen[0] == 300.0
    assert seen[-1] == pytest.approx(1.0)
    assert seen == sorted(seen, reverse=True)
    assert seen[31] == pytest.approx(math.sqrt(300.0), rel=1e-9)
    assert seen[61:] == pytest.approx([1.0] * len(seen[61:]))


def test_geometric_is_infinite_while_hot_and_cools_from_there() -> None:
    annealer = Geometric(100.0, hot=0.1)
    assert annealer.temperature == math.inf
    for cooled, wanted in [(0.0, math.inf), (0.099, math.inf), (0.1, 100.0), (0.55, 10.0), (1.0, 1.0)]:
        annealer.update(Clock(0, 0.0, cooled), move(0, 0))
        assert annealer.temperature == pytest.approx(wanted)


def test_fixed_does_not_change() -> None:
    """Users asked why the temperature was fixed instead of annealed; both are possible."""
    annealer = Fixed(2.5)
    annealer.update(Clock(3, 0.7), move(1, 1))
    assert annealer.temperature == 2.5


@pytest.mark.parametrize(("accepted", "refused", "factor"), [(9, 1, 1 / 1.1), (1, 9, 1.1)])
def test_tracked_changes_once_a_pass_towards_the_wanted_acceptance(accepted: int, refused: int, factor: float) -> None:
    annealer = Tracked(1e-3)
    annealer.update(Clock(0, 0.0), move(accepted, refused))
    annealer.update(Clock(0, 0.0), move(accepted, refused))
    assert annealer.temperature == 1e-3
    annealer.update(Clock(1, 0.1), move(accepted, refused))
    assert annealer.temperature == pytest.approx(1e-3 * factor)


def test_the_wanted_acceptance_of_tracked_falls() -> None:
    """An acceptance of 20 % of worse moves is too low at first (exp(-1) = 37 %) and too high after 400 passes (3 %)."""
    early, late = Tracked(1.0), Tracked(1.0)
    late.epoch = 400
    early.update(Clock(0, 0.0), move(2, 8))
    early.update(Clock(1, 0.0), move(0, 0))
    late.update(Clock(400, 0.0), move(2, 8))
    late.update(Clock(401, 0.0), move(0, 0))
    assert early.temperature == pytest.approx(1.1)
    assert late.temperature == pytest.approx(1 / 1.1)


def with_residuals(mean_square: float, autocorrelation: float, tasks: int = 4, numbers: int = 100) -> Move:
    """Returns a move with these residuals."""
    nothing = torch.zeros(tasks)
    residuals = Unexplained(mean_square, numbers, autocorrelation)
    return Move(torch.zeros(tasks, 1), nothing > 0, nothing, nothing, unexplained=residuals)


def test_residual_is_twice_the_mean_square_per_independent_number() -> None:
    """Two visits of 1 and 3 tasks: s = (1 · 0.1 + 3 · 0.3) / 4 = 0.25, ρ = (1 · 0.2 + 3 · 0.6) / 4 = 0.5,
    T = 2 · 0.25 / (100 · (1 - 0.25)) = 1 / 150; after the next pass: 2 · 0.02 / 100."""
    annealer = Residual(7.0)
    annealer.update(Clock(0, 0.0), with_residuals(0.1, 0.2, tasks=1))
    annealer.update(Clock(0, 0.0), with_residuals(0.3, 0.6, tasks=3))
    assert annealer.temperature == 7.0
    annealer.update(Clock(1, 0.1), with_residuals(0.02, 0.0))
    assert annealer.temperature == pytest.approx(1 / 150)
    annealer.update(Clock(2, 0.2), with_residuals(math.inf, 0.0))
    assert annealer.temperature == pytest.approx(2 * 0.02 / 100)
    annealer.update(Clock(3, 0.3), with_residuals(0.5, -1.0))
    assert annealer.temperature == pytest.approx(2 * 0.02 / 100)  # residuals that are not finite are ignored
    annealer.update(Clock(4, 0.4), with_residuals(0.0, 0.0))
    assert annealer.temperature == pytest.approx(1.0)  # fully correlated errors count as one number


def test_mean_square_count_and_autocorrelation_of_residuals() -> None:
    """The residuals 1, 2, 3 and 2, 4, 6 are joined: frames 1, 2, 3, 2, 4 are followed by 2, 3, 2, 4, 6."""
    found = unexplained(torch.tensor([[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]])[..., None, None])
    assert found.numbers == 6
    assert found.mean_square == pytest.approx((1 + 4 + 9 + 4 + 16 + 36) / 6)
    assert found.autocorrelation == pytest.approx(np.corrcoef([1, 2, 3, 2, 4], [2, 3, 2, 4, 6])[0, 1])
    assert unexplained(torch.ones(2, 1, 1, 2, 2)).autocorrelation == 0.0
    assert unexplained(torch.ones(2, 3, 1, 2, 2)).autocorrelation == 0.0
    noise = torch.randn(200, 2, 11, 2, 2, generator=torch.Generator().manual_seed(0))
    assert unexplained(noise).autocorrelation == pytest.approx(0.0, abs=0.02)
    assert unexplained(noise.cumsum(2)).autocorrelation > 0.6


@pytest.mark.parametrize(
    ("make", "lasting"),
    [
        (
            lambda floor: Geometric(8.0, 1.0, floor=floor),
            lambda epoch: (Clock(epoch, epoch / 9, epoch / 9), move(0, 0)),
        ),
        (lambda floor: Tracked(8.0, floor=floor), lambda epoch: (Clock(epoch, epoch / 9), move(9, 1))),
        (lambda floor: Residual(8.0, floor=floor), lambda epoch: (Clock(epoch, epoch / 9), with_residuals(1e-3, 0.0))),
        (lambda floor: Fixed(2.0, floor=floor), lambda epoch: (Clock(epoch, epoch / 9), move(0, 0))),
    ],
)
def test_no_temperature_falls_below_its_floor(make, lasting) -> None:
    free, floored = make(1e-12), make(5.0)
    for epoch in range(10):
        for annealer in (free, floored):
            annealer.update(*lasting(epoch))
        assert floored.temperature >= 5.0
        assert floored.temperature == pytest.approx(max(free.temperature, 5.0))
    assert floored.temperature == 5.0


@pytest.mark.parametrize("make", [lambda: Geometric(50.0), lambda: Tracked(1e-4), lambda: Fixed(2.0)])
def test_state_round_trip(make) -> None:
    first, second = make(), make()
    for epoch in range(3):
        first.update(Clock(epoch, epoch / 10, epoch / 5), move(3, 4))
    second.load_state_dict(first.state_dict())
    for annealer in (first, second):
        annealer.update(Clock(3, 0.3, 0.6), move(3, 4))
    assert first.temperature == second.temperature
    assert first.state_dict() == second.state_dict()
