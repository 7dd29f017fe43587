"""Names beside points of a drawing, each on the side where it is read best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from bouncegrad.results.style import INK, backing

CORNERS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
LETTER, LINE, GAP = 0.03, 0.065, 0.02  # width, height and distance in a small drawing, in widths of the drawing


def corners(points: Float[np.ndarray, "P 2"], names: Sequence[str]) -> list[tuple[int, int]]:
    """On which side of each point its name goes: away from the middle, unless another name or point is there.

    Greedy in the order of points: the corner where the name covers least, by boxes of about the size of the names.

    Example:
        >>> corners(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), ("a", "b", "c"))
        [(-1, -1), (1, 1), (-1, 1)]
    """
    at = (points - points.mean(0)) / max(float(np.ptp(points, axis=0).max()), 1e-12)
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    chosen = []
    for point, name in zip(at, names, strict=True):
        half = np.array([LETTER * len(name), LINE]) / 2
        outside = np.where(point >= 0, 1, -1)
        others = [other for other in at if not np.allclose(other, point)]
        best, least = outside, np.inf
        for corner in CORNERS[np.argsort(-(outside == CORNERS).sum(1), kind="stable")]:
            middle = point + corner * (half + GAP)
            covered = 2 * sum(bool((abs(middle - there) < half + size).all()) for there, size in taken)
            covered += sum(bool((abs(middle - other) < half).all()) for other in others)
            if covered < least:
                best, least = corner, covered
        taken.append((point + best * (half + GAP), half))
        chosen.append((int(best[0]), int(best[1])))
    return chosen


def name_points(ax: Axes, names: Sequence[str], points: Float[np.ndarray, "P 2"]) -> None:
    """Writes a name beside each point; points that are not finite have none."""
    there = np.flatnonzero(np.isfinite(points).all(1)).tolist()
    sides = corners(points[there], [str(names[n]) for n in there]) if there else []
    for n, (right, up) in zip(there, sides, strict=True):
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
