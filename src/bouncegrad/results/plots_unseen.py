"""Figure of the inferred track of an unseen entity among the recorded tracks."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bouncegrad.data.angles import continued
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.labels import name_points, plane, time_label, with_unit
from bouncegrad.results.style import INK, MUTED, WRONG, Dash, bare, legend, plain
from bouncegrad.results.unseen import Unseen

FOUND: Dash = (0, (4, 2))  # line style of inferred tracks


def unseen_entity(
    found: Unseen,
    visible: Trajectories,
    task: int,
    ax: Axes,
    truth: Float[np.ndarray, "C H D"] | None = None,
) -> Axes:
    """Draws one task: recorded tracks thin and grey, inferred tracks thick and dashed, true tracks thick and solid.

    If the data has features x and y, paths in the plane are drawn, with a mark at their end. Otherwise, the first
    feature is drawn against time.

    Args:
        found: the inferred tracks.
        visible: the recordings from which they were inferred.
        task: index of the task.
        ax: the axes to draw into.
        truth: states of the hidden entities, if they were recorded.
    """
    frames = found.tracks.shape[1]
    seen, hidden = np.asarray(visible.x[task, :frames], np.float64), found.tracks[task]
    seen, hidden = continued(seen, visible.periods), continued(hidden, visible.periods)
    xy, time = plane(visible.features), np.arange(frames) * found.dt
    if xy is not None:
        bare(ax)
    else:
        plain(ax)
        ax.set_xlabel(time_label(found.dt))
        ax.set_ylabel(with_unit(visible.features[0], visible.units[0]))

    ends: dict[str, Any] = {}

    def draw(states: Float[np.ndarray, "C D"], name: str | None, **style: Any) -> None:
        x, y = (time, states[:, 0]) if xy is None else states[:, xy].T
        ax.plot(x, y, **style)
        ax.plot(x[-1], y[-1], marker="o", markersize=4, color=style["color"], linestyle="none")
        if name:
            ends[name] = (x[-1], y[-1])

    for n, name in enumerate(visible.entities):
        draw(seen[:, n], name, color=MUTED, linewidth=0.9)
    lines: list[tuple[str, dict[str, Any]]] = [("visible", {"color": MUTED, "linewidth": 0.9})]
    if truth is not None:
        for states in continued(np.asarray(truth, np.float64), visible.periods).swapaxes(0, 1):
            draw(states, None, color=INK, linewidth=1.6)
        lines.append(("true", {"color": INK, "linewidth": 1.6}))
    for states, name in zip(hidden.swapaxes(0, 1), found.unseen, strict=True):
        draw(states, name, color=WRONG, linewidth=2.0, linestyle=FOUND)
    lines.append(("found", {"color": WRONG, "linewidth": 2.0, "linestyle": FOUND}))
    name_points(ax, list(ends), np.array(list(ends.values())))
    if xy is not None:
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
    handles = [Line2D([], [], label=name, **style) for name, style in lines]
    legend(ax, handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax
