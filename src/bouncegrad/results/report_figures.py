"""Figures of a report as SVG elements, with captions and descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from bouncegrad.results import plots
from bouncegrad.results.law import BINS, Force, Law
from bouncegrad.results.metrics import Calibration
from bouncegrad.results.plots_curves import series
from bouncegrad.results.plots_functions import FunctionFit
from bouncegrad.results.style import figure, svg
from bouncegrad.results.training_curves import BOTH, draw, recorded


class Drawn(NamedTuple):
    """A figure of the page and its caption."""

    svg: Markup
    caption: str


def training(rows: Sequence[Mapping[str, Any]]) -> tuple[Drawn, ...]:
    """Returns two panels for every quantity that the run has recorded: against epochs, and against time."""
    drawn = []
    for quantity in recorded(rows):
        for against in BOTH:
            made, ax = figure(3.9, 2.2)
            draw(rows, quantity, ax, against)
            course = []
            for key, tasks in quantity.keys.items():
                at, values = series(rows, key, against)
                first, last = (f"epoch {x:.4g}" if against == "epoch" else f"{x:.4g} seconds" for x in (at[0], at[-1]))
                course.append(f"{tasks} from {values[0]:.4g} at {first} to {values[-1]:.4g} at {last}".lstrip())
            label = f"{quantity.name} against {against}: {'; '.join(course)}"
            prefix = f"curve-{quantity.name.replace(' ', '-')}-{against}"
            caption = quantity.meaning if against == "epoch" else "The same against time."
            drawn.append(Drawn(Markup(svg(made, label, prefix)), caption))
    return tuple(drawn)


def horizon(errors: Mapping[str, Float[np.ndarray, " S"]]) -> Drawn | None:
    """Returns the figure of the forecast error against the number of frames ahead."""
    if not errors:
        return None
    made, ax = figure(4.6, 3.1)
    plots.error_by_horizon(errors, ax)
    ends = "; ".join(f"{name} {values[-1]:.3g} at {len(values)} frames" for name, values in errors.items())
    caption = "Mean squared forecast error against frames ahead, features scaled to [−1, 1] by their training range."
    return Drawn(Markup(svg(made, f"{caption} {ends}", "horizon")), caption)


def reliability_figure(calibrated: Calibration) -> Drawn:
    """Returns the figure of the share of correct edges against their probability."""
    made, ax = figure(4.2, 3.3)
    plots.reliability(calibrated, ax)
    bins = zip(calibrated.confidence, calibrated.accuracy, strict=True)
    label = "Share of correct edges by probability: " + ", ".join(f"{a:.2f} at {c:.2f}" for c, a in bins)
    return Drawn(Markup(svg(made, label, "reliability")), "The number at each mark is its number of edges.")


def law_figure(found: Law | None, truth: Sequence[Force] | None) -> Drawn | None:
    """Returns the figure of the learned law of each edge type."""
    if found is None or not found.types:
        return None
    made, ax = figure(4.8, 3.5)
    plots.law(found, ax, truth)
    parts = []
    for k in found.types:
        at, along = found.distance[k], found.along[k, 1]
        parts.append(
            f"type {found.type_names[k]} from {along[0]:.3g} at {at[0]:.3g} to {along[-1]:.3g} at {at[-1]:.3g}"
        )
    label = f"Learned change of {found.what} along the line, against distance: {'; '.join(parts)}"
    caption = (
        f"Median over {found.visits.sum():,} visits (one edge in one frame) in {BINS} ranges of distance. The band "
        "holds half of the visits. Above zero, the source pushes the target away; below zero, it pulls. "
        f"Unit: that of {found.what}, per unit of time."
    )
    if found.fast:
        caption += f" {100 * found.fast:.1f} % of the visits are left out, since the pair passes within one frame."
    known = [k for k in found.types if truth is not None and k < len(truth)]
    agreed = [(k, found.correlation(k, truth[k])) for k in known] if truth is not None else []
    values = ", ".join(f"{value:.4f} (type {found.type_names[k]})" for k, value in agreed if np.isfinite(value))
    if values:
        caption += f" Correlation with the true force: {values}."
    return Drawn(Markup(svg(made, label, "law")), caption)


def functions(fits: Sequence[FunctionFit], count: int) -> tuple[Drawn, ...]:
    """Returns figures of a few regression tasks: half of them have the largest errors, half are typical."""
    if not fits:
        return ()
    drawn = []
    for i, reason in choose_tasks(np.array([fit.error_after for fit in fits]), count, "error"):
        fit = fits[i]
        made, ax = figure(3.9, 2.7)
        plots.function_fit(fit, ax)
        before = "" if fit.error_before is None else f"{fit.error_before:.3g} before adaptation, "
        caption = f"Task {fit.task}. Error at held-out points: {before}{fit.error_after:.3g}"
        caption += f"{' after' if before else ''}. {reason.capitalize()}."
        drawn.append(Drawn(Markup(svg(made, caption, f"function-{i}")), caption))
    return tuple(drawn)


def choose_tasks(loss: Float[np.ndarray, " M"], count: int, word: str = "loss") -> list[tuple[int, str]]:
    """Returns tasks with the reason of their choice: half have the highest losses, half a loss near the median.

    Args:
        loss: loss of each task; a loss that is not finite counts as the highest.
        count: number of tasks.
        word: name of the loss, for the reasons.

    Returns:
        Indices and reasons, both halves in descending order of the loss.
    """
    loss = np.where(np.isfinite(loss), loss, np.inf)
    count = min(count, len(loss))
    highest = np.argsort(-loss, kind="stable")[: count // 2]
    distance = np.abs(loss - np.median(loss))
    typical = [int(i) for i in np.argsort(distance, kind="stable") if i not in highest][: count - len(highest)]
    reasons = [f"high {word}: rank {rank + 1} of {len(loss)}" for rank in range(len(highest))]
    typical.sort(key=lambda i: -loss[i])
    return [*zip(highest.tolist(), reasons, strict=True), *((i, f"typical: {word} near the median") for i in typical)]
