"""Intervals of forecasts: a width that contains a share of the errors, and the widening at each horizon."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.compositions.forecaster import Forecaster, spread_loss
from bouncegrad.core.spread import HORIZONS, Futures, futures, widened, widening
from tests.core.conftest import small_graph

TASKS, FRAMES = 200, 30


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


def test_intervals_contain_90_percent_of_every_feature_at_the_end_of_recordings(forecaster, tracks) -> None:
    z = torch.zeros(TASKS, forecaster.slots, dtype=torch.long)
    found = widening(forecaster, tracks, z, torch.Generator().manual_seed(2))
    assert found.shape == (HORIZONS, 2)
    start = tracks[:, -1 - HORIZONS][:, None]
    drawn = futures(forecaster, start, z.expand(64, -1, -1), z, HORIZONS, torch.Generator().manual_seed(3))
    future = widened(drawn, found)
    truth = tracks[:, -HORIZONS:]
    within = ((future.low[:, 0] <= truth) & (truth <= future.high[:, 0])).float().mean((0, 2))
    assert within[-1].tolist() == pytest.approx([0.9, 0.9], abs=0.02)


def test_only_the_end_of_recordings_counts(forecaster, tracks) -> None:
    z = torch.zeros(TASKS, forecaster.slots, dtype=torch.long)
    changed = tracks.clone()
    changed[:, : FRAMES - 1 - HORIZONS] = 7.0
    one, other = (widening(forecaster, x, z, torch.Generator().manual_seed(2)) for x in (tracks, changed))
    assert torch.equal(one, other)


def test_beyond_the_last_horizon_the_last_factors_are_used() -> None:
    width = torch.ones(1, 1, 3, 1, 2)
    found = widened(Futures(0 * width, -width, 2 * width), torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    assert found.low[0, 0, :, 0].tolist() == [[-1, -10], [-3, -30], [-3, -30]]
    assert found.high[0, 0, :, 0].tolist() == [[2, 20], [6, 60], [6, 60]]


def test_short_recordings_repeat_their_last_factors(forecaster, tracks) -> None:
    z = torch.zeros(TASKS, forecaster.slots, dtype=torch.long)
    found = widening(forecaster, tracks[:, :4], z, torch.Generator().manual_seed(2))
    assert torch.equal(found[2:], found[2].expand(HORIZONS - 2, 2))
