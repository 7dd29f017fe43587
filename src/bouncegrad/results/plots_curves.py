"""Numbers against epochs, horizons and confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bouncegrad.results.metrics import Calibration
from bouncegrad.results.style import COLOURS, DASHES, INK, MARKERS, MUTED, legend, plain


def curves(rows: Sequence[Mapping[str, object]], ax: Axes, *keys: str) -> Axes:
    """Draws metrics of a run against the epoch, one line per key.

    Rows that lack a key, or hold None or no finite number, are skipped; positive values over more than a factor of 30
    get a logarithmic axis.

    Args:
        rows: the rows of `metrics.jsonl`, each with the key `epoch`.
    """
    plain(ax, grid="y")
    everything: list[float] = []
    for i, key in enumerate(keys):
        epochs, values = series(rows, key)
        everything += values
        ax.plot(
            epochs,
            values,
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)],
            linewidth=1.5,
            marker="o" if len(values) == 1 else None,
            markersize=4,
            label=key.replace("_", " "),
        )
    if everything and min(everything) > 0 and max(everything) > 30 * min(everything):
        ax.set_yscale("log")
        plain(ax)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(keys) == 1:
        ax.set_ylabel(keys[0].replace("_", " "))
    else:
        legend(ax)
    if not everything:
        ax.text(0.5, 0.5, "not available", transform=ax.transAxes, ha="center", color=MUTED, fontsize=9)
    return ax


def series(rows: Sequence[Mapping[str, object]], key: str) -> tuple[list[float], list[float]]:
    """Epochs and values of one key, where there are any."""
    epochs, values = [], []
    for row in rows:
        epoch, value = row.get("epoch"), row.get(key)
        if isinstance(epoch, int | float) and isinstance(value, int | float) and np.isfinite(value):
            epochs.append(float(epoch))
            values.append(float(value))
    return epochs, values


def reliability(calibration: Calibration, ax: Axes) -> Axes:
    """Draws how often edges were right against how sure they were; on the diagonal, confidence can be believed.

    Marks are larger for bins with more edges, and say how many.
    """
    plain(ax, grid="both")
    low = float(min(0.5, calibration.confidence.min(), calibration.accuracy.min()))
    ax.plot([low, 1], [low, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    ax.plot(calibration.confidence, calibration.accuracy, color=COLOURS[0], linewidth=1.3, label="this result")
    share = calibration.count / calibration.count.sum()
    ax.scatter(calibration.confidence, calibration.accuracy, s=14 + 120 * share, color=COLOURS[0], zorder=3)
    for x, y, count in zip(calibration.confidence, calibration.accuracy, calibration.count, strict=True):
        ax.annotate(
            f"{count:,}", (x, y), xytext=(0, -13), textcoords="offset points", fontsize=7, color=INK, ha="center"
        )
    ax.set_xlabel("probability of the inferred type")
    ax.set_ylabel("share that is right")
    ax.set_xlim(low - 0.03, 1.03)
    ax.set_ylim(low - 0.06, 1.03)
    legend(ax, loc="upper left")
    return ax


def error_by_horizon(
    errors: Mapping[str, Float[np.ndarray, " S"]],
    ax: Axes,
    published: Mapping[str, Mapping[int, float]] | None = None,
) -> Axes:
    """Draws mean squared errors against the number of frames ahead, one line per forecast, on a logarithmic axis.

    Args:
        errors: by name of the forecast.
        published: errors of others at some horizons, by name, drawn as open marks.
    """
    plain(ax)
    for i, (name, values) in enumerate(errors.items()):
        ahead = np.arange(1, len(values) + 1)
        positive = np.where(np.asarray(values) > 0, values, np.nan)
        ax.plot(
            ahead,
            positive,
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            markevery=max(1, len(values) // 8),
            linewidth=1.5,
            label=name,
        )
    for i, (name, points) in enumerate((published or {}).items()):
        marker = MARKERS[-1 - i % len(MARKERS)]
        ax.plot(*zip(*points.items(), strict=True), marker, markersize=7, color=INK, fillstyle="none", label=name)
    ax.set_yscale("log")
    ax.set_xlabel("frames ahead")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_ylabel("mean squared error")
    if published:
        legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        legend(ax)
    return ax
