"""Figures of forecasts of one task: forecast and recording, and tracks with and without an entity."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bouncegrad.data.angles import continued, with_breaks
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast, unknown_from
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
    A path ends with a question mark where its interval holds nearly all that was recorded: from there on the future is
    unknown, see `unknown_from`. Axes follow the recordings; a forecast that leaves them by far is cut off.

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
    low, high = forecast.low[task].copy(), forecast.high[task].copy()
    if (xy := plane(data.features)) is not None:
        bare(ax)
        if data.periodic:
            at, raw = forecast.context - 1 - start, joined
            seen = continued(seen, data.periods)
            joined = continued(joined, data.periods)
            joined = joined + np.nan_to_num(seen[at] - joined[0])
            low, high = low + (joined - raw)[1:], high + (joined - raw)[1:]
        told = known_frames(forecast, data, task, xy)
        for n, frames in enumerate(told):
            joined[1 + frames :, n] = np.nan
        count = ELLIPSES if few else 1
        for n, ahead in enumerate(told):
            colour, marker = entity_style(n)
            some = np.unique(np.linspace(0, ahead - 1, min(count + 1, ahead)).round().astype(int))[-count:]
            ax.plot(*seen[:, n, xy].T, color=colour, linewidth=0.9)
            ax.plot(*joined[:, n, xy].T, color=colour, linewidth=2.0, linestyle=AHEAD)
            if ahead < forecast.x.shape[1]:
                ax.plot(*joined[ahead, n, xy], marker="$?$", markersize=7, color=colour, linestyle="none")
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
            name_points(ax, forecast.entities, np.stack([joined[told[n], n][xy] for n in range(len(told))]))
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
        keep_to(ax, seen[..., xy])
    else:
        plain(ax)
        period = float(data.periods[0])
        told = known_frames(forecast, data, task, [0])
        for n, frames in enumerate(told):
            joined[1 + frames :, n] = low[frames:, n] = high[frames:, n] = np.nan
        time = np.arange(start, start + len(seen)) * data.dt
        ahead = np.arange(forecast.context - 1, stop) * data.dt
        for n in range(len(forecast.entities)):
            colour, marker = entity_style(n)
            ax.plot(*with_breaks(time, seen[:, n, 0], period), color=colour, linewidth=0.9)
            ax.plot(*with_breaks(ahead, joined[:, n, 0], period), color=colour, linewidth=2.0, linestyle=AHEAD)
            end = "$?$" if told[n] < forecast.x.shape[1] else marker
            ax.plot(ahead[told[n]], joined[told[n], n, 0], marker=end, markersize=5, color=colour)
            below, above = low[:, n, 0], high[:, n, 0]
            ax.fill_between(ahead[1:], below, above, where=below <= above, color=colour, alpha=0.12, lw=0)
        if few:
            ends = joined[told, np.arange(len(told)), 0]
            name_points(ax, forecast.entities, np.stack([ahead[told], ends], 1))
        ax.axvline(ahead[0], color=MUTED, linewidth=0.8)
        ax.set_xlabel(time_label(data.dt))
        ax.set_ylabel(with_unit(data.features[0], data.units[0]))
    lines = ("recorded", {"linewidth": 0.9}), ("forecast", {"linewidth": 2.0, "linestyle": AHEAD}), "90 % interval"
    unknown = ("unknown from here", {"marker": "$?$", "linestyle": "none"})
    _key(ax, *lines, *([unknown] if (told < forecast.x.shape[1]).any() else []))
    return ax


def known_frames(forecast: Forecast, data: Trajectories, task: int, features: list[int]) -> Int[np.ndarray, " N"]:
    """Returns the number of frames of each entity of which the forecast tells something, by these features."""
    low, high = (end[task][..., features] for end in (forecast.low, forecast.high))
    return unknown_from(low, high, np.asarray(data.x, np.float64)[..., features])


def keep_to(ax: Axes, seen: Float[np.ndarray, "*B 2"]) -> None:
    """Ends the axes where they leave the recorded states by more than their own extent."""
    values = seen.reshape(-1, 2)
    values = values[np.isfinite(values).all(1)]
    if not len(values):
        return
    low, high = values.min(0), values.max(0)
    room = max(float((high - low).max()), 1e-12)
    limits = np.array([ax.get_xlim(), ax.get_ylim()]).T
    if (limits[0] < low - room).any() or (limits[1] > high + room).any():
        middle = (low + high) / 2
        ax.set_xlim(middle[0] - room, middle[0] + room)
        ax.set_ylim(middle[1] - room, middle[1] + room)


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
