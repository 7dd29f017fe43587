"""Pictures of forecasts: where the future is unknown, and axes that follow the recordings."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots
from bouncegrad.results.forecast import Forecast, unknown_from
from bouncegrad.results.style import figure

CONTEXT, STEPS = 20, 12


@pytest.fixture
def data() -> Trajectories:
    """Two entities that walk at random in a box of width 2."""
    x = np.random.default_rng(0).uniform(-1, 1, (1, CONTEXT + STEPS, 2, 2))
    return Trajectories(x, dt=1.0, features=("x", "y"))


def forecast(data: Trajectories, width: np.ndarray, far: float = 0.0) -> Forecast:
    x = np.array(data.x[:, CONTEXT:])
    x[:, -1] += far
    return Forecast.of(data.frames(0, CONTEXT), x, x - width, x + width)


def widths(*last_known: int) -> np.ndarray:
    """Intervals of each entity that are wider than the box after some frames."""
    grown = np.arange(STEPS)[:, None] >= np.array(last_known)
    return np.where(grown, 9.0, 0.1)[None, :, :, None]


def test_the_future_is_unknown_where_intervals_hold_nearly_all_that_was_recorded(data):
    found = forecast(data, widths(5, STEPS))
    assert unknown_from(found.low[0], found.high[0], data.x).tolist() == [5, STEPS]
    wide = forecast(data, widths(0, 0))
    assert unknown_from(wide.low[0], wide.high[0], data.x).tolist() == [0, 0]
    gap = widths(5, 5)
    gap[:, 9] = 0.1  # it is known again later
    assert unknown_from(data.x[0, CONTEXT:] - gap[0], data.x[0, CONTEXT:] + gap[0], data.x).tolist() == [10, 10]
    nothing = np.full_like(found.low[0], np.nan)
    assert unknown_from(nothing, nothing, data.x).tolist() == [STEPS, STEPS]


@pytest.mark.parametrize("features", [("x", "y"), ("a", "b")])
def test_a_path_ends_with_a_question_mark_where_the_future_is_unknown(data, features):
    data = Trajectories(data.x, dt=1.0, features=features)
    _, ax = figure(4, 4)
    plots.forecast_fan(forecast(data, widths(5, STEPS)), data, 0, ax)
    marked = [line for line in ax.lines if line.get_marker() == "$?$"]
    assert len(marked) == 1
    dashed = [line for line in ax.lines if line.get_linewidth() == 2.0]
    assert [int(np.isfinite(line.get_ydata()).sum()) for line in dashed] == [6, STEPS + 1]
    assert "unknown from here" in {text.get_text() for text in ax.get_legend().get_texts()}


def test_axes_follow_the_recordings_and_not_a_forecast_far_away(data):
    _, ax = figure(4, 4)
    plots.forecast_fan(forecast(data, widths(STEPS, STEPS), far=1e4), data, 0, ax)
    for low, high in (ax.get_xlim(), ax.get_ylim()):
        assert -5 < low < -0.9
        assert 0.9 < high < 5
    assert not [line for line in ax.lines if line.get_marker() == "$?$"]


def test_the_error_axis_ends_at_thirty_times_standing_still():
    still, wild = np.linspace(0.01, 0.2, 50), np.geomspace(0.01, 1e22, 50)
    _, ax = figure(4, 4)
    plots.error_by_horizon({"free-running": wild, "static": still}, ax)
    assert ax.get_ylim()[1] == pytest.approx(6.0)
    assert any("beyond the axis: free-running up to 1e+22" in text.get_text() for text in ax.texts)
    _, ax = figure(4, 4)
    plots.error_by_horizon({"free-running": still / 2, "static": still}, ax)
    assert not ax.texts
