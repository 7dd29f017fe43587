"""Figure of the recorded motion of one task: paths in the plane, or features against time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from bouncegrad.data.angles import continued, with_breaks
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.labels import name_points, plane, time_label, with_unit
from bouncegrad.results.style import FAINT, MUTED, bare, entity_style, legend, plain

POINTS = 6000  # largest number of drawn points per task, so that files stay small; frames are skipped evenly
NAMED = 16  # names of more entities would overlap
LETTERS = 32  # about this many letters fit into one line of a legend
FADES, PIECES = 10, 300  # steps in which a path fades in; fewer if there would be more pieces than this in all


def tracks(
    data: Trajectories,
    task: int,
    ax: Axes,
    *,
    edges: Int[np.ndarray, "N N"] | None = None,
    without_type: int = 0,
) -> Axes:
    """Draws one task: paths in the plane if the data has features x and y, otherwise every feature against time.

    Paths fade in with time. They start with a hollow mark at the first frame and end with a filled mark at the last
    one. Frames that were not observed leave gaps, and so does an angle that wraps. Paths go on over periodic walls. If
    there are more than 16 entities, names are left out.

    Args:
        data: the recordings.
        task: index of the task.
        ax: the axes to draw into.
        edges: edge types `[source, target]`. Pairs of any type but `without_type` are connected by a thin line between
            their last positions.
        without_type: the type that means "no interaction".
    """
    xy = plane(data.features)
    if xy is None:
        return _against_time(data, task, ax)
    return _paths(continued(_seen(data, task)[..., xy], data.periods[xy]), data.entities, ax, edges, without_type)


def _seen(data: Trajectories, task: int) -> Float[np.ndarray, "T N D"]:
    """Returns the states of one task; states that were not observed are NaN."""
    x = np.array(data.x[task], dtype=np.float64)
    if data.mask is not None:
        x[~data.mask[task]] = np.nan
    return x


def _stride(x: Float[np.ndarray, "T N D"]) -> int:
    """Returns n such that every n-th frame is drawn."""
    return max(1, x.shape[0] * x.shape[1] // POINTS)


def _paths(
    x: Float[np.ndarray, "T N 2"],
    names: Sequence[str],
    ax: Axes,
    edges: Int[np.ndarray, "N N"] | None,
    without_type: int,
) -> Axes:
    """Draws paths in the plane."""
    bare(ax)
    x = x[:: _stride(x)]
    known = np.isfinite(x).all(-1)
    last = [np.flatnonzero(known[:, n])[-1] if known[:, n].any() else None for n in range(x.shape[1])]
    if edges is not None:
        joined = [
            (x[last[s], s], x[last[t], t])
            for s, t in zip(*np.nonzero((edges != without_type) & ~np.eye(len(edges), dtype=bool)), strict=True)
            if last[s] is not None and last[t] is not None
        ]
        ax.add_collection(LineCollection(joined, colors=MUTED, linewidths=0.8, alpha=0.6, zorder=1))
    for n, end in enumerate(last):
        if end is None:
            continue
        colour, marker = entity_style(n)
        start = int(np.flatnonzero(known[:, n])[0])
        _trail(ax, x[start : end + 1, n], colour, max(2, min(FADES, PIECES // x.shape[1])))
        point: dict[str, Any] = {
            "marker": marker,
            "markersize": 5.5,
            "markeredgecolor": colour,
            "linestyle": "none",
            "zorder": 4,
        }
        ax.plot(*x[start, n], markerfacecolor="none", markeredgewidth=1.0, **point)
        ax.plot(*x[end, n], markerfacecolor=colour, **point)
    if len(names) <= NAMED:
        ends = np.array([[np.nan, np.nan] if end is None else x[end, n] for n, end in enumerate(last)])
        name_points(ax, names, ends)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.08)
    return ax


def _trail(ax: Axes, path: Float[np.ndarray, "T 2"], colour: str, fades: int) -> None:
    """Draws one path in pieces that share their ends, from faint to full colour."""
    borders = np.unique(np.linspace(0, len(path) - 1, fades + 1).round().astype(int))
    pieces = [path[a : b + 1] for a, b in pairwise(borders)]
    alphas = np.linspace(0.18, 1.0, len(pieces))
    ax.add_collection(LineCollection(pieces, colors=colour, alpha=alphas, linewidths=1.3, capstyle="butt", zorder=2))


def _against_time(data: Trajectories, task: int, ax: Axes) -> Axes:
    """Draws every feature in a band of its own, the first on top. A single feature keeps its own scale."""
    plain(ax, grid=None)
    x = _seen(data, task)
    stride = _stride(x)
    time = np.arange(x.shape[0])[::stride] * data.dt
    x = x[::stride]
    bands = x.shape[-1]
    periods = data.periods
    for feature in range(bands):
        values, period = x[..., feature], float(periods[feature])
        if bands > 1:
            low, width = _range(values)
            values, period = bands - 1 - feature + 0.85 * (values - low) / width, 0.85 * period / width
        for n, name in enumerate(data.entities):
            colour, marker = entity_style(n)
            every = max(1, len(time) // 8)
            ax.plot(
                *with_breaks(time, values[:, n], period),
                color=colour,
                linewidth=1.1,
                marker=marker,
                markersize=3,
                markevery=(n * every // len(data.entities), every),
                label=name if feature == 0 else None,
            )
    named = [with_unit(feature, unit) for feature, unit in zip(data.features, data.units, strict=True)]
    if bands > 1:
        ax.set_yticks(np.arange(bands)[::-1] + 0.42, named)
        for border in range(1, bands):
            ax.axhline(border - 0.075, color=FAINT, linewidth=0.7)
    else:
        ax.set_ylabel(named[0])
    ax.set_xlabel(time_label(data.dt))
    if len(data.entities) <= NAMED:
        columns = max(1, LETTERS // (4 + max(map(len, data.entities))))
        beside: dict[str, Any] = {"handlelength": 1.4, "columnspacing": 0.9, "handletextpad": 0.4}
        legend(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, **beside)
    return ax


def _range(values: Float[np.ndarray, "T N"]) -> tuple[float, float]:
    """Returns `low` and `width` such that `(values - low) / width` is in [0, 1]; a constant is 0.5."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return (low, high - low) if high > low else (low - 0.5, 1.0)
