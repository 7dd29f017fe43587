"""Figure of recordings with what looks wrong marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator

from bouncegrad.data.doubts import Doubts, doubts_of
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.labels import plane
from bouncegrad.results.plots_tracks import tracks
from bouncegrad.results.style import MUTED, WRONG, plain

TASKS = 4  # that are drawn at most
SIDE = 4.6  # inches of each of them
MARKS = ("X", "s", "D", "o", "v", "^")
_STYLE: dict[str, Any] = {
    "linestyle": "none",
    "markersize": 8,
    "markerfacecolor": "none",
    "markeredgecolor": WRONG,
    "zorder": 6,
}


def doubtful(data: Trajectories) -> Figure:
    """Returns a figure of the tasks in which most states look wrong, at most four; of the first one if none does.

    In the plane, each such state has a mark, of another form for each kind of fault. Against time, its time has a line.
    """
    found = doubts_of(data)
    count = sum((states.sum((1, 2)) for states in found.values()), np.zeros(len(data.tasks), int))
    chosen = np.sort(np.argsort(-count, kind="stable")[: max(1, min(TASKS, int((count > 0).sum())))])
    wide = min(2, len(chosen))
    made = Figure(figsize=(SIDE * wide, SIDE * -(-len(chosen) // wide)), layout="constrained")
    FigureCanvasAgg(made)
    for ax, task in zip(np.ravel(made.subplots(-(-len(chosen) // wide), wide, squeeze=False)), chosen, strict=False):
        tracks(data, int(task), ax)
        _numbered(ax)
        faults = {name: states[task] for name, states in found.items() if states[task].any()}
        _mark(data, int(task), ax, faults, list(found))
        said = ", ".join(f"{name}: {int(states.sum())}" for name, states in faults.items()) or "nothing looks wrong"
        ax.set_title(f"task {data.tasks[task]}. {said}", fontsize=9, wrap=True)
    for ax in made.axes[len(chosen) :]:
        ax.set_visible(False)
    _legend(made, found)
    return made


def _numbered(ax: Axes) -> None:
    """Draws the axes with numbers: the places of marks have a meaning, such as (0, 0) of lost entities."""
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(True)
    for axis in (ax.xaxis, ax.yaxis):
        if not len(axis.get_ticklocs()):
            axis.set_major_locator(AutoLocator())
    plain(ax)


def _mark(
    data: Trajectories, task: int, ax: Axes, faults: dict[str, Bool[np.ndarray, "T N"]], kinds: list[str]
) -> None:
    """Marks the states of one task that look wrong."""
    xy = plane(data.features)
    for name, states in faults.items():
        if xy is None:
            for frame in np.flatnonzero(states.any(1)):
                ax.axvline(frame * data.dt, color=WRONG, linewidth=0.6, alpha=0.6, zorder=1)
            continue
        at = data.x[task][states][:, xy]
        ax.plot(*at.T, marker=MARKS[kinds.index(name)], **_STYLE)


def _legend(made: Figure, found: Doubts) -> None:
    """Names the marks, if there are any."""
    handles = [Line2D([], [], marker=mark, label=name, **_STYLE) for mark, name in zip(MARKS, found, strict=False)]
    if handles:
        made.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8, labelcolor=MUTED)
