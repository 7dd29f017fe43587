"""Figure of a graph of few entities as arrows, and the choice between arrows and a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from bouncegrad.results.communities import arrange, background, edge_weights
from bouncegrad.results.labels import type_label, type_name
from bouncegrad.results.plots_matrix import matrix
from bouncegrad.results.style import INK, MUTED, PAPER, WRONG, Dash, backing, bare, legend, type_style

NODE = 19.0  # diameter of a node in points
BAND: Dash = (0, (1.2, 0.8))  # line style of the band under a wrong edge
SHORT = 3  # names of up to this many letters fit into a node; if one name is longer, all are written outside
ARROWS = 12  # arrows can be followed up to this many entities


def network(
    edges: Int[np.ndarray, "N N"],
    names: Sequence[str],
    probability: Float[np.ndarray, "N N K"] | None,
    ax: Axes,
    type_names: Sequence[str] = (),
    *,
    without_type: int | None = 0,
    truth: Int[np.ndarray, "N N"] | None = None,
) -> Axes:
    """Draws a `graph`, or a `matrix` ordered by communities if there are more than `ARROWS` entities."""
    if len(edges) > ARROWS:
        found = arrange(edge_weights(edges, probability, background(edges, without_type)))
        return matrix(edges, names, ax, type_names, truth=truth, arrangement=found)
    return graph(edges, names, probability, ax, type_names, without_type=without_type, truth=truth)


def graph(
    edges: Int[np.ndarray, "N N"],
    names: Sequence[str],
    probability: Float[np.ndarray, "N N K"] | None,
    ax: Axes,
    type_names: Sequence[str] = (),
    *,
    without_type: int | None = 0,
    truth: Int[np.ndarray, "N N"] | None = None,
    positions: Float[np.ndarray, "N 2"] | None = None,
) -> Axes:
    """Draws every edge as an arrow from source to target, with a colour and line style for each type, and a legend.

    If both directions of a pair are drawn, the two arrows are curved. In an SVG, the group of an arrow has the id
    `edge-SOURCE-TARGET-type-K`, with indices.

    Args:
        edges: edge types, `[source, target]`; -1 means that there is no edge.
        names: names of the entities.
        probability: probability of every type of every edge; more probable edges have wider arrows.
        ax: the axes to draw into.
        type_names: names for the legend, by default 0, 1, ...
        without_type: the type that is not drawn because it means "no interaction". If None, all types are drawn.
        truth: true types, with the same labels as `edges`; -1 if unknown. A wrong edge has a dashed red band with the
            true type.
        positions: positions of the entities; by default on a circle, clockwise, with the first on top.
    """
    bare(ax)
    n = len(edges)
    place = _circle(n) if positions is None else _unit_square(positions)
    pairs = [(s, t) for t in range(n) for s in range(n) if s != t]
    drawn = {pair for pair in pairs if edges[pair] not in (without_type, -1)}
    wrong = {pair for pair in pairs if truth is not None and truth[pair] not in (edges[pair], -1)}
    for s, t in sorted(drawn | wrong):
        bend = 0.16 if (t, s) in drawn | wrong else 0.0
        if (s, t) in wrong:
            assert truth is not None
            _band(ax, place[s], place[t], bend, type_name(type_names, int(truth[s, t])))
        if (s, t) in drawn:
            k = int(edges[s, t])
            certainty = 1.0 if probability is None else float(probability[s, t, k])
            arrow = _arrow(place[s], place[t], bend, k, 0.5 + 1.5 * certainty)
            arrow.set_gid(f"edge-{s}-{t}-type-{k}")
            ax.add_patch(arrow)
    ax.plot(*place.T, "o", markersize=NODE, markerfacecolor=PAPER, markeredgecolor=INK, markeredgewidth=0.9, zorder=4)
    inside = all(len(str(name)) <= SHORT for name in names)
    for i, name in enumerate(names):
        _entity(ax, place[i], str(name), inside)
    kinds = sorted({int(edges[pair]) for pair in drawn})
    handles = [Line2D([], [], color=type_style(k)[0], linestyle=type_style(k)[1], lw=1.8) for k in kinds]
    labels = [type_label(type_name(type_names, k), k) for k in kinds]
    if wrong:
        handles.append(Line2D([], [], color=WRONG, alpha=0.45, linestyle=BAND, lw=5))
        labels.append("wrong (true type)")
    if handles:
        legend(ax, handles=handles, labels=labels, loc="upper center", bbox_to_anchor=(0.5, 0.03), ncols=2)
    else:
        ax.text(0.5, -0.02, "no interactions", transform=ax.transAxes, ha="center", va="top", fontsize=8, color=MUTED)
    ax.set_aspect("equal")
    ax.set_xlim(*((-1.2, 1.2) if inside else (-1.6, 1.6)))
    ax.set_ylim(*((-1.2, 1.2) if inside else (-1.3, 1.3)))
    return ax


def _circle(n: int) -> Float[np.ndarray, "N 2"]:
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _unit_square(positions: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """Moves and scales positions into [-1, 1], with the same scale for both axes."""
    middle = (positions.max(0) + positions.min(0)) / 2
    width = np.ptp(positions, axis=0).max()
    return (positions - middle) * (2 / width if width > 0 else 1.0)


def _between(start: np.ndarray, end: np.ndarray, bend: float, **style: Any) -> FancyArrowPatch:
    """Returns a line between the borders of two nodes, curved by `bend`."""
    ends = (start[0], start[1]), (end[0], end[1])
    free = NODE / 2 + 1
    return FancyArrowPatch(*ends, connectionstyle=f"arc3,rad={bend}", shrinkA=free, shrinkB=free, **style)


def _arrow(start: np.ndarray, end: np.ndarray, bend: float, k: int, width: float) -> FancyArrowPatch:
    """Returns the arrow of an edge of type k."""
    colour, dash = type_style(k)
    head: dict[str, Any] = {"arrowstyle": "-|>,head_length=0.42,head_width=0.2", "mutation_scale": 13}
    return _between(start, end, bend, color=colour, linestyle=dash, linewidth=width, zorder=3, **head)


def _band(ax: Axes, start: np.ndarray, end: np.ndarray, bend: float, true_name: str) -> None:
    """Draws a wide dashed band under a wrong edge, and writes the true type on it."""
    style: dict[str, Any] = {"color": WRONG, "alpha": 0.4, "linestyle": BAND, "linewidth": 5}
    ax.add_patch(_between(start, end, bend, arrowstyle="-", zorder=2, **style))
    across = np.array([end[1] - start[1], start[0] - end[0]])  # the side to which arc3 bends
    # The label is nearer to the source, where fewer edges cross.
    x, y = 0.65 * start + 0.35 * end + across * bend * 2 * 0.35 * 0.65
    ax.text(x, y, true_name, fontsize=7.5, ha="center", va="center", color=WRONG, bbox=backing(), zorder=5)


def _entity(ax: Axes, place: np.ndarray, name: str, inside: bool) -> None:
    """Writes the name of an entity into its node, or outside it, away from the middle of the figure."""
    style: dict[str, Any] = {"fontsize": 8, "color": INK, "zorder": 6}
    x, y = place
    if inside:
        ax.text(x, y, name, ha="center", va="center", **style)
        return
    side = "center" if abs(x) < 0.3 else "left" if x > 0 else "right"
    offset = ((0, 1) if y > 0 else (0, -1)) if side == "center" else ((1, 0) if x > 0 else (-1, 0))
    ax.annotate(
        name,
        (x, y),
        xytext=(offset[0] * (NODE / 2 + 3), offset[1] * (NODE / 2 + 3)),
        textcoords="offset points",
        ha=side,
        va="center" if offset[1] == 0 else "bottom" if y > 0 else "top",
        bbox=backing(),
        **style,
    )
