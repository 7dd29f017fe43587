"""Intervals of forecasts: a width that contains a share of the errors, and the widening at each horizon."""

from __future__ import annotations

import math

import pytest
import torch

from bouncegrad.core.compositions.forecaster import Forecaster, spread_loss
from bouncegrad.core.damping import Shrinkage, lengths_to
from bouncegrad.core.spread import (
    FEWEST,
    JUDGED,
    MOST_CARRIED,
    Calibrated,
    Futures,
    calibrated,
    ensemble,
    judged,
    trend,
    widened,
    widening,
)
from tests.core.conftest import small_graph

TASKS, FRAMES, HORIZONS = 100, 30, 20


@pytest.fixture
def forecaster() -> Forecaster:
    """A forecaster that predicts no change."""
    graph, generator = small_graph(3, likelihood="shared"), torch.Generator().manual_seed(0)
    for weights in graph.node.parameters():
        weights.data.zero_()
    return Forecaster(graph, torch.ones(2), torch.arange(2), (8,), generator, horizons=HORIZONS).eval()


@pytest.fixture
def tracks() -> torch.Tensor:
    """Tracks with heavy-tailed steps; the second feature is ten times the first."""
    steps = torch.randn(TASKS, FRAMES, 3, 2, generator=torch.Generator().manual_seed(1)).pow(3)
    return steps.cumsum(1) * torch.tensor([0.01, 0.1])


def test_the_loss_is_least_if_the_standard_deviation_contains_its_share_of_errors() -> None:
    error = torch.cat([torch.full((69,), 0.5), torch.full((31,), 1e6)])
    at = [float(spread_loss(error, 2 * torch.tensor(width).log()).mean()) for width in (0.25, 0.49, 0.5, 0.51, 2.0)]
    assert min(at) == at[2]
    assert spread_loss(torch.zeros(1), torch.zeros(1)).isfinite().all()


def calibration(forecaster, tracks) -> Calibrated:
    z = torch.zeros(len(tracks), forecaster.slots, dtype=torch.long)
    shrinkage = Shrinkage([[0], [1]], torch.tensor([False, False]))
    return calibrated(forecaster, (tracks, z), (tracks, z), shrinkage, torch.Generator().manual_seed(2))


def test_intervals_contain_90_percent_of_every_feature_at_the_end_of_recordings(forecaster, tracks) -> None:
    found = calibration(forecaster, tracks)
    assert found.widening.shape == (HORIZONS, 2)
    z = torch.zeros(TASKS, forecaster.slots, dtype=torch.long)
    start = tracks[:, -1 - HORIZONS][:, None]
    drawn = ensemble(
        forecaster.damped_by(found.damping), start, z.expand(64, -1, -1), z, HORIZONS, torch.Generator().manual_seed(3)
    )
    future = widened(drawn.futures(), found.widening)
    truth = tracks[:, -HORIZONS:]
    within = ((future.low[:, 0] <= truth) & (truth <= future.high[:, 0])).float().mean((0, 2))
    assert within[-1].tolist() == pytest.approx([0.9, 0.9], abs=0.07)
    assert within.mean(0).tolist() == pytest.approx([0.9, 0.9], abs=0.03)
    assert within.min() > 0.8


def test_only_the_end_of_recordings_counts(forecaster, tracks, monkeypatch) -> None:
    monkeypatch.setattr("bouncegrad.core.spread.JUDGED", 10)
    changed = tracks.clone()
    changed[:, : FRAMES - 1 - HORIZONS] = 7.0
    for one, other in zip(calibration(forecaster, tracks), calibration(forecaster, changed), strict=True):
        assert torch.equal(one, other)


def test_many_entities_and_long_recordings_are_judged_by_fewer_tasks(forecaster, tracks, monkeypatch) -> None:
    assert judged(forecaster, tracks) == JUDGED
    monkeypatch.setattr("bouncegrad.core.spread.MESSAGES", 1)
    assert judged(forecaster, tracks) == FEWEST
    assert calibration(forecaster, tracks[:1]).widening.isfinite().all()


def test_beyond_the_last_horizon_the_last_factors_are_used() -> None:
    width = torch.ones(1, 1, 3, 1, 2)
    found = widened(Futures(0 * width, -width, 2 * width), torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    assert found.low[0, 0, :, 0].tolist() == [[-1, -10], [-3, -30], [-3, -30]]
    assert found.high[0, 0, :, 0].tolist() == [[2, 20], [6, 60], [6, 60]]


def test_short_recordings_repeat_their_last_factors(forecaster, tracks) -> None:
    found = calibration(forecaster, tracks[:, :4])
    assert torch.equal(found.widening[2:], found.widening[2].expand(HORIZONS - 2, 2))
    assert torch.equal(found.damping[2:], found.damping[2].expand(HORIZONS - 2, 2, 3))


def uniform(length: int) -> torch.Tensor:
    """Misses of 400 tasks, uniform from 0 to 1: f_h is 0.9."""
    return torch.rand(400, length, 3, 2, generator=torch.Generator().manual_seed(0))


def test_a_trend_is_carried_on_to_the_end_of_the_recordings() -> None:
    """Forecasts of 16 frames start 16 or 20 frames before the end; those of 24 frames start 24 frames before it."""
    missed = {length: uniform(length) for length in lengths_to(24)}
    flat, found = widening(missed, 30, [[0], [1]]), widening(missed, 30, [[0], [1]], 0.01)
    assert flat[:24].flatten().tolist() == pytest.approx([0.9] * 48, abs=0.06)
    assert float(found[15, 0] / flat[15, 0]) == pytest.approx(math.exp(0.01 * (16 + 20) / 2))
    assert float(found[23, 0] / flat[23, 0]) == pytest.approx(math.exp(0.01 * 24))
    assert torch.equal(found[24:], found[23].expand(6, 2))
    steep = widening(missed, 30, [[0], [1]], 9.0)
    torch.testing.assert_close(steep, MOST_CARRIED * flat)


def test_the_trend_is_the_slope_of_the_logarithm_against_the_start() -> None:
    base = uniform(8)
    rising = {start: base * math.exp(0.01 * start) for start in (24, 32, 40)}
    assert trend(rising, [[0], [1]]) == pytest.approx(0.01, rel=1e-3)
    assert trend({start: base * math.exp(-0.01 * start) for start in (24, 32, 40)}, [[0], [1]]) == 0.0
    assert trend({40: base}, [[0], [1]]) == 0.0
    assert trend({start: of[:5] for start, of in rising.items()}, [[0], [1]]) == 0.0


def test_a_trend_that_chance_may_explain_does_not_count() -> None:
    generator = torch.Generator().manual_seed(1)
    found = [
        trend({start: torch.rand(40, 2, 3, 2, generator=generator) for start in (4, 8, 12)}, [[0], [1]])
        for _ in range(20)
    ]
    assert found.count(0.0) >= 18


def test_errors_that_grow_in_the_course_of_recordings_widen_intervals(forecaster, tracks) -> None:
    """Steps grow by 5 % a frame, in all recordings; those that were held out are too few to show it."""
    steps = (tracks[:, 1:] - tracks[:, :-1]) * torch.exp(0.05 * torch.arange(FRAMES - 1))[:, None, None]
    growing, z = steps.cumsum(1), torch.zeros(TASKS, forecaster.slots, dtype=torch.long)
    few, shrinkage = (growing[:4], z[:4]), Shrinkage([[0], [1]], torch.tensor([False, False]))
    drawn = [
        calibrated(forecaster, few, every, shrinkage, torch.Generator().manual_seed(2)) for every in (few, (growing, z))
    ]
    assert torch.equal(drawn[0].damping, drawn[1].damping)
    grown = drawn[1].widening / drawn[0].widening
    assert (grown > math.exp(0.04)).all()
    assert (grown.diff(dim=0)[-1] >= 0).all()
