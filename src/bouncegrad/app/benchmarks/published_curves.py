"""Curves of the published search: one figure for each system, one panel for each quantity, all seeds of every row.

The quantities are those of the curves in the README of the released code (Alet et al. 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.results import style
from bouncegrad.results.plots_curves import series

PANELS = (
    ("structures of training tasks, right", "edge_accuracy", "linear"),
    ("proposal itself on new tasks, right", "new_proposal_accuracy", "linear"),
    ("proposals that lower the loss, share", "better_proposals", "linear"),
    ("of those that raise it, accepted", "worse_accepted", "log"),
    ("squared error after 1 step, new tasks", "new_mse_1", "log"),
    ("squared error after 10 steps, new tasks", "new_mse_10", "log"),
)
AXES = {"passes": "epoch", "minutes": "seconds"}


def draw(results: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draws the curves of every system against passes and against minutes; returns the files."""
    files = []
    for system in dict.fromkeys(result["row"].partition("-")[0] for result in results):
        for against in AXES:
            path = folder / f"{system}-{against}.svg"
            style.save(drawn([r for r in results if r["row"].startswith(f"{system}-")], against), path)
            files.append(path)
    return files


def drawn(results: Sequence[Mapping[str, Any]], against: str) -> Figure:
    """Returns the figure: a colour for each row, a thin line for each seed."""
    made = Figure(figsize=(10.5, 5.6), layout="constrained", facecolor=style.PAPER)
    FigureCanvasAgg(made)
    names = list(dict.fromkeys(result["row"] for result in results))
    colours = dict(zip(names, style.COLOURS, strict=False))
    for ax, (title, key, scale) in zip(made.subplots(2, 3).flat, PANELS, strict=True):
        labelled: set[str] = set()
        for result in results:
            at, values = series(result["curves"], key, AXES[against])
            if not values:
                continue
            name = result["row"]
            label = None if name in labelled else name.partition("-")[2]
            labelled.add(name)
            x = [value / 60 for value in at] if against == "minutes" else at
            ax.plot(x, values, color=colours[name], lw=1.2, alpha=0.8, label=label)
        style.plain(ax, grid="y")
        ax.set_yscale(scale)
        ax.set_title(title, loc="left", fontsize=9, color=style.INK)
        ax.set_xlabel(against, color=style.MUTED)
        if labelled:
            ax.legend(frameon=False, fontsize=8)
    return made
