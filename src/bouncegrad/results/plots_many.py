"""Figure of a graph of many entities: communities in discs, and only the edges that can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.lines import Line2D

from bouncegrad.results.communities import Arrangement, arrange, background, edge_weights
from bouncegrad.results.labels import shortened, type_label, type_name
from bouncegrad.results.layout import Layout, layout
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.result import DETERMINED
from bouncegrad.results.style import FAINT, INK, MUTED, PAPER, Dash, backing, bare, legend, type_style

LINES, LINES_EACH = 120, 2  # lines that can be followed: this many, or this many for each entity if that is more
RADIUS, LARGEST = 0.42, 0.05  # radius of an entity in units of the layout, and its limit as a share of half the figure
DOT = 0.5  # size of entities with names outside them, compared with others
HEAD, WIDE = 0.022, 0.008  # length and half the width of an arrowhead, as shares of half the figure
INSIDE = 3  # names of up to this many letters fit into an entity
LETTERS = 10  # of other names; longer ones are cut
SMALLEST = 3.5  # points; smaller names are left out


class Chosen(NamedTuple):
    """The edges that are drawn, and how many are not.

    Args:
        edges: the drawn edges, `[source, target]`.
        found: number of edges of all types but the one that is not drawn.
        doubtful: number of them whose type has a probability below 0.75; they are hidden.
        surplus: number of further edges that are hidden, because too many lines cannot be followed.
    """

    edges: Bool[np.ndarray, "N N"]
    found: int
    doubtful: int
    surplus: int

    @property
    def note(self) -> str:
        """How many edges are drawn, and why others are hidden."""
        if self.found == 0:
            return "no edges to draw"
        if not self.doubtful and not self.surplus:
            return f"all {self.found:,} edges"
        hidden = [f"{self.doubtful:,} with a probability below {DETERMINED:g}"] if self.doubtful else []
        hidden += [f"{self.surplus:,} {'others' if hidden else 'less or equally probable'}"] if self.surplus else []
        return f"{int(self.edges.sum()):,} of {self.found:,} edges; hidden: {', '.join(hidden)}"


def choose_edges(
    edges: Int[np.ndarray, "N N"], probability: Float[np.ndarray, "N N K"] | None, without_type: int
) -> Chosen:
    """Returns the edges that a drawing of many entities shows: the most probable ones, as many as can be followed.

    Both directions of a pair are one line. Of equally probable lines, some are chosen at random, always the same ones,
    so that dense and sparse parts stay different.
    """
    n = len(edges)
    pairs = off_diagonal(n) & (edges != without_type) & (edges >= 0)
    sure = np.ones((n, n))
    if probability is not None:
        sure = np.take_along_axis(probability, np.maximum(edges, 0)[..., None], -1)[..., 0]
    kept = pairs & (sure >= DETERMINED)
    best = np.triu(np.maximum(sure * kept, (sure * kept).T)).round(3)
    s, t = np.nonzero(best)
    order = np.lexsort((np.random.default_rng(0).permutation(len(s)), -best[s, t]))[: max(LINES, LINES_EACH * n)]
    lines = np.zeros((n, n), dtype=bool)
    lines[s[order], t[order]] = lines[t[order], s[order]] = True
    return Chosen(kept & lines, int(pairs.sum()), int((pairs & ~kept).sum()), int((kept & ~lines).sum()))


def graph_of_many(
    edges: Int[np.ndarray, "N N"],
    names: Sequence[str],
    probability: Float[np.ndarray, "N N K"] | None,
    ax: Axes,
    type_names: Sequence[str] = (),
    *,
    without_type: int | None = 0,
    arrangement: Arrangement | None = None,
) -> Axes:
    """Draws many entities, and the most probable edges between them as straight lines with small arrowheads.

    Each community has a disc with its number. Connected entities are near each other (see `layout.py`). A line with two
    heads is an edge in both directions; each half has the colour and line style of the edge to its end. Edges with a
    probability below 0.75 are hidden. So are the least probable ones if there are too many to be followed, and a note
    says how many. The matrix shows all of them.

    Args:
        edges: edge types, `[source, target]`; -1 means that there is no edge.
        names: names of the entities.
        probability: probability of every type of every edge; None: all edges are certain.
        ax: the axes to draw into.
        type_names: names for the legend, by default 0, 1, ...
        without_type: the type that is not drawn because it means "no interaction". If None, the most frequent type is
            not drawn.
        arrangement: the communities; by default those of this graph.
    """
    bare(ax)
    absent = background(edges, without_type)
    weight = edge_weights(edges, probability, absent)
    arrangement = arrange(weight) if arrangement is None else arrangement
    at, chosen = layout(weight, arrangement), choose_edges(edges, probability, absent)
    inside = all(len(str(name)) <= INSIDE for name in names)
    full = min(RADIUS * at.unit, LARGEST)
    radius = full if inside else DOT * full
    _discs(ax, at, len(arrangement.sizes))
    kinds = np.unique(edges[chosen.edges]).tolist()
    for k in kinds:
        _lines(ax, at.places, radius, chosen.edges, edges == k, type_style(k))
    size = 2 * radius
    style: dict[str, Any] = {"facecolors": PAPER, "edgecolors": INK, "linewidths": 0.7, "zorder": 4}
    ax.add_collection(EllipseCollection(size, size, 0, units="x", offsets=at.places, transOffset=ax.transData, **style))
    _write_names(ax, at.places, names, full, inside)
    ax.set_aspect("equal")
    ax.set_xlim(-1.08, 1.08)
    ax.set_ylim(-1.08, 1.08)
    handles = [Line2D([], [], color=type_style(k)[0], linestyle=type_style(k)[1], lw=1.4) for k in kinds]
    labels = [type_label(type_name(type_names, k), k) for k in kinds]
    if handles:
        legend(ax, handles=handles, labels=labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    ax.text(0.5, -0.01, chosen.note, transform=ax.transAxes, ha="center", va="top", fontsize=8, color=MUTED)
    return ax


def _discs(ax: Axes, at: Layout, count: int) -> None:
    """Draws the discs of the communities, each with its number; none if there is only one."""
    if count < 2:
        return
    size = 2 * at.radii
    style: dict[str, Any] = {"facecolors": FAINT, "edgecolors": "none", "alpha": 0.4, "zorder": 1}
    discs = EllipseCollection(size, size, 0, units="x", offsets=at.centres, transOffset=ax.transData, **style)
    ax.add_collection(discs)
    for number, (centre, radius) in enumerate(zip(at.centres, at.radii, strict=True), start=1):
        away = np.linalg.norm(centre)
        x, y = centre + (centre / away if away > 0 else np.array([0.0, 1.0])) * (radius + 0.04)
        ax.text(x, y, str(number), fontsize=9, color=MUTED, ha="center", va="center", zorder=2)


def _lines(
    ax: Axes,
    places: Float[np.ndarray, "N 2"],
    radius: float,
    drawn: Bool[np.ndarray, "N N"],
    of_type: Bool[np.ndarray, "N N"],
    style: tuple[str, Dash],
) -> None:
    """Draws the edges of one type. If the other direction is drawn as well, a line begins in the middle of the pair."""
    source, target = np.nonzero(drawn & of_type)
    start, end = places[source], places[target]
    along = end - start
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    start, tip = start + along * radius, end - along * radius
    start = np.where(drawn[target, source][:, None], (start + tip) / 2, start)
    across, back = along[:, ::-1] * [1, -1] * WIDE, tip - along * HEAD
    colour, dash = style
    shafts, heads = np.stack([start, back], axis=1), np.stack([tip, back + across, back - across], axis=1)
    lines = LineCollection(list(shafts), colors=colour, linestyles=dash, linewidths=0.7, zorder=3)
    ax.add_collection(lines, autolim=False)
    ax.add_collection(PolyCollection(list(heads), facecolors=colour, edgecolors="none", zorder=3), autolim=False)


def _write_names(ax: Axes, places: Float[np.ndarray, "N 2"], names: Sequence[str], full: float, inside: bool) -> None:
    """Writes short names into the entities, others below them; no names if letters would be too small."""
    points = full * min(ax.bbox.width, ax.bbox.height) / 2 * 72 / ax.figure.dpi
    size = min(8.0, points if inside else 0.75 * points)
    if size < SMALLEST:
        return
    style: dict[str, Any] = {"fontsize": size, "color": INK, "ha": "center", "zorder": 6}
    for (x, y), name in zip(places, names, strict=True):
        if inside:
            ax.text(x, y, str(name), va="center", **style)
        else:
            ax.text(x, y - 1.3 * DOT * full, shortened(str(name), LETTERS), va="top", bbox=backing(), **style)
