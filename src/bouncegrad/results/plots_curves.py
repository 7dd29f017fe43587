"""Figures of metrics: training curves, forecast errors by horizon, and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bouncegrad.results.labels import write_not_available
from bouncegrad.results.metrics import Calibration
from bouncegrad.results.style import COLOURS, DASHES, INK, MARKERS, MUTED, legend, plain

FEW = 12  # a curve with fewer values has a mark at each value
FAR = 5.0  # a single value this many spreads above nearly all others is not drawn
STILL, ABSURD = "static", 30.0  # the forecast that stands still; errors so many times larger are not drawn


def curves(
    rows: Sequence[Mapping[str, object]],
    ax: Axes,
    *keys: str,
    against: str = "epoch",
    labels: Sequence[str] = (),
) -> Axes:
    """Draws metrics of a run against epochs or time, one line per key.

    Rows without the key, or without a finite number, are skipped. The axis is logarithmic if all values are positive
    and differ by more than a factor of 30. Single peaks far above all other values are not drawn; the figure states
    their number. A dotted line marks the start of the forecasting stage, if there are values before and after it.

    Args:
        rows: the rows of `metrics.jsonl`, each with the keys `epoch` and `seconds`.
        ax: the axes to draw into.
        keys: keys of the rows, see `series`.
        against: "epoch" or "seconds". Seconds are drawn as minutes if the run took more than two minutes.
        labels: names of the lines; by default the keys, with spaces.
    """
    plain(ax, grid="y")
    everything: list[float] = []
    places: list[float] = []
    words = list(labels) or [key.replace("_", " ") for key in keys]
    unit, per_unit = axis_of(rows, against)
    for i, key in enumerate(keys):
        at, values = series(rows, key, against)
        everything, places = everything + values, places + at
        ax.plot(
            [x / per_unit for x in at],
            values,
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)],
            linewidth=1.5,
            marker="o" if len(values) < FEW else None,
            markersize=3.5,
            label=words[i],
        )
    if everything and min(everything) > 0 and max(everything) > 30 * min(everything):
        ax.set_yscale("log")
        plain(ax)
    else:
        leave_out_peaks(everything, ax)
    ax.set_xlabel(unit)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=against == "epoch"))
    begins = next((row.get(against) for row in rows if row.get("stage") == "forecast"), None)
    if isinstance(begins, int | float) and places and min(places) < begins < max(places):
        ax.axvline(begins / per_unit, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    if len(keys) == 1:
        ax.set_ylabel(words[0])
    else:
        legend(ax)
    if not everything:
        write_not_available(ax)
    return ax


def leave_out_peaks(values: Sequence[float], ax: Axes) -> None:
    """Ends the axis below single values that are far above nearly all others, and writes how many there are."""
    if len(values) < FEW:
        return
    low, high = np.percentile(values, [5, 90])
    top = high + FAR * (high - low)
    far = np.array(values) > top
    alone = far[1:-1] & ~far[:-2] & ~far[2:]
    if high > low and 0 < far.sum() == alone.sum():
        inside = [value for value in values if value <= top]
        room = 0.05 * (max(inside) - min(inside))
        ax.set_ylim(min(inside) - room, max(inside) + room)
        note = f"not drawn: {far.sum()} of {len(values)} values, up to {max(values):.3g}"
        ax.text(0.99, 0.97, note, transform=ax.transAxes, ha="right", va="top", color=MUTED, fontsize=8)


def axis_of(rows: Sequence[Mapping[str, object]], against: str) -> tuple[str, float]:
    """Returns the label of the axis and the size of its unit in seconds (1 for epochs)."""
    if against != "seconds":
        return against, 1.0
    longest = max((float(s) for row in rows if isinstance(s := row.get("seconds"), int | float)), default=0.0)
    return ("minutes", 60.0) if longest > 120 else ("seconds", 1.0)


def series(rows: Sequence[Mapping[str, object]], key: str, against: str = "epoch") -> tuple[list[float], list[float]]:
    """Returns epochs (or seconds) and values of one key, for all rows with a finite number.

    A key such as `shares.1` means element 1 of the list `shares`.
    """
    at, values = [], []
    name, _, place = key.partition(".")
    for row in rows:
        x, value = row.get(against), row.get(name)
        if place:
            value = value[int(place)] if isinstance(value, list) and int(place) < len(value) else None
        if isinstance(x, int | float) and isinstance(value, int | float) and np.isfinite(value):
            at.append(float(x))
            values.append(float(value))
    return at, values


def reliability(calibration: Calibration, ax: Axes) -> Axes:
    """Draws the share of correct edges against their probability; on the diagonal, probabilities are calibrated.

    Bins with more edges have larger marks. The number at a mark is the number of its edges.
    """
    plain(ax, grid="both")
    low = float(min(0.5, calibration.confidence.min(), calibration.accuracy.min()))
    ax.plot([low, 1], [low, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfect calibration")
    ax.plot(calibration.confidence, calibration.accuracy, color=COLOURS[0], linewidth=1.3, label="this result")
    share = calibration.count / calibration.count.sum()
    ax.scatter(calibration.confidence, calibration.accuracy, s=14 + 120 * share, color=COLOURS[0], zorder=3)
    for x, y, count in zip(calibration.confidence, calibration.accuracy, calibration.count, strict=True):
        ax.annotate(
            f"{count:,}", (x, y), xytext=(0, -13), textcoords="offset points", fontsize=7, color=INK, ha="center"
        )
    ax.set_xlabel("probability of the inferred type")
    ax.set_ylabel("share of correct edges")
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

    The axis ends at 30 times the largest error of the forecast that stands still, if there is one; the figure names
    forecasts with larger errors.

    Args:
        errors: errors by name of the forecast.
        ax: the axes to draw into.
        published: published errors of other methods at some horizons, by name; they are drawn as open marks.
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
    still = np.nanmax(errors[STILL]) if STILL in errors else 0.0
    if far := [name for name, values in errors.items() if still > 0 and np.nanmax(values) > ABSURD * still]:
        ax.set_ylim(top=ABSURD * still)
        note = "; ".join(f"{name} up to {np.nanmax(errors[name]):.1g}" for name in far)
        ax.text(0.99, 0.02, f"beyond the axis: {note}", transform=ax.transAxes, ha="right", color=MUTED, fontsize=8)
    ax.set_xlabel("frames ahead")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_ylabel("mean squared error")
    if published:
        legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        legend(ax)
    return ax
