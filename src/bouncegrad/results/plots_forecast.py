"""Figures of forecasts of one task: forecast and recording, and tracks with and without an entity."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bouncegrad.data.angles import continued, with_breaks
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.labels import name_points, plane, time_label, with_unit
from bouncegrad.results.style import INK, MUTED, Dash, bare, entity_style, legend, plain

ELLIPSES = 4  # intervals per entity; more would hide the tracks
NAMED = 16  # names of more entities would overlap, and they have only the last interval
BEFORE = 20  # frames of the context that are drawn, as many as a report forecasts
AHEAD: Dash = (0, (4, 2))  # line style of forecasts


def forecast_fan(forecast: Forecast, data: Trajectories, task: int, ax: Axes) -> Axes:
    """Draws one task: recorded states as thin lines, the forecast as thick dashed lines with its 90 % interval.

    If the data has features x and y, paths in the plane are drawn, which go on over periodic walls. The interval is
    then drawn as ellipses at a few frames, among them the last one. Otherwise, the first feature is drawn against time,
    and the interval as a band.
    More than 16 entities have no names, and only one ellipse each.

    Args:
        forecast: the forecast.
        data: the recordings; frames after the context are drawn if there are any.
        task: index of the task.
        ax: the axes to draw into.
    """
    stop = forecast.context + forecast.x.shape[1]
    start = max(0, forecast.context - BEFORE)
    seen = np.asarray(data.x[task, start:stop], np.float64)
    joined = np.concatenate([forecast.last[task][None], forecast.x[task]])
    few = len(forecast.entities) <= NAMED
    low, high = forecast.low[task], forecast.high[task]
    if (xy := plane(data.features)) is not None:
        bare(ax)
        if data.periodic:
            at, raw = forecast.context - 1 - start, joined
            seen = continued(seen, data.periods)
            joined = continued(joined, data.periods)
            joined = joined + np.nan_to_num(seen[at] - joined[0])
            low, high = low + (joined - raw)[1:], high + (joined - raw)[1:]
        ahead = forecast.x.shape[1]
        count = ELLIPSES if few else 1
        some = np.unique(np.linspace(0, ahead - 1, min(count + 1, ahead)).round().astype(int))[-count:]
        for n in range(len(forecast.entities)):
            colour, marker = entity_style(n)
            ax.plot(*seen[:, n, xy].T, color=colour, linewidth=0.9)
            ax.plot(*joined[:, n, xy].T, color=colour, linewidth=2.0, linestyle=AHEAD)
            above, below = high[some][:, n, xy].T, low[some][:, n, xy].T
            size, middle = above - below, (above + below) / 2
            ax.add_collection(
                EllipseCollection(
                    size[0],
                    size[1],
                    np.zeros(size.shape[1]),
                    units="xy",
                    offsets=middle.T,
                    transOffset=ax.transData,
                    facecolors=to_rgba(colour, 0.1),
                    edgecolors=to_rgba(colour, 0.45),
                    linewidths=0.5,
                ),
                autolim=False,  # wide intervals must not make the tracks too small to see
            )
            ax.plot(*joined[0, n, xy], marker=marker, markersize=5.5, color=colour)
        if few:
            name_points(ax, forecast.entities, joined[-1][:, xy])
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
    else:
        plain(ax)
        period = float(data.periods[0])
        time = np.arange(start, start + len(seen)) * data.dt
        ahead = np.arange(forecast.context - 1, stop) * data.dt
        for n in range(len(forecast.entities)):
            colour, marker = entity_style(n)
            ax.plot(*with_breaks(time, seen[:, n, 0], period), color=colour, linewidth=0.9)
            ax.plot(*with_breaks(ahead, joined[:, n, 0], period), color=colour, linewidth=2.0, linestyle=AHEAD)
            ax.plot(ahead[-1], joined[-1, n, 0], marker=marker, markersize=5, color=colour)
            below, above = low[:, n, 0], high[:, n, 0]
            ax.fill_between(ahead[1:], below, above, where=below <= above, color=colour, alpha=0.12, lw=0)
        if few:
            name_points(ax, forecast.entities, np.stack([np.full(joined.shape[1], ahead[-1]), joined[-1, :, 0]], 1))
        ax.axvline(ahead[0], color=MUTED, linewidth=0.8)
        ax.set_xlabel(time_label(data.dt))
        ax.set_ylabel(with_unit(data.features[0], data.units[0]))
    _key(ax, ("recorded", {"linewidth": 0.9}), ("forecast", {"linewidth": 2.0, "linestyle": AHEAD}), "90 % interval")
    return ax


def counterfactual(found: Counterfactual, task: int, ax: Axes) -> Axes:
    """Draws the forecasts of one task with all entities (thin lines) and without one (thick dashed lines).

    If the data has features x and y, paths in the plane are drawn, and a cross marks the removed entity. Otherwise, the
    first feature is drawn against time.
    """
    both = [np.concatenate([found.last[task][None], path[task]]) for path in (found.with_entity, found.without_entity)]
    if (xy := plane(found.features)) is not None:
        bare(ax)
        both = [continued(path, np.array(found.periods or [0.0])) for path in both]
        for n in range(len(found.entities)):
            colour, marker = entity_style(n + (n >= found.removed_number))
            ax.plot(*both[0][:, n, xy].T, color=colour, linewidth=0.9)
            ax.plot(*both[1][:, n, xy].T, color=colour, linewidth=2.0, linestyle=AHEAD)
            ax.plot(*both[0][0, n, xy], marker=marker, markersize=5.5, color=colour)
        at = found.removed_last[task][xy]
        ax.plot(*at, marker="x", markersize=9, markeredgewidth=2, color=INK, linestyle="none")
        name_points(ax, [*found.entities, found.removed], np.concatenate([both[1][-1][:, xy], at[None]]))
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
    else:
        plain(ax)
        period = found.periods[0] if found.periods else 0.0
        time = np.arange(found.context - 1, found.context + found.with_entity.shape[1]) * found.dt
        for n in range(len(found.entities)):
            colour, marker = entity_style(n + (n >= found.removed_number))
            ax.plot(*with_breaks(time, both[0][:, n, 0], period), color=colour, linewidth=0.9)
            ax.plot(*with_breaks(time, both[1][:, n, 0], period), color=colour, linewidth=2.0, linestyle=AHEAD)
            ax.plot(time[-1], both[1][-1, n, 0], marker=marker, markersize=5, color=colour)
        name_points(ax, found.entities, np.stack([np.full(len(found.entities), time[-1]), both[1][-1, :, 0]], 1))
        ax.set_xlabel(time_label(found.dt))
        ax.set_ylabel(found.features[0])
    without = (f"without {found.removed}", {"linewidth": 2.0, "linestyle": AHEAD})
    _key(ax, ("with all entities", {"linewidth": 0.9}), without)
    return ax


def _key(ax: Axes, *lines: tuple[str, dict[str, Any]] | str) -> None:
    """Draws a legend for line styles, in a colour that no entity has."""
    handles: list[Any] = [
        Patch(facecolor=MUTED, alpha=0.25, label=line)
        if isinstance(line, str)
        else Line2D([], [], color=MUTED, label=line[0], **line[1])
        for line in lines
    ]
    # The legend is outside the drawing, since tracks and intervals may be anywhere inside.
    beside = {"ncols": 3, "columnspacing": 0.9, "handlelength": 1.7, "handletextpad": 0.4}
    legend(ax, handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), **beside)
