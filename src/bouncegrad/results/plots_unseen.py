"""The track of an entity that was not recorded, among those that were."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.labels import name_points
from bouncegrad.results.style import INK, MUTED, WRONG, bare, legend, plain
from bouncegrad.results.unseen import Unseen

FOUND: tuple[float, tuple[float, ...]] = (0, (4, 2))


def unseen_entity(
    found: Unseen,
    visible: Trajectories,
    task: int,
    ax: Axes,
    truth: Float[np.ndarray, "C H D"] | None = None,
) -> Axes:
    """Draws one task: visible tracks thin and grey, found ones thick and dashed, what truly was thick and solid.

    With features x and y paths in the plane, ending in a mark; otherwise the first feature against time.

    Args:
        found: of these recordings.
        visible: the recordings that it was found from.
        truth: states of the hidden entities, where they were recorded after all.
    """
    frames = found.tracks.shape[1]
    seen, hidden = np.asarray(visible.x[task, :frames], np.float64), found.tracks[task]
    planar = "x" in visible.features and "y" in visible.features
    if planar:
        bare(ax)
        axes = [visible.features.index("x"), visible.features.index("y")]
    else:
        plain(ax)
        time = np.arange(frames) * found.dt
        ax.set_xlabel("time" if found.dt != 1 else "frame")
        ax.set_ylabel(visible.features[0] + (f" ({visible.units[0]})" if visible.units[0] else ""))

    ends: dict[str, Any] = {}

    def draw(states: Float[np.ndarray, "C D"], name: str | None, **style: Any) -> None:
        x, y = states[:, axes].T if planar else (time, states[:, 0])
        ax.plot(x, y, **style)
        ax.plot(x[-1], y[-1], marker="o", markersize=4, color=style["color"], linestyle="none")
        if name:
            ends[name] = (x[-1], y[-1])

    for n, name in enumerate(visible.entities):
        draw(seen[:, n], name, color=MUTED, linewidth=0.9)
    lines: list[tuple[str, dict[str, Any]]] = [("visible", {"color": MUTED, "linewidth": 0.9})]
    if truth is not None:
        for states in np.asarray(truth, np.float64).swapaxes(0, 1):
            draw(states, None, color=INK, linewidth=1.6)
        lines.append(("true", {"color": INK, "linewidth": 1.6}))
    for states, name in zip(hidden.swapaxes(0, 1), found.unseen, strict=True):
        draw(states, name, color=WRONG, linewidth=2.0, linestyle=FOUND)
    lines.append(("found", {"color": WRONG, "linewidth": 2.0, "linestyle": FOUND}))
    name_points(ax, list(ends), np.array(list(ends.values())))
    if planar:
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.1)
    handles = [Line2D([], [], label=name, **style) for name, style in lines]
    legend(ax, handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax
