"""Draws the learned proposal beside the uniform one, from two runs of the published search.

    python docs/figures/proposals.py LEARNED UNIFORM

proposals.svg: loss, error of ten steps on new tasks, and what is right, against minutes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.results import style
from bouncegrad.results.plots_curves import series

PANELS = (
    ("loss on the training tasks", {"loss": ""}),
    ("squared error of ten steps, new tasks", {"new_mse_10": ""}),
    (
        "share of edges that are right, new tasks",
        {"new_edge_accuracy": "structure", "new_proposal_accuracy": "proposal"},
    ),
)


def drawn(runs: dict[str, Path]) -> Figure:
    """One column for each panel, one colour for each run."""
    made = Figure(figsize=(10.5, 3.2), layout="constrained", facecolor=style.PAPER)
    FigureCanvasAgg(made)
    for ax, (title, keys) in zip(made.subplots(1, len(PANELS)), PANELS, strict=True):
        for (name, folder), colour in zip(runs.items(), style.COLOURS, strict=False):
            rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            for (key, what), dash in zip(keys.items(), style.DASHES, strict=False):
                seconds, values = series(rows, key, "seconds")
                label = f"{name}, {what}" if what else name
                if values:
                    ax.plot([s / 60 for s in seconds], values, color=colour, ls=dash, marker="o", ms=3, label=label)
        style.plain(ax, grid="y")
        ax.set_title(title, loc="left", fontsize=9, color=style.INK)
        ax.set_xlabel("minutes", color=style.MUTED)
        ax.legend(frameon=False, fontsize=8)
    return made


if __name__ == "__main__":
    drawn({"learned": Path(sys.argv[1]), "uniform": Path(sys.argv[2])}).savefig(Path(__file__).parent / "proposals.svg")
