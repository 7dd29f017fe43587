"""Names beside points of a drawing, each on the side where it is read best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from bouncegrad.results.style import INK, backing

CORNERS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
BESIDE = np.array([0.06, 0.05])  # about where a name stands, in widths of the drawing
CLEAR = 0.08  # so far from other names and points a name is read with ease


def corners(points: Float[np.ndarray, "P 2"]) -> list[tuple[int, int]]:
    """On which side of each point its name goes: away from the middle, unless another name or point is there.

    Greedy in the order of points: a name that would stand in the way goes to the corner with most room.

    Example:
        >>> corners(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]))
        [(-1, -1), (1, 1), (1, -1)]
    """
    width = max(float(np.ptp(points, axis=0).max()), 1e-12)
    at = (points - points.mean(0)) / width
    taken: list[np.ndarray] = []
    chosen = []
    for n, point in enumerate(at):
        outside = np.where(point >= 0, 1, -1)
        order = sorted(CORNERS, key=lambda corner: -int((corner == outside).sum()))
        others = [other for i, other in enumerate(at) if i != n and not np.allclose(other, point)]

        def room(corner: np.ndarray, others: list[np.ndarray] = others, point: np.ndarray = point) -> float:
            spot = point + corner * BESIDE
            return min((float(np.linalg.norm(spot - other)) for other in (*taken, *others)), default=np.inf)

        best = order[0] if room(order[0]) > CLEAR else max(order, key=room)
        taken.append(point + best * BESIDE)
        chosen.append((int(best[0]), int(best[1])))
    return chosen


def name_points(ax: Axes, names: Sequence[str], points: Float[np.ndarray, "P 2"]) -> None:
    """Writes a name beside each point; points that are not finite have none."""
    there = np.flatnonzero(np.isfinite(points).all(1)).tolist()
    for n, (right, up) in zip(there, corners(points[there]) if there else (), strict=True):
        ax.annotate(
            str(names[n]),
            (points[n, 0], points[n, 1]),
            xytext=(5 * right, 4 * up),
            textcoords="offset points",
            ha="left" if right > 0 else "right",
            va="bottom" if up > 0 else "top",
            fontsize=8,
            color=INK,
            bbox=backing(),
            zorder=5,
        )
