"""Scores of simple baselines in a report, where the true edges are not known: matrices, and how far they agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.data.colours import COLOURS, INK
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.agreement import MODEL, agreement, beside_model, scored
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.report_figures import Drawn
from bouncegrad.results.result import Result
from bouncegrad.results.style import plain, svg

DRAWN = 24  # entities of a matrix at most; the squares of more could not be seen
SIDE = 2.1  # inches of a matrix


def score_part(data: Trajectories | None, result: Result | None, task: int) -> dict[str, Any] | None:
    """Returns the table of agreements and the figure of one task; None if the truth is known, or there is no result.

    Args:
        data: the recordings; None: the result has to hold the scores.
        result: the inferred edges.
        task: the task that is drawn.
    """
    if result is None or (data is not None and data.edges is not None and (data.edges >= 0).any()):
        return None
    if result.scores is None and data is not None:
        result = scored(result, data)
    if not result.scores:
        return None
    scores, absent = beside_model(result, result.scores)
    found = agreement(scores)
    names = {name: name.replace("_", " ") for name in scores}
    return {
        "heads": list(names.values()),
        "rows": [(names[one], list(row.values())) for one, row in found.items()],
        "absent": None if absent is None else result.type_names[absent],
        "figure": _figure(scores, names, result, task) if len(result.entities) <= DRAWN else None,
    }


def _figure(scores: dict[str, Any], names: dict[str, str], result: Result, task: int) -> Drawn:
    """Returns a matrix for each score, with larger squares for larger ranks."""
    made = Figure(figsize=(SIDE * min(3, len(scores)), 1.1 * SIDE * -(-len(scores) // 3)), layout="constrained")
    FigureCanvasAgg(made)
    axes = np.ravel(made.subplots(-(-len(scores) // 3), min(3, len(scores)), squeeze=False))
    for ax, (name, score) in zip(axes, scores.items(), strict=False):
        model = name == MODEL
        _squares(ax, score[task] if model else _ranks(score[task]), COLOURS[1 if model else 0])
        ax.set_title(names[name], fontsize=9, color=INK)
        ax.set_xticks(range(len(result.entities)), result.entities, rotation=90, fontsize=6)
        ax.set_yticks(range(len(result.entities)), result.entities, fontsize=6)
    for ax in axes[len(scores) :]:
        ax.set_visible(False)
    caption = (
        f"Task {result.tasks[task]}: rows are sources, columns targets. The side of a square is the probability of the "
    )
    caption += "model, or the rank of the score."
    return Drawn(Markup(svg(made, caption, "scores")), caption)


def _ranks(score: Float[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """Returns the rank of each pair as a share of the highest one; equal scores have equal ranks."""
    levels = np.unique(score[off_diagonal(len(score))])
    return np.asarray((np.searchsorted(levels, score) + 1) / len(levels))


def _squares(ax: Axes, share: Float[np.ndarray, "N N"], colour: str) -> None:
    """Draws one matrix of squares; those of 1 fill their cells."""
    plain(ax)
    n = len(share)
    source, target = np.nonzero(off_diagonal(n))
    side = 45 * SIDE / n * share[source, target]  # points
    ax.scatter(target, source, marker="s", s=side**2, color=colour, linewidths=0)
    ax.set_xlim(-0.7, n - 0.3)
    ax.set_ylim(n - 0.3, -0.7)
    ax.set_aspect("equal")
