"""The gallery of a report: tracks, inferred graph, true graph and forecast of a few tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from markupsafe import Markup

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.metrics import known_edges, off_diagonal
from bouncegrad.results.report_figures import Drawn
from bouncegrad.results.result import Result
from bouncegrad.results.style import figure, svg


class TaskCard(NamedTuple):
    """One task of the page: why it is shown, how it went, and its figures."""

    name: str
    reason: str
    loss: float | None
    right: int | None
    edges: int
    figures: tuple[Drawn, ...]


def tasks(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    forecast: Forecast | None,
    chosen: Sequence[tuple[int, str]],
) -> tuple[TaskCard, ...]:
    """A card for each chosen task: tracks, inferred graph, and, where there are any, true graph and forecast."""
    return tuple(_card(data, result, perm, without_type, forecast, task, reason) for task, reason in chosen)


def _card(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    forecast: Forecast | None,
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
    if data is not None and forecast is not None and data.tasks[task] in forecast.tasks:
        drawn.append(_ahead(data, forecast, task))
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


def _ahead(data: Trajectories, forecast: Forecast, task: int) -> Drawn:
    """The forecast of one task against what was observed after the context."""
    number, steps = forecast.tasks.index(data.tasks[task]), forecast.x.shape[1]
    made, ax = figure(2.8, 3.0)
    plots.forecast_fan(forecast, data.select([data.tasks.index(name) for name in forecast.tasks]), number, ax)
    ahead = f"{steps} frames after the first {forecast.context}"
    label = f"Forecast of task {data.tasks[task]}, {ahead}, against what was observed"
    return Drawn(Markup(svg(made, label, f"forecast-{task}")), f"forecast, {steps} frames")
