"""The course of a run as one figure: each quantity in a row, against epochs on the left and against time on the right.

The names of quantities are those of metrics.jsonl; what has the prefix `new_` was measured on tasks that the run does
not learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bouncegrad.results.plots_curves import curves, series
from bouncegrad.results.style import INK

Against = Literal["epoch", "seconds"]
BOTH: tuple[Against, Against] = ("epoch", "seconds")
WIDTH, HEIGHT, TOP = 8.2, 1.8, 0.4


class Quantity(NamedTuple):
    """What one panel shows: its name, the keys of its lines with their labels, what it means, and its least height."""

    name: str
    keys: Mapping[str, str]
    meaning: str
    least: float = 0.0


def on_both(key: str) -> dict[str, str]:
    """The same number of training tasks and of new ones."""
    return {key: "training tasks", f"new_{key}": "new tasks"}


MOST = 6  # types whose shares are drawn
QUANTITIES = (
    Quantity("loss", {"loss": ""}, "Training loss, after the move of the search."),
    Quantity(
        "edge accuracy",
        on_both("edge_accuracy"),
        "Search: share of edges with the right type, up to one relabelling. Only watched, never used in training.",
        least=0.05,
    ),
    Quantity(
        "proposal accuracy",
        on_both("proposal_accuracy"),
        "Share of edges that the learned proposal would get right, on average over its draws. Only watched.",
        least=0.05,
    ),
    Quantity(
        "acceptance",
        {"acceptance": ""},
        "Share of proposals that were accepted; of the heat bath, share of slots that a move changed.",
    ),
    Quantity("temperature", {"temperature": ""}, "Temperature of the search."),
    Quantity(
        "share of each type",
        {f"shares.{k}": f"inferred {k}" for k in range(MOST)},
        "Share of edges that have each inferred type, over all training tasks.",
        least=0.05,
    ),
    Quantity(
        "error at 1 step",
        on_both("mse_1"),
        "Mean squared error of forecasts 1 frame ahead; positions and velocities scaled to [−1, 1].",
    ),
    Quantity(
        "error at 10 steps",
        on_both("mse_10"),
        "Mean squared error of free-running forecasts 10 frames ahead, scaled in the same way.",
    ),
    Quantity("forecast loss", {"forecast_loss": ""}, "Loss of the modules that forecast, in their own stage."),
)


def recorded(rows: Sequence[Mapping[str, object]]) -> list[Quantity]:
    """The quantities that a run has recorded, each with the lines it has."""
    found = []
    for quantity in QUANTITIES:
        keys = {key: label for key, label in quantity.keys.items() if series(rows, key)[1]}
        if keys:
            found.append(quantity._replace(keys=keys))
    return found


def draw(rows: Sequence[Mapping[str, object]], quantity: Quantity, ax: Axes, against: Against) -> Axes:
    """One panel."""
    labels = list(quantity.keys.values())
    curves(rows, ax, *quantity.keys, against=against, labels=labels if any(labels) else [quantity.name])
    ax.set_ylabel(quantity.name, fontsize=9, color=INK)
    low, high = ax.get_ylim()
    if (room := (quantity.least - (high - low)) / 2) > 0:
        ax.set_ylim(low - room, high + room)
    return ax


def summary(rows: Sequence[Mapping[str, object]]) -> Figure | None:
    """All that a run has recorded; None where that is nothing.

    Args:
        rows: the rows of `metrics.jsonl`.
    """
    quantities = recorded(rows)
    if not quantities:
        return None
    made = Figure(figsize=(WIDTH, HEIGHT * len(quantities) + TOP), layout="constrained")
    FigureCanvasAgg(made)
    panels = made.subplots(len(quantities), len(BOTH), sharey="row", squeeze=False)
    for line, quantity in zip(panels, quantities, strict=True):
        for ax, against in zip(line, BOTH, strict=True):
            draw(rows, quantity, ax, against)
            ax.label_outer(remove_inner_ticks=False)
            ax.tick_params(labelbottom=True)
    made.align_ylabels()
    return made
