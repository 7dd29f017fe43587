"""Draws how_sure.png: a recording in which nothing interacts, and one of charges.

    python docs/figures/how_sure.py

Left: the errors on held-out frames of the learned modules and of their rivals; right: the probabilities of the edges.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad import RelationalInference, Trajectories
from bouncegrad.data.simulate import simulate
from bouncegrad.results import style
from bouncegrad.results.result import Result

HERE = Path(__file__).parent
MINUTES = 6.0


def independent(frames: int = 800, entities: int = 4) -> Trajectories:
    """Series that remember their own past and nothing else."""
    rng, x = np.random.default_rng(0), np.zeros((frames, entities))
    for t in range(1, frames):
        x[t] = 0.8 * x[t - 1] + rng.standard_normal(entities)
    return Trajectories(x[None, :, :, None], features=("v",))


def errors(result: Result, ax: Axes) -> None:
    """The errors of all that were compared, on an axis of at least two nats."""
    assert result.verdict is not None
    rivals = result.verdict.rivals[::-1]
    found = [rival.error for rival in rivals]
    middle, half = (min(found) + max(found)) / 2, max(1.0, 0.6 * (max(found) - min(found)))
    for row, rival in enumerate(rivals):
        colour = style.COLOURS[0] if rival.name == "learned modules" else style.MUTED
        ax.plot(rival.error, row, "o", color=colour, markersize=9)
    ax.set(xlim=(middle - half, middle + half), ylim=(-0.6, len(rivals) - 0.4))
    ax.set_yticks(range(len(rivals)), [rival.name for rival in rivals])
    style.plain(ax, grid="y")
    ax.set_xlabel("error on held-out frames (nats per number; less is better)")
    ax.set_title(f"verdict: {result.verdict.kind}", loc="left", fontsize=11)


def matrix(result: Result, ax: Axes) -> None:
    """The probability of the most probable type of every edge."""
    n = len(result.entities)
    values = np.where(np.eye(n, dtype=bool), np.nan, result.probability[0].max(-1))
    shown = ax.imshow(values, vmin=0.5, vmax=1.0, cmap="Greys")
    ax.set(xticks=range(n), yticks=range(n), xlabel="target", ylabel="source")
    ax.set_title("probability of the type", loc="left", fontsize=11)
    ax.figure.colorbar(shown, ax=ax)


def main() -> None:
    made = Figure(figsize=(9.0, 6.4), layout="constrained", facecolor=style.PAPER)
    FigureCanvasAgg(made)
    axes = made.subplots(2, 2, width_ratios=(1.5, 1.0))
    for row, data in enumerate((independent(), simulate("charged", 1, frames=2000, seed=3))):
        result = RelationalInference(seed=0, minutes=MINUTES).fit(data).infer(data)
        errors(result, axes[row, 0])
        matrix(result, axes[row, 1])
    style.save(made, HERE / "how_sure.png")


if __name__ == "__main__":
    main()
