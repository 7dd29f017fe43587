"""Text in figures: names beside points, and labels of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from bouncegrad.results.numbers import NOT_AVAILABLE
from bouncegrad.results.style import INK, MUTED, backing

CORNERS = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
# Width of a letter, height of a line, and distance from the point, as shares of the width of a small figure.
LETTER, LINE, GAP = 0.03, 0.065, 0.02


def plane(features: Sequence[str]) -> list[int] | None:
    """Returns the indices of the features x and y; None if the data does not have both."""
    return [features.index("x"), features.index("y")] if {"x", "y"} <= set(features) else None


def time_label(dt: float) -> str:
    """Returns the label of a time axis: "frame" if the time between frames is 1, as it is by default."""
    return "time" if dt != 1 else "frame"


def with_unit(feature: str, unit: str) -> str:
    """Returns the name of a feature, with its unit if it has one."""
    return f"{feature} ({unit})" if unit else feature


def type_label(name: str, k: int) -> str:
    """Returns the name of edge type k, or "type k" if its name is only its number."""
    return f"type {name}" if name == str(k) else name


def type_name(type_names: Sequence[str], k: int) -> str:
    """Returns the name of edge type k, or its number if it has no name."""
    return type_names[k] if k < len(type_names) else str(k)


def shortened(name: str, letters: int) -> str:
    """Returns the name, or its first letters and an ellipsis if it has too many letters.

    Example:
        >>> shortened("Alexandra", 9), shortened("Alexandra", 6)
        ('Alexandra', 'Alexa…')
    """
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def write_not_available(ax: Axes) -> None:
    """Writes "not available" into the middle of an empty figure."""
    ax.text(0.5, 0.5, NOT_AVAILABLE, transform=ax.transAxes, ha="center", color=MUTED, fontsize=9)


def corners(points: Float[np.ndarray, "P 2"], names: Sequence[str]) -> list[tuple[int, int]]:
    """Returns on which side of each point its name is written, as (right, up) with values 1 and -1.

    A name is written on the side away from the middle, unless another name or point is there. Points are handled in
    their order. For each one, the corner is taken at which a box of the size of the name covers the fewest others.

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
    """Writes a name beside each point, but not beside points with values that are not finite."""
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
