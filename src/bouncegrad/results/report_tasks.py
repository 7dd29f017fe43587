"""Selected tasks of a report: tracks, inferred graph, true graph and forecast of each."""

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

LISTED = 12  # longer lists in descriptions are hard to follow for listeners


class TaskCard(NamedTuple):
    """One task of the page.

    Args:
        name: name of the task.
        reason: why the task was chosen.
        loss: loss of the task.
        correct: number of edges with the correct type, if the truth is known.
        edges: number of edges; if the truth is known, only edges whose true type is known count.
        figures: figures of the task.
    """

    name: str
    reason: str
    loss: float | None
    correct: int | None
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
    """Returns a card for each chosen task, with tracks, inferred graph, and true graph and forecast if available."""
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
    drawn, correct = [], None
    if data is not None:
        made, ax = figure(2.8, 2.8)
        plots.tracks(data, task, ax)
        entities = ", ".join(data.entities[:LISTED])
        label = f"Tracks of task {data.tasks[task]}: {data.shape[1]} frames of {entities}"
        drawn.append(Drawn(Markup(svg(made, label, f"tracks-{task}")), "tracks"))
    pairs = 0
    if result is not None:
        # Entities that are not in this task are not in its graph.
        mask = None if data is None else data.mask
        here = np.arange(len(result.entities)) if mask is None else np.flatnonzero(mask[task].any(0))
        among = np.ix_(here, here)
        truth = None if data is None or data.edges is None or perm is None else data.edges[task][among]
        drawn.append(_inferred(result, task, here, truth, perm, without_type))
        pairs = len(here) * (len(here) - 1)
        if truth is not None:
            pairs = int(known_edges(truth).sum())
            correct = int((_relabelled(result.edges[task][among], perm) == truth)[known_edges(truth)].sum())
            names = [result.entities[i] for i in here]
            made, ax = figure(2.8, 3.0)
            plots.network(truth, names, None, ax)
            label = f"True graph of task {result.tasks[task]}. {_in_words(truth, names)}"
            drawn.append(Drawn(Markup(svg(made, label, f"true-{task}")), "true graph"))
    if data is not None and forecast is not None and data.tasks[task] in forecast.tasks:
        drawn.append(_ahead(data, forecast, task))
    tasks = data.tasks if data is not None else result.tasks if result is not None else ()
    loss = None if result is None else float(result.loss[task])
    return TaskCard(tasks[task], reason, loss, correct, pairs, tuple(drawn))


def _inferred(
    result: Result,
    task: int,
    here: Int[np.ndarray, " N"],
    truth: Int[np.ndarray, "N N"] | None,
    perm: Sequence[int] | None,
    without_type: int | None,
) -> Drawn:
    """Draws the inferred graph, with the labels of the true types if these are known."""
    made, ax = figure(2.8, 3.0)
    among, names, entities = np.ix_(here, here), result.type_names, [result.entities[i] for i in here]
    edges, found = result.edges[task][among], result.probability[task][among]
    probability = found
    if truth is not None and perm is not None:
        edges = _relabelled(edges, perm)
        probability = np.zeros((*edges.shape, max(perm) + 1))
        probability[..., list(perm)] = found
        names, without_type = tuple(str(k) for k in range(max(perm) + 1)), 0
    plots.network(edges, entities, probability, ax, names, without_type=without_type, truth=truth)
    label = f"Inferred graph of task {result.tasks[task]}. {_in_words(edges, entities)}"
    return Drawn(Markup(svg(made, label, f"inferred-{task}")), "inferred graph")


def _relabelled(edges: Int[np.ndarray, "N N"], perm: Sequence[int] | None) -> Int[np.ndarray, "N N"]:
    """Returns the edge types with the labels of the true types."""
    assert perm is not None
    return np.asarray(perm)[edges] * off_diagonal(len(edges))


def _in_words(edges: Int[np.ndarray, "N N"], names: Sequence[str]) -> str:
    """Returns the number of edges of each type, and their names if there are few, for readers who cannot see."""
    parts = []
    pairs = off_diagonal(len(edges))
    for k in np.unique(edges[pairs & (edges >= 0)]):
        at = np.argwhere((edges == k) & pairs)
        which = ", ".join(f"{names[s]} to {names[t]}" for s, t in at) if len(at) <= LISTED else ""
        parts.append(f"{len(at)} of type {k}{': ' if which else ''}{which}")
    return "; ".join(parts)


def _ahead(data: Trajectories, forecast: Forecast, task: int) -> Drawn:
    """Draws the forecast of one task and the observed frames after the context."""
    number, steps = forecast.tasks.index(data.tasks[task]), forecast.x.shape[1]
    made, ax = figure(2.8, 3.0)
    plots.forecast_fan(forecast, data.select([data.tasks.index(name) for name in forecast.tasks]), number, ax)
    ahead = f"{steps} frames after the first {forecast.context}"
    label = f"Forecast of task {data.tasks[task]}, {ahead}, and the observed frames"
    return Drawn(Markup(svg(made, label, f"forecast-{task}")), f"forecast, {steps} frames")
