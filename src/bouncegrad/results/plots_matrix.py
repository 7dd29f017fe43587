"""Figure of a graph as a matrix, for any number of entities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from bouncegrad.results.communities import Arrangement
from bouncegrad.results.labels import shortened, type_label, type_name
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.style import INK, MUTED, PAPER, legend, plain, type_style

LETTERED = 30  # up to this many entities, numbers fit into the cells
OUTLINED = 64  # up to this many entities, crosses have an outline; more would make files large
SMALLEST = 4.5  # points; smaller letters cannot be read
LETTERS = 12  # of a name along the side; longer names are cut
EVERY = 16  # if not all names fit, about this many are written


def matrix(
    edges: Int[np.ndarray, "N N"],
    names: Sequence[str],
    ax: Axes,
    type_names: Sequence[str] = (),
    *,
    truth: Int[np.ndarray, "N N"] | None = None,
    arrangement: Arrangement | None = None,
) -> Axes:
    """Draws the edge types as a matrix with one row per source and one column per target, in the same order.

    Wrong edges, which differ from `truth`, have a cross. With more than two types, cells show the number of their type.
    If not all names fit along the side, every few entities have one; if there are communities, these are numbered.

    Args:
        edges: edge types, `[source, target]`; -1 means that there is no edge.
        names: names of the entities.
        ax: the axes to draw into.
        type_names: names for the legend, by default 0, 1, ...
        truth: true types, with the same labels as `edges`; -1 if unknown.
        arrangement: order of the rows and columns, with thin lines between communities (see `communities.py`). By
            default the order of the data.
    """
    plain(ax)
    n = len(edges)
    order = np.arange(n) if arrangement is None else arrangement.order
    edges, names = edges[np.ix_(order, order)], [shortened(str(names[i]), LETTERS) for i in order.tolist()]
    known = off_diagonal(n) & (edges >= 0)
    kinds = np.unique(edges[known]).tolist()
    handles = []
    for k in kinds:
        style: dict[str, Any] = {"facecolor": type_style(k)[0], "alpha": 0.25 if k == 0 else 0.9, "linewidth": 0}
        # Type 0, which is pale, is drawn below all others, so that its outline is short.
        ax.add_artist(PathPatch(_cells(known & (edges == k) if k > 0 else known), **style))
        handles.append(Patch(**style, label=_label(type_names, k, numbered=len(kinds) > 2)))
    ax.set_aspect("equal")
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(n - 0.5, -0.5)
    if truth is not None:
        true = truth[np.ix_(order, order)]
        crosses = _crosses((true != edges) & (true >= 0), min(0.3, 2 / _room(ax, n)))
        if n <= OUTLINED:  # visible on light and on dark cells
            ax.plot(*crosses, color=PAPER, linewidth=2.2 if n <= LETTERED else 1.5)
        ax.plot(*crosses, color=INK, linewidth=0.9 if n <= LETTERED else 0.7)
    if len(kinds) > 2 and n <= LETTERED:
        for s, t in zip(*np.nonzero(known), strict=True):
            ax.text(t, s, str(edges[s, t]), fontsize=5, ha="center", va="center", color=INK)
    borders = [] if arrangement is None else arrangement.borders
    ends = [((b - 0.5, -0.5), (b - 0.5, n - 0.5)) for b in borders]
    lines = [*ends, *(((y, x), (v, u)) for (x, y), (u, v) in ends)]
    ax.add_collection(LineCollection(lines, colors=INK, linewidths=0.6, zorder=3), autolim=False)
    _beside(ax, names, arrangement)
    legend(ax, handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return ax


def _label(type_names: Sequence[str], k: int, numbered: bool) -> str:
    """Returns the name of type k for the legend, after its number if cells show numbers."""
    label = type_label(type_name(type_names, k), k)
    return f"{k} {label}" if numbered and label != f"type {k}" else label


def _cells(shown: Bool[np.ndarray, "N N"]) -> Path:
    """Returns the outline of some cells of a matrix. Neighbours in a row are one rectangle: files stay small."""
    vertices: list[tuple[float, float]] = []
    for row, line in enumerate(shown):
        changes = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
        for start, end in changes.reshape(-1, 2) - 0.5:
            vertices += [(start, row - 0.5), (end, row - 0.5), (end, row + 0.5), (start, row + 0.5), (start, row - 0.5)]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * (len(vertices) // 5)
    return Path(np.array(vertices).reshape(-1, 2), np.array(codes, dtype=Path.code_type))


def _crosses(shown: Bool[np.ndarray, "N N"], half: float) -> Float[np.ndarray, "2 points"]:
    """Returns crosses at some cells as one broken line, so that files stay small."""
    row, column = np.nonzero(shown)
    across = np.array([-half, half, np.nan, -half, half, np.nan])
    down = np.array([-half, half, np.nan, half, -half, np.nan])
    return np.stack([(column[:, None] + across).ravel(), (row[:, None] + down).ravel()])


def _room(ax: Axes, n: int) -> float:
    """Returns the width of a row in points, about."""
    return float(min(ax.bbox.width, ax.bbox.height) * 72 / ax.figure.dpi / n)


def _beside(ax: Axes, names: Sequence[str], arrangement: Arrangement | None) -> None:
    """Writes all names along both sides if they fit; otherwise the numbers of communities, or every few names."""
    n = len(names)
    size = min(8.0, 0.85 * _room(ax, n))
    every = 1 if size >= SMALLEST else -(-n // EVERY)
    at, labels, of = [float(i) for i in range(0, n, every)], list(names[::every]), ""
    if arrangement is not None and arrangement.borders:
        ends = [0, *arrangement.borders, n]
        middles = [(start + end - 1) / 2 for start, end in pairwise(ends)]
        numbers = [str(c + 1) if c < len(arrangement.sizes) else "" for c in range(len(middles))]
        of = ", by community"
        if every > 1:
            at, labels = middles, numbers
        else:
            for y, number in zip(middles, numbers, strict=True):
                ax.text(n, y, number, fontsize=8, color=MUTED, va="center")
    ax.set_xticks(at, labels, rotation=0 if every > 1 and of else 90)
    ax.set_yticks(at, labels)
    ax.tick_params(labelsize=8 if every > 1 else size)
    ax.set_xlabel(f"target{of}")
    ax.set_ylabel(f"source{of}")
