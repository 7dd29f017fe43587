"""Style of all figures: colours for any colour vision, line styles, plain axes, and SVG for a page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.data.colours import COLOURS, FAINT, INK, MUTED, PAPER, WRONG
from bouncegrad.data.files import replacing

Dash: TypeAlias = Literal["solid"] | tuple[float, tuple[float, ...]]

DASHES: tuple[Dash, ...] = (
    "solid",
    (0, (5, 2)),
    (0, (1.2, 1.6)),
    (0, (6, 2, 1.2, 2)),
    (0, (3, 1.5, 1.2, 1.5, 1.2, 1.5)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# A page may be light or dark; its style sheet defines these colours.
PAGE_COLOURS = {INK: "currentColor", MUTED: "var(--muted)", FAINT: "var(--rule)", PAPER: "var(--paper)"}
PAGE_COLOURS |= {WRONG: "var(--wrong)"} | {colour: f"var(--c{i})" for i, colour in enumerate(COLOURS)}


def type_style(k: int) -> tuple[str, Dash]:
    """Returns colour and line style of edge type k: grey and dotted for type 0, otherwise one of its own."""
    if k == 0:
        return MUTED, (0, (1, 2.2))
    return COLOURS[(k - 1) % len(COLOURS)], DASHES[(k - 1) % len(DASHES)]


def entity_style(i: int) -> tuple[str, str]:
    """Returns colour and marker of entity i; there are 42 different combinations."""
    return COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a new figure with one pair of axes, without a window or global state. Sizes are in inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made, made.add_subplot()


def plain(ax: Axes, *, grid: str | None = None) -> None:
    """Draws only two thin spines, thin ticks, and a grid if wanted ("x", "y" or "both")."""
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
    """Removes spines and ticks, for drawings whose axes have no meaning."""
    ax.set_facecolor("none")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def legend(ax: Axes, **options: Any) -> None:
    """Draws a legend in small letters, without a box."""
    ax.legend(**{"frameon": False, "fontsize": 8, "labelcolor": INK, "handlelength": 3.2} | options)


def backing() -> dict[str, Any]:
    """Returns a box for the background of a label, so that it can be read on top of lines.

    An outline of the letters would turn the text of an SVG into paths.
    """
    return {"boxstyle": "round,pad=0.12", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.75}


def save(drawn: Figure, path: str | Path) -> None:
    """Writes a figure in the format of the file suffix (.png, .svg, .pdf). Text in an SVG remains text."""
    path = Path(path)
    with matplotlib.rc_context({"svg.fonttype": "none"}), replacing(path) as temporary:
        drawn.savefig(temporary, format=path.suffix[1:] or "png", dpi=160, facecolor=PAPER)


def svg(drawn: Figure, label: str, prefix: str) -> str:
    """Returns the figure as an `<svg>` element for a page.

    Text remains text, colours follow those of the page, and ids are unique on the page.

    Args:
        drawn: the figure.
        label: description of the figure for readers who cannot see it.
        prefix: text before every id, different for every figure of a page.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        drawn.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'( id="|url\(#|href="#)', rf"\1{prefix}-", text)
    # A hundredth of a point cannot be seen; Matplotlib writes a millionth.
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group()), text)
    for colour, page in PAGE_COLOURS.items():
        text = text.replace(colour, page)
    described = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{described}" ', 1)
