"""Draws data_layout.svg: how the rows of two tables become an array of states and a matrix of edges.

python docs/figures/data_layout.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from bouncegrad.results.style import COLOURS, FAINT, INK, MUTED, PAPER, bare, save

WIDTH, HEIGHT = 900, 580  # pixels of the page; y grows downwards
ROW = 22
STATE, EDGE = COLOURS[0], COLOURS[1]
MONO = "DejaVu Sans Mono"

TRACKS = (
    ("task", "time", "entity", "x", "y"),
    ("r0", "0.0", "a", "0.31", "1.20"),
    ("r0", "0.0", "b", "1.02", "0.44"),
    ("r0", "0.0", "c", "0.87", "0.15"),
    ("r0", "0.1", "a", "0.33", "1.18"),
    ("r0", "0.1", "b", "1.05", "0.42"),
    ("r0", "0.1", "c", "0.84", "0.19"),
    ("...", "...", "...", "...", "..."),
    ("r1", "0.0", "a", "0.56", "0.73"),
)
CHOSEN = 5
EDGES = (("task", "source", "target", "type"), ("r0", "a", "c", "1"), ("r0", "c", "b", "1"), ("r1", "b", "a", "1"))
CHOSEN_EDGE = 1


def draw() -> Figure:
    """The whole figure."""
    made = Figure(figsize=(WIDTH / 96, HEIGHT / 96))
    FigureCanvasAgg(made)
    ax = made.add_axes((0, 0, 1, 1))
    bare(ax)
    ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    states(ax)
    edges(ax)
    return made


def states(ax: Axes) -> None:
    """Above: the long table, and the array that it becomes."""
    title(ax, 24, "tracks.csv", "one row for each task, time and entity")
    table(ax, 24, 62, (48, 52, 62, 56, 56), TRACKS, CHOSEN, STATE)

    title(ax, 470, "x[task, frame, entity, feature]", "one sheet for each task, r0 in front")
    left, top, wide, high = 540, 108, 100, 50
    for behind in (2, 1):
        shift = 9 * behind
        sheet = Rectangle((left + shift, top - shift), 3 * wide, 3 * high, facecolor=PAPER, edgecolor=MUTED, lw=0.9)
        ax.add_patch(sheet)
    arrow(ax, (308, 62 + (CHOSEN + 0.5) * ROW), (left - 62, top + 1.5 * high), STATE)
    for column, entity in enumerate("abc"):
        words(ax, left + (column + 0.5) * wide, top + 3 * high + 16, f"entity {entity}", MUTED, ha="center")
    for row, frame in enumerate(("frame 0", "frame 1", "...")):
        words(ax, left - 10, top + (row + 0.5) * high, frame, MUTED, ha="right")
        for column in range(3):
            line = 1 + 3 * row + column
            text = ", ".join(TRACKS[line][3:]) if row < 2 else "..."
            cell(ax, left + column * wide, top + row * high, wide, high, text, STATE if line == CHOSEN else None)
    words(ax, 470, top + 3 * high + 44, "x[0, 1, 1] = [1.05, 0.42]", STATE, family=MONO)


def edges(ax: Axes) -> None:
    """Below: the table of true edges, the matrix that it becomes, and the graph that both state."""
    top = 376
    title(ax, 24, "tracks_edges.csv", "if the truth is known; pairs not listed: type 0", top - 38)
    table(ax, 24, top, (48, 72, 72, 56), EDGES, CHOSEN_EDGE, EDGE)

    title(ax, 390, "edges[task, source, target]", "here task r0", top - 38)
    left, size, above = 464, 40, top + 40
    arrow(ax, (282, top + (CHOSEN_EDGE + 0.5) * ROW), (left - 28, above + 0.5 * size), EDGE)
    words(ax, left + 1.5 * size, above - 32, "target", INK, ha="center")
    words(ax, left - 34, above + 1.5 * size, "source", INK, ha="right")
    types = {("a", "c"): "1", ("c", "b"): "1"}
    for row, source in enumerate("abc"):
        words(ax, left - 12, above + (row + 0.5) * size, source, MUTED, ha="right")
        words(ax, left + (row + 0.5) * size, above - 12, source, MUTED, ha="center")
        for column, target in enumerate("abc"):
            text = "" if source == target else types.get((source, target), "0")
            chosen = EDGE if (source, target) == ("a", "c") else None
            cell(ax, left + column * size, above + row * size, size, size, text, chosen, empty=source == target)
    words(ax, 390, above + 3 * size + 20, "edges[0, 0, 2] = 1", EDGE, family=MONO)

    title(ax, 680, "the graph of task r0", "an arrow from source to target", top - 38)
    place = {"a": (710, above + 20), "c": (840, above + 20), "b": (775, above + 112)}
    arrow(ax, place["a"], place["c"], EDGE, gap=20, width=2.2)
    arrow(ax, place["c"], place["b"], INK, gap=20, width=1.6)
    words(ax, 775, above + 6, "a acts on c", EDGE, ha="center")
    for name, (x, y) in place.items():
        ax.add_patch(Circle((x, y), 15, facecolor=PAPER, edgecolor=INK, lw=1.2))
        words(ax, x, y, name, INK, ha="center")


def title(ax: Axes, x: float, text: str, below: str, y: float = 24) -> None:
    """A heading in code letters and what it is in words."""
    ax.text(x, y, text, fontsize=10.5, fontfamily=MONO, color=INK, va="center", weight="bold")
    ax.text(x, y + 20, below, fontsize=9, color=MUTED, va="center")


def words(
    ax: Axes, x: float, y: float, text: str, colour: str, *, ha: str = "left", family: str = "DejaVu Sans"
) -> None:
    """A label, centred vertically."""
    ax.text(x, y, text, fontsize=9, color=colour, ha=ha, va="center", fontfamily=family)


def table(
    ax: Axes, left: float, top: float, widths: Sequence[float], rows: Sequence[Sequence[str]], chosen: int, colour: str
) -> None:
    """Rows under a header, one of them marked."""
    wide = sum(widths)
    ax.add_patch(Rectangle((left, top + chosen * ROW), wide, ROW, facecolor=colour, alpha=0.16, lw=0))
    for number, row in enumerate(rows):
        y = top + (number + 0.5) * ROW
        ax.plot([left, left + wide], [y + ROW / 2] * 2, color=MUTED if number == 0 else FAINT, lw=0.8)
        x = left
        for text, width in zip(row, widths, strict=True):
            ink = MUTED if number == 0 else colour if number == chosen else INK
            words(ax, x + 6, y, text, ink, family=MONO)
            x += width


def cell(
    ax: Axes, left: float, top: float, wide: float, high: float, text: str, colour: str | None, *, empty: bool = False
) -> None:
    """One cell of a grid, filled lightly when it is the chosen one."""
    ax.add_patch(Rectangle((left, top), wide, high, facecolor=FAINT if empty else PAPER, edgecolor=MUTED, lw=0.9))
    if colour:
        ax.add_patch(Rectangle((left, top), wide, high, facecolor=colour, alpha=0.16, edgecolor=colour, lw=1.6))
    words(ax, left + wide / 2, top + high / 2, text, colour or INK, ha="center", family=MONO)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    gap: float = 0.0,
    width: float = 1.4,
) -> None:
    """An arrow; `gap` keeps both ends away from what they join."""
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            shrinkA=gap * 0.72,
            shrinkB=gap * 0.72,
            color=colour,
            lw=width,
            zorder=5,
        )
    )


if __name__ == "__main__":
    save(draw(), sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(".svg"))
