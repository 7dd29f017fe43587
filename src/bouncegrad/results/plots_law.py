"""Figure of the learned law: the effect of each edge type on its target, against distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bouncegrad.results.labels import type_label, write_not_available
from bouncegrad.results.law import Force, Law
from bouncegrad.results.style import INK, MARKERS, MUTED, legend, plain, type_style

TALL = 15.0  # effects above this multiple of the effect at typical distances are not drawn


def law(found: Law, ax: Axes, truth: Sequence[Force] | None = None) -> Axes:
    """Draws the median effect along the line between two entities (with marks) and across it (thin lines).

    The band holds half of the effects along the line. Above zero, an edge pushes its target away from the source. Below
    zero, it pulls the target towards the source. If the effects at small distances are far stronger than all others,
    the axis ends below them, and the figure states the strongest.

    Args:
        found: the learned law.
        ax: the axes to draw into.
        truth: true forces along the line by type, as functions of distance; they are drawn as thin black lines.
    """
    plain(ax)
    ax.axhline(0, color=MUTED, linewidth=0.7, zorder=1)
    for k in found.types:
        (colour, dash), marker = type_style(k), MARKERS[k % len(MARKERS)]  # the same as for arrows of this type
        at, label = found.distance[k], type_label(found.type_names[k], k)
        ax.fill_between(at, found.along[k, 0], found.along[k, 2], color=colour, alpha=0.18, linewidth=0)
        style: dict[str, Any] = {"color": colour, "linestyle": dash}
        ax.plot(at, found.along[k, 1], linewidth=1.8, marker=marker, markersize=4.5, label=f"{label}, along", **style)
        ax.plot(at, found.across[k, 1], linewidth=0.9, label=f"{label}, across", **style)
        if truth is not None and k < len(truth):
            near = np.geomspace(max(np.nanmin(at), 1e-9), np.nanmax(at), 200)
            once = "true" if k == found.types[0] else None
            ax.plot(near, truth[k](near), color=INK, linewidth=0.8, zorder=4, label=once)
    _leave_out_peaks(found, ax)
    ax.set_xlabel("distance")
    ax.set_ylabel(f"change of {found.what} per unit of time")
    if found.types:
        legend(ax, ncols=2)
    else:
        write_not_available(ax)
    return ax


def _leave_out_peaks(found: Law, ax: Axes) -> None:
    """Ends the axis below effects that are many times as strong as those at typical distances."""
    medians = [np.abs(found.along[k, 1]) for k in found.types]
    top = TALL * max((float(np.median(values)) for values in medians), default=0.0)
    strongest = max((float(values.max()) for values in medians), default=0.0)
    if strongest > top > 0:
        ax.set_ylim(-1.1 * top, 1.1 * top)
        note = f"strongest, not drawn: {strongest:.3g}"
        ax.text(0.99, 0.02, note, transform=ax.transAxes, ha="right", va="bottom", color=MUTED, fontsize=8)
