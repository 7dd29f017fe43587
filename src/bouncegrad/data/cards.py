"""Cards: what a notebook shows of an object, a few numbers and a small picture.

Making a card raises no error: a picture that cannot be drawn is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from bouncegrad.data.colours import COLOURS, FAINT, INK, MUTED, PAPER, WRONG

# Figures use the colours of their page; here they are always dark on light.
OF_PAGE = {"muted": MUTED, "rule": FAINT, "paper": PAPER, "wrong": WRONG}
OF_PAGE |= {f"c{i}": colour for i, colour in enumerate(COLOURS)}
BOX = f"color:{INK};background:{PAPER};border:1px solid {FAINT};border-radius:4px;padding:8px 12px;max-width:60em;"
BOX += "font:13px/1.5 system-ui,sans-serif;" + "".join(f"--{name}:{colour};" for name, colour in OF_PAGE.items())

Rows = Sequence[tuple[str, str]]


def card(title: str, rows: Rows, pictures: Sequence[Callable[[], str]] = ()) -> str:
    """Returns a card as HTML.

    Args:
        title: its first line.
        rows: names and values; rows without a value are left out.
        pictures: functions that return `<svg>` elements.
    """
    drawn = [f'<div style="flex:none">{svg}</div>' for picture in pictures if (svg := attempted(picture))]
    cell = f'style="color:{MUTED};text-align:left;vertical-align:top;padding:0 12px 0 0;background:{PAPER}"'
    value = f'style="color:{INK};text-align:left;padding:0;background:{PAPER}"'
    lines = [f"<tr><td {cell}>{escape(name)}</td><td {value}>{escape(text)}</td></tr>" for name, text in rows if text]
    table = f'<table style="border:none;margin:0"><tbody>{"".join(lines)}</tbody></table>'
    side_by_side = (
        f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start;gap:16px">{table}{"".join(drawn)}</div>'
    )
    return f'<div style="{BOX}"><b>{escape(title)}</b>{side_by_side}</div>'


def attempted(make: Callable[[], str]) -> str | None:
    """Returns what a function makes; None if it fails."""
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            return make()
    except Exception:  # a notebook then shows the object as text
        return None


def listed(names: Sequence[str], most: int = 8) -> str:
    """Returns the first names, and how many there are beside them.

    Example:
        >>> listed(("a", "b", "c"), 2)
        'a, b and 1 more'
    """
    first = ", ".join(names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most:,} more"
