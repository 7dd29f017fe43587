"""The look of every figure: colours told apart by everyone, line styles beside them, plain axes, SVG for a page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.data.files import replacing

Dash: TypeAlias = Literal["solid"] | tuple[float, tuple[float, ...]]

INK, MUTED, FAINT, PAPER, WRONG = "#1b1f25", "#6b7280", "#d5d9df", "#fdfdfc", "#b42318"
# Okabe and Ito's palette, told apart with any colour vision, its yellow and black left out.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES: tuple[Dash, ...] = (
    "solid",
    (0, (5, 2)),
    (0, (1.2, 1.6)),
    (0, (6, 2, 1.2, 2)),
    (0, (3, 1.5, 1.2, 1.5, 1.2, 1.5)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# On a page that may be light or dark, the page's style sheet says what these are.
PAGE_COLOURS = {INK: "currentColor", MUTED: "var(--muted)", FAINT: "var(--rule)", PAPER: "var(--paper)"}
PAGE_COLOURS |= {WRONG: "var(--wrong)"} | {colour: f"var(--c{i})" for i, colour in enumerate(COLOURS)}


def type_style(k: int) -> tuple[str, Dash]:
    """Colour and line style of edge type k: grey and dotted for 0, else a colour and a dash of its own."""
    if k == 0:
        return MUTED, (0, (1, 2.2))
    return COLOURS[(k - 1) % len(COLOURS)], DASHES[(k - 1) % len(DASHES)]


def entity_style(i: int) -> tuple[str, str]:
    """Colour and marker of entity i; 42 differ."""
    return COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of its own with one pair of axes, no window and no global state, in inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made, made.add_subplot()


def plain(ax: Axes, *, grid: str | None = None) -> None:
    """Two thin spines, quiet ticks, and no more."""
    ax.set_facecolor("none")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.7)
    ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, width=0.7, length=3, which="both")
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(INK)
        label.set_fontsize(9)
    if grid:
        ax.grid(axis=grid, color=FAINT, linewidth=0.6)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def bare(ax: Axes) -> None:
    """No spines and no ticks: for drawings whose axes say nothing."""
    ax.set_facecolor("none")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def legend(ax: Axes, **options: Any) -> None:
    """A legend without a box, in small type."""
    ax.legend(**{"frameon": False, "fontsize": 8, "labelcolor": INK, "handlelength": 3.2} | options)


def backing() -> dict[str, Any]:
    """A box behind a label that keeps it readable on top of lines. (An outline would turn an SVG's text into paths.)"""
    return {"boxstyle": "round,pad=0.12", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.75}


def save(drawn: Figure, path: str | Path) -> None:
    """Writes a figure in the format of the suffix (.png, .svg, .pdf); text in an SVG stays text."""
    path = Path(path)
    with matplotlib.rc_context({"svg.fonttype": "none"}), replacing(path) as temporary:
        drawn.savefig(temporary, format=path.suffix[1:] or "png", dpi=160, facecolor=PAPER)


def svg(drawn: Figure, label: str, prefix: str) -> str:
    """The figure as an `<svg>` element for a page: text stays text, ink follows the page's colours, ids are its own.

    Args:
        label: what the figure shows, for those who do not see it.
        prefix: put before every id, so that figures on one page do not share any.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        drawn.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'( id="|url\(#|href="#)', rf"\1{prefix}-", text)
    for colour, page in PAGE_COLOURS.items():
        text = text.replace(colour, page)
    described = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{described}" ', 1)
