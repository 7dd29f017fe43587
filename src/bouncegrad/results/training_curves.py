"""Training curves as one figure: one quantity per row, against epochs on the left and against time on the right.

Keys are those of the rows of metrics.jsonl. Keys with the prefix `new_` were measured on tasks that are not used for
training.
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
WIDTH, HEIGHT, TOP = 8.2, 1.8, 0.4  # inches: width of the figure, height of a row, and additional height
MOST = 6  # largest number of types whose shares are drawn, as many as there are colours


class Quantity(NamedTuple):
    """A quantity with a panel of its own.

    Args:
        name: name of the quantity.
        keys: key of each line, with its label.
        meaning: explanation for the caption.
        least: smallest range of the axis, so that noise does not look like change.
    """

    name: str
    keys: Mapping[str, str]
    meaning: str
    least: float = 0.0


def on_both(key: str) -> dict[str, str]:
    """Returns the keys of a metric of training tasks and of new tasks."""
    return {key: "training tasks", f"new_{key}": "new tasks"}


QUANTITIES = (
    Quantity("loss", {"loss": ""}, "Training loss, after the search has updated the structures."),
    Quantity(
        "edge accuracy",
        on_both("edge_accuracy"),
        "Share of edges with the correct type in the current structures, after one relabelling. Not used in training.",
        least=0.05,
    ),
    Quantity(
        "proposal accuracy",
        on_both("proposal_accuracy"),
        "Mean share of edges with the correct type in draws of the learned proposal. Not used in training.",
        least=0.05,
    ),
    Quantity(
        "acceptance",
        {"acceptance": ""},
        "Share of proposals that were accepted. For the heat bath: share of slots that a move changed.",
    ),
    Quantity("temperature", {"temperature": ""}, "Temperature of the search."),
    Quantity(
        "share of each type",
        {f"shares.{k}": f"inferred type {k}" for k in range(MOST)},
        "Share of edges with each inferred type, over all training tasks.",
        least=0.05,
    ),
    Quantity(
        "error at 1 step",
        on_both("mse_1"),
        "Mean squared error of forecasts 1 frame ahead, with positions and velocities scaled to [−1, 1].",
    ),
    Quantity(
        "error at 10 steps",
        on_both("mse_10"),
        "Mean squared error of free-running forecasts 10 frames ahead, with the same scaling.",
    ),
    Quantity("forecast loss", {"forecast_loss": ""}, "Loss of the forecasting modules in the forecasting stage."),
)


def recorded(rows: Sequence[Mapping[str, object]]) -> list[Quantity]:
    """Returns the quantities that a run has recorded, each with its recorded keys."""
    found = []
    for quantity in QUANTITIES:
        keys = {key: label for key, label in quantity.keys.items() if series(rows, key)[1]}
        if keys:
            found.append(quantity._replace(keys=keys))
    return found


def draw(rows: Sequence[Mapping[str, object]], quantity: Quantity, ax: Axes, against: Against) -> Axes:
    """Draws one panel."""
    labels = list(quantity.keys.values())
    curves(rows, ax, *quantity.keys, against=against, labels=labels if any(labels) else [quantity.name])
    ax.set_ylabel(quantity.name, fontsize=9, color=INK)
    low, high = ax.get_ylim()
    if (room := (quantity.least - (high - low)) / 2) > 0:
        ax.set_ylim(low - room, high + room)
    return ax


def summary(rows: Sequence[Mapping[str, object]]) -> Figure | None:
    """Returns a figure of all quantities that a run has recorded; None if there are none.

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
