"""Figure of one regression task: fitted and held-out points, and predictions before and after adaptation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bouncegrad.results.style import COLOURS, INK, MUTED, PAPER, legend, plain


class FunctionFit(NamedTuple):
    """Points of a function of one variable, and predictions for it.

    Args:
        task: name of the task.
        fitted: points (x, y) that the model fits, `Float[P, 2]`.
        held_out: points (x, y) that only measure the error, `Float[Q, 2]`.
        x: values of x at which predictions are drawn.
        before: predictions before adaptation to the task; None if there is no adaptation.
        after: predictions with the structure and weights found from the fitted points.
        error_before: mean squared error at the held-out points before adaptation.
        error_after: mean squared error at the held-out points after adaptation.
    """

    task: str
    fitted: Float[np.ndarray, "P 2"]
    held_out: Float[np.ndarray, "Q 2"]
    x: Float[np.ndarray, " X"]
    before: Float[np.ndarray, " X"] | None
    after: Float[np.ndarray, " X"]
    error_before: float | None
    error_after: float


def function_fit(fit: FunctionFit, ax: Axes) -> Axes:
    """Draws points and predictions. Filled points are fitted; hollow points are held out."""
    plain(ax, grid="y")
    if fit.before is not None:
        ax.plot(fit.x, fit.before, color=MUTED, linewidth=1.2, linestyle=(0, (5, 2)), label="before")
    ax.plot(fit.x, fit.after, color=COLOURS[0], linewidth=1.6, label="prediction" if fit.before is None else "after")
    mark: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.5, "markeredgewidth": 1.0, "zorder": 3}
    ax.plot(*fit.fitted.T, color=INK, markerfacecolor=INK, label="fitted", **mark)
    ax.plot(*fit.held_out.T, color=COLOURS[1], markerfacecolor=PAPER, label="held out", **mark)
    ys = np.concatenate([fit.fitted[:, 1], fit.held_out[:, 1], fit.after])
    room = 0.12 * max(float(np.ptp(ys)), 1e-6)
    ax.set_ylim(ys.min() - room, ys.max() + room)  # predictions before adaptation may be far off and are cut
    ax.set_xlabel("x")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_ylabel("y")
    legend(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.2, handletextpad=0.4)
    return ax
