"""Draws the pictures of docs/idea.md: many graphs under the same laws, one prediction, the two moves, one draw.

python docs/figures/idea.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from data_layout import arrow, cell, words
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from bouncegrad import simulate
from bouncegrad.results import plots
from bouncegrad.results.style import COLOURS, FAINT, INK, MUTED, PAPER, bare, plain, save, type_style

SPRING = type_style(1)[0]
STATE, MODULE = COLOURS[2], COLOURS[1]


def page(width: float, height: float) -> tuple[Figure, Axes]:
    """One drawing, in pixels; y grows downwards."""
    made = Figure(figsize=(width / 96, height / 96))
    FigureCanvasAgg(made)
    ax = made.add_axes((0, 0, 1, 1))
    bare(ax)
    ax.set(xlim=(0, width), ylim=(height, 0))
    return made, ax


def box(ax: Axes, x: float, y: float, wide: float, high: float, colour: str, *lines: str) -> None:
    """A rounded box around (x, y) with lines of text, the first in bold."""
    corner = (x - wide / 2, y - high / 2)
    for face, alpha in ((PAPER, 1.0), (colour, 0.12)):
        ax.add_patch(FancyBboxPatch(corner, wide, high, boxstyle="round,pad=0,rounding_size=8", fc=face, alpha=alpha))
    ax.add_patch(FancyBboxPatch(corner, wide, high, boxstyle="round,pad=0,rounding_size=8", fc="none", ec=colour))
    for row, line in enumerate(lines):
        at = y + 18 * (row - (len(lines) - 1) / 2)
        bold = {"weight": "bold", "color": INK} if row == 0 else {"color": MUTED}
        ax.text(x, at, line, ha="center", va="center", fontsize=9.5 if row == 0 else 8.5, **bold)


def question() -> Figure:
    """Three recordings and their graphs; the laws between them are shared."""
    data = simulate("springs", tasks=3, entities=4, seed=14)
    assert data.edges is not None
    made = Figure(figsize=(9.4, 5.4))
    FigureCanvasAgg(made)
    for task in range(3):
        above = made.add_axes((0.02 + task * 0.33, 0.56, 0.3, 0.4))
        plots.tracks(data, task, above)
        above.set_title(f"recording {task + 1}", fontsize=10, color=INK)
        below = made.add_axes((0.02 + task * 0.33, 0.05, 0.3, 0.36))
        plots.graph(data.edges[task], data.entities, None, below, ("none", "spring"))
    across = made.add_axes((0.02, 0.43, 0.96, 0.11))
    bare(across)
    across.set(xlim=(0, 900), ylim=(60, 0))
    box(across, 450, 30, 560, 44, MODULE, "two laws, shared by all recordings", "type 0: nothing, type 1: a spring")
    return made


def message() -> Figure:
    """One prediction: messages along edges, their sum, a change with an uncertainty."""
    made, ax = page(900, 330)
    sources = {"a": (80, 70), "b": (80, 165), "c": (80, 260)}
    target = (820, 165)
    kinds = {"a": 1, "b": 0, "c": 1}
    for name, (x, y) in sources.items():
        on = kinds[name] == 1
        box(ax, 310, y, 170, 52, SPRING if on else MUTED, f"edge module {kinds[name]}", "a spring" if on else "nothing")
        arrow(ax, (x + 20, y), (222, y), INK if on else MUTED)
        arrow(ax, (398, y), (508, 165 + (y - 165) * 0.18), SPRING if on else MUTED)
        words(ax, 150, y - 14, f"state of {name} and d", MUTED, ha="center")
    words(ax, 455, 62, "messages", MUTED, ha="center")
    words(ax, 530, 165, "Σ", INK, ha="center")
    ax.add_patch(Circle((530, 165), 20, fc="none", ec=INK, lw=1.1))
    arrow(ax, (552, 165), (604, 165), INK)
    box(ax, 680, 165, 144, 62, MODULE, "node module", "change of d: μ ± σ")
    arrow(ax, (754, 165), (800, 165), INK)
    for name, (x, y) in {**sources, "d": target}.items():
        ax.add_patch(Circle((x, y), 18, fc=PAPER, ec=INK, lw=1.2))
        words(ax, x, y, name, INK, ha="center")
    words(ax, 310, 312, "which module an edge gets is the structure z", INK, ha="center")
    words(ax, 690, 226, "shared by all entities and recordings", MUTED, ha="center")
    return made


def moves() -> Figure:
    """The loop: bounce, grad, cool."""
    made, ax = page(900, 250)
    box(ax, 170, 80, 250, 84, STATE, "bounce", "search move on the structures z", "no gradient, all tasks at once")
    box(ax, 730, 80, 250, 84, MODULE, "grad", "gradient step on the modules", "-log p(tracks | z)")
    box(ax, 450, 205, 250, 60, MUTED, "cool", "the temperature T falls")
    arrow(ax, (300, 66), (600, 66), INK, width=1.8)
    words(ax, 450, 46, "who acts on whom, for now", MUTED, ha="center")
    arrow(ax, (690, 126), (580, 196), INK, width=1.8)
    arrow(ax, (320, 196), (210, 126), INK, width=1.8)
    words(ax, 690, 176, "better laws", MUTED)
    words(ax, 212, 176, "surer draws", MUTED, ha="right")
    return made


def draw() -> Figure:
    """The heat bath for one entity: every filling of its incoming edges, its loss, its probability."""
    made = Figure(figsize=(9.4, 2.9))
    FigureCanvasAgg(made)
    table = made.add_axes((0.0, 0, 0.5, 1))
    bare(table)
    table.set(xlim=(0, 450), ylim=(278, 0))
    fillings = [(0, 0), (0, 1), (1, 0), (1, 1)]
    loss = np.array([41.0, 12.0, 39.0, 15.0])
    for x, text in ((70, "a → c"), (150, "b → c"), (285, "loss of c's track (nats)")):
        words(table, x, 34, text, MUTED, ha="center")
    for row, filling in enumerate(fillings):
        y = 52 + 48 * row
        for column, kind in enumerate(filling):
            colour = SPRING if kind else None
            cell(table, 40 + 80 * column, y, 60, 36, "spring" if kind else "none", colour, empty=not kind)
        words(table, 285, y + 18, f"{loss[row]:.0f}", INK, ha="center")
    words(table, 200, 262, "all four from one product: messages add up", MUTED, ha="center")
    for column, temperature in enumerate((30.0, 5.0, 1.0)):
        ax = made.add_axes((0.48 + 0.175 * column, 0.13, 0.14, 0.7))
        plain(ax)
        chance = np.exp(-(loss - loss.min()) / temperature)
        chance /= chance.sum()
        ax.barh(range(4), chance, color=[SPRING if b else FAINT for _, b in fillings], edgecolor=MUTED, height=0.72)
        for row, value in enumerate(chance):
            ax.text(value + 0.03, row, f"{value:.2f}", va="center", fontsize=8, color=INK)
        ax.set(xlim=(0, 1.25), ylim=(3.5, -0.5))
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines["bottom"].set_visible(False)
        ax.set_title(f"T = {temperature:g}", fontsize=9.5, color=INK)
    return made


def main(folder: str | None = None) -> None:
    into = Path(folder) if folder else Path(__file__).parent
    for name, made in (("question", question), ("message", message), ("moves", moves), ("draw", draw)):
        save(made(), into / f"idea_{name}.svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
