"""The figures of a report, as SVG elements with the words that describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots
from bouncegrad.results.metrics import Calibration, known_edges, off_diagonal
from bouncegrad.results.plots_curves import series
from bouncegrad.results.plots_functions import FunctionFit
from bouncegrad.results.result import Result
from bouncegrad.results.style import figure, svg
from bouncegrad.results.training_curves import BOTH, draw, recorded


class Drawn(NamedTuple):
    """A figure for the page and its caption."""

    svg: Markup
    caption: str


class TaskCard(NamedTuple):
    """One task of the page: why it is shown, how it went, and its figures."""

    name: str
    reason: str
    loss: float | None
    right: int | None
    edges: int
    figures: tuple[Drawn, ...]


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
            drawn.append(Drawn(Markup(svg(made, label, prefix)), quantity.meaning))
    return tuple(drawn)


def horizon(errors: Mapping[str, Float[np.ndarray, " S"]]) -> Drawn | None:
    """Forecast error against the number of frames ahead."""
    if not errors:
        return None
    made, ax = figure(5.6, 3.2)
    plots.error_by_horizon(errors, ax)
    ends = "; ".join(f"{name} {values[-1]:.3g} at {len(values)} frames" for name, values in errors.items())
    caption = "Mean squared forecast error against frames ahead, features scaled to [-1, 1] by their training range."
    return Drawn(Markup(svg(made, f"{caption} {ends}", "horizon")), caption)


def reliability_figure(calibrated: Calibration) -> Drawn:
    """How often edges were right against how sure they were."""
    made, ax = figure(4.4, 3.4)
    plots.reliability(calibrated, ax)
    bins = zip(calibrated.confidence, calibrated.accuracy, strict=True)
    label = "Share of edges that are right by probability: " + ", ".join(f"{a:.2f} at {c:.2f}" for c, a in bins)
    return Drawn(Markup(svg(made, label, "reliability")), "The number at a mark counts its edges.")


def functions(fits: Sequence[FunctionFit], count: int) -> tuple[Drawn, ...]:
    """A few regression tasks, half of them typical, half surprising."""
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
    """Tasks worth a look: half of them nearest to the median loss, half with the highest, and why."""
    loss = np.where(np.isfinite(loss), loss, np.inf)
    count = min(count, len(loss))
    surprising = np.argsort(-loss, kind="stable")[: count // 2]
    distance = np.abs(loss - np.median(loss))
    typical = [int(i) for i in np.argsort(distance, kind="stable") if i not in surprising][: count - len(surprising)]
    ranks = [f"surprising: loss {rank + 1} of {len(loss)} from the top" for rank in range(len(surprising))]
    return [(i, "typical: near the median loss") for i in typical] + list(zip(surprising.tolist(), ranks, strict=True))


def tasks(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    count: int,
) -> tuple[TaskCard, ...]:
    """A card for each of a few tasks: its tracks, its inferred graph and, where it is known, the true one."""
    if result is not None:
        chosen = choose_tasks(result.loss, count)
    elif data is not None:
        chosen = [(i, "") for i in range(min(count, len(data.tasks)))]
    else:
        return ()
    return tuple(_card(data, result, perm, without_type, task, reason) for task, reason in chosen)


def _card(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    task: int,
    reason: str,
) -> TaskCard:
    drawn, right = [], None
    if data is not None:
        made, ax = figure(2.8, 2.8)
        plots.tracks(data, task, ax)
        entities = ", ".join(data.entities[:12])
        label = f"Tracks of task {data.tasks[task]}: {data.shape[1]} frames of {entities}"
        drawn.append(Drawn(Markup(svg(made, label, f"tracks-{task}")), "tracks"))
    pairs = 0
    if result is not None:
        # Who is not in this task has no place in its graph.
        mask = None if data is None else data.mask
        here = np.arange(len(result.entities)) if mask is None else np.flatnonzero(mask[task].any(0))
        among = np.ix_(here, here)
        truth = None if data is None or data.edges is None or perm is None else data.edges[task][among]
        drawn.append(_inferred(result, task, here, truth, perm, without_type))
        pairs = len(here) * (len(here) - 1)
        if truth is not None:
            pairs = int(known_edges(truth).sum())
            right = int((_renamed(result.edges[task][among], perm) == truth)[known_edges(truth)].sum())
            names = [result.entities[i] for i in here]
            made, ax = figure(2.8, 3.0)
            plots.network(truth, names, None, ax)
            label = f"True graph of task {result.tasks[task]}. {_in_words(truth, names)}"
            drawn.append(Drawn(Markup(svg(made, label, f"true-{task}")), "true"))
    tasks = data.tasks if data is not None else result.tasks if result is not None else ()
    loss = None if result is None else float(result.loss[task])
    return TaskCard(tasks[task], reason, loss, right, pairs, tuple(drawn))


def _inferred(
    result: Result,
    task: int,
    here: Int[np.ndarray, " N"],
    truth: Int[np.ndarray, "N N"] | None,
    perm: Sequence[int] | None,
    without_type: int | None,
) -> Drawn:
    """The inferred graph, under the names of the truth where that is known."""
    made, ax = figure(2.8, 3.0)
    among, names, entities = np.ix_(here, here), result.type_names, [result.entities[i] for i in here]
    edges, found = result.edges[task][among], result.probability[task][among]
    probability = found
    if truth is not None and perm is not None:
        edges = _renamed(edges, perm)
        probability = np.zeros((*edges.shape, max(perm) + 1))
        probability[..., list(perm)] = found
        names, without_type = tuple(str(k) for k in range(max(perm) + 1)), 0
    plots.network(edges, entities, probability, ax, names, without_type=without_type, truth=truth)
    label = f"Inferred graph of task {result.tasks[task]}. {_in_words(edges, entities)}"
    return Drawn(Markup(svg(made, label, f"inferred-{task}")), "inferred")


def _renamed(edges: Int[np.ndarray, "N N"], perm: Sequence[int] | None) -> Int[np.ndarray, "N N"]:
    """The edge types under the names of the truth."""
    assert perm is not None
    return np.asarray(perm)[edges] * off_diagonal(len(edges))


def _in_words(edges: Int[np.ndarray, "N N"], names: Sequence[str]) -> str:
    """How many edges of each type, and which, as far as a listener can follow."""
    parts = []
    pairs = off_diagonal(len(edges))
    for k in np.unique(edges[pairs & (edges >= 0)]):
        at = np.argwhere((edges == k) & pairs)
        which = ", ".join(f"{names[s]} to {names[t]}" for s, t in at) if len(at) <= 12 else ""
        parts.append(f"{len(at)} of type {k}{': ' if which else ''}{which}")
    return "; ".join(parts)
