"""Draws the pictures of the README from the folder of `bouncegrad demo`.

    python docs/figures/first_result.py [FOLDER]

first_result.png: tracks, inferred graph and truth; law.png: the learned law beside the true one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad import Result, Trajectories, load
from bouncegrad.models.laws import learned_law, true_law
from bouncegrad.models.model import Model
from bouncegrad.results import plots, style
from bouncegrad.results.metrics import relabelling

HERE = Path(__file__).parent
TYPES = ("attract", "repel")
SHOWN = (1, 2, 3)


def sheet(wide: float, high: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    made = Figure(figsize=(wide, high), layout="constrained", facecolor=style.PAPER)
    FigureCanvasAgg(made)
    return made, made.subplots(rows, columns, squeeze=False)


def graphs(new: Trajectories, result: Result, edges: np.ndarray, probability: np.ndarray) -> Figure:
    """Recordings above what was inferred and what is true."""
    assert new.edges is not None
    seen = new.frames(0, result.context)
    made, axes = sheet(2.8 * len(SHOWN), 7.4, 3, len(SHOWN))
    for column, task in enumerate(SHOWN):
        plots.tracks(seen, task, axes[0, column])
        plots.graph(edges[task], new.entities, probability[task], axes[1, column], TYPES, truth=new.edges[task])
        plots.graph(new.edges[task], new.entities, None, axes[2, column], TYPES)
        right = int((edges[task] == new.edges[task]).sum()) - new.shape[2]
        axes[0, column].set_title(f"recording {new.tasks[task]}", fontsize=11)
        axes[1, column].set_title(f"inferred: {right} of 20 pairs right", fontsize=11)
        axes[2, column].set_title("truth", fontsize=11)
    return made


def main(folder: str = "demo") -> None:
    new, result = load(Path(folder) / "new.npz"), Result.load(Path(folder) / "result.npz")
    model = Model.load(Path(folder) / "run")
    assert new.edges is not None
    perm = relabelling(new.edges, result.edges, 2)
    assert perm is not None
    edges = np.array(perm)[result.edges] * ~np.eye(new.shape[2], dtype=bool)
    style.save(graphs(new, result, edges, result.probability[..., np.argsort(perm)]), HERE / "first_result.png")

    ax: Axes
    made, ((ax,),) = sheet(5.2, 3.9)
    found, truth = learned_law(model, new, result), true_law("simulate charged")
    assert found is not None
    assert truth is not None
    found = found.ordered(np.argsort(perm).tolist(), TYPES)
    plots.law(found, ax, truth)
    style.save(made, HERE / "law.png")
    for k, name in enumerate(TYPES):
        print(
            f"{name}: {found.visits[k]:,} visits, correlation with the true force {found.correlation(k, truth[k]):.4f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
