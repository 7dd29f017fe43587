"""Draws docs/figures/first_result.png from the folder of `bouncegrad demo`: tracks, inferred graph and truth.

python docs/figures/first_result.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad import Result, load
from bouncegrad.results import plots, style
from bouncegrad.results.metrics import relabelling

TYPES = ("attract", "repel")
SHOWN = 4


def main(folder: str = "demo") -> None:
    new, result = load(Path(folder) / "new.npz"), Result.load(Path(folder) / "result.npz")
    assert new.edges is not None
    perm = relabelling(new.edges, result.edges, 2)
    assert perm is not None
    edges = np.array(perm)[result.edges] * ~np.eye(new.shape[2], dtype=bool)
    probability = result.probability[..., np.argsort(perm)]
    seen = new.frames(0, result.context)
    made = Figure(figsize=(3 * SHOWN, 9.4), layout="constrained", facecolor=style.PAPER)
    FigureCanvasAgg(made)
    axes = made.subplots(3, SHOWN)
    for task in range(SHOWN):
        plots.tracks(seen, task, axes[0, task])
        plots.graph(edges[task], new.entities, probability[task], axes[1, task], TYPES, truth=new.edges[task])
        plots.graph(new.edges[task], new.entities, None, axes[2, task], TYPES)
        right = int((edges[task] == new.edges[task]).sum()) - new.shape[2]
        axes[0, task].set_title(f"recording {new.tasks[task]}", fontsize=11)
        axes[1, task].set_title(f"inferred: {right} of 20 pairs right", fontsize=11)
        axes[2, task].set_title("truth", fontsize=11)
    style.save(made, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main(*sys.argv[1:])
