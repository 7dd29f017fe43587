"""The figures of a report, as SVG elements with the words that describe them."""

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
    """A figure for the page and its caption."""

    svg: Markup
    caption: str


def training(rows: Sequence[Mapping[str, Any]]) -> tuple[Drawn, ...]:
    """Two panels for every quantity that the run has recorded: against epochs, and against time."""
    drawn = []
    for quantity in recorded(rows):
        for against in BOTH:
            made, ax = figure(3.9, 2.2)
            draw(rows, quantity, ax, against)
            course = []
            for key, tasks in quantity.keys.items():
                at, values = series(rows, key, against)
                course.append(
                    f"{tasks} from {values[0]:.4g} at {against} {at[0]:.4g} to {values[-1]:.4g} at {at[-1]:.4g}"
                )
            label = f"{quantity.name} against {against}: {'; '.join(course)}".replace(":  from", ": from")
            prefix = f"curve-{quantity.name.replace(' ', '-')}-{against}"
            said = quantity.meaning if against == "epoch" else "The same against time."
            drawn.append(Drawn(Markup(svg(made, label, prefix)), said))
    return tuple(drawn)


def horizon(errors: Mapping[str, Float[np.ndarray, " S"]]) -> Drawn | None:
    """Forecast error against the number of frames ahead."""
    if not errors:
        return None
    made, ax = figure(4.6, 3.1)
    plots.error_by_horizon(errors, ax)
    ends = "; ".join(f"{name} {values[-1]:.3g} at {len(values)} frames" for name, values in errors.items())
    caption = "Mean squared forecast error against frames ahead, features scaled to [-1, 1] by their training range."
    return Drawn(Markup(svg(made, f"{caption} {ends}", "horizon")), caption)


def reliability_figure(calibrated: Calibration) -> Drawn:
    """How often edges were right against how sure they were."""
    made, ax = figure(4.2, 3.3)
    plots.reliability(calibrated, ax)
    bins = zip(calibrated.confidence, calibrated.accuracy, strict=True)
    label = "Share of edges that are right by probability: " + ", ".join(f"{a:.2f} at {c:.2f}" for c, a in bins)
    return Drawn(Markup(svg(made, label, "reliability")), "The number at a mark counts its edges.")


def law_figure(found: Law | None, truth: Sequence[Force] | None) -> Drawn | None:
    """What edges of each type do to their targets, against distance."""
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
        f"Median of {found.visits.sum():,} visits of edges in {BINS} ranges of distance; half of the visits lie in the "
        f"band. Above zero the source pushes the target away, below it pulls. Units: of {found.what} per unit of time."
    )
    if found.fast:
        caption += f" {100 * found.fast:.1f} % of the visits, of pairs that pass within a frame, have no one distance."
    known = [k for k in found.types if truth is not None and k < len(truth)]
    agreed = [(k, found.correlation(k, truth[k])) for k in known] if truth is not None else []
    said = ", ".join(f"{value:.4f} (type {found.type_names[k]})" for k, value in agreed if np.isfinite(value))
    if said:
        caption += f" Correlation with the true force: {said}."
    return Drawn(Markup(svg(made, label, "law")), caption)


def functions(fits: Sequence[FunctionFit], count: int) -> tuple[Drawn, ...]:
    """A few regression tasks, half of them surprising, half typical."""
    if not fits:
        return ()
    drawn = []
    for i, reason in choose_tasks(np.array([fit.error_after for fit in fits]), count):
        fit = fits[i]
        made, ax = figure(3.9, 2.7)
        plots.function_fit(fit, ax)
        before = "" if fit.error_before is None else f"{fit.error_before:.3g} before adaptation, "
        caption = f"Task {fit.task}. Error at held-out points: {before}{fit.error_after:.3g}"
        caption += f"{' after' if before else ''}. {reason.capitalize()}."
        drawn.append(Drawn(Markup(svg(made, caption, f"function-{i}")), caption))
    return tuple(drawn)


def choose_tasks(loss: Float[np.ndarray, " M"], count: int) -> list[tuple[int, str]]:
    """Tasks worth a look, and why, the most surprising first: half with the highest losses, half near the median."""
    loss = np.where(np.isfinite(loss), loss, np.inf)
    count = min(count, len(loss))
    surprising = np.argsort(-loss, kind="stable")[: count // 2]
    distance = np.abs(loss - np.median(loss))
    typical = [int(i) for i in np.argsort(distance, kind="stable") if i not in surprising][: count - len(surprising)]
    ranks = [f"surprising: loss {rank + 1} of {len(loss)} from the top" for rank in range(len(surprising))]
    typical.sort(key=lambda i: -loss[i])
    return [*zip(surprising.tolist(), ranks, strict=True), *((i, "typical: near the median loss") for i in typical)]
