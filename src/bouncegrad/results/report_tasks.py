"""Selected tasks of a report: tracks, inferred graph, true graph and forecast of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from markupsafe import Markup

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import plots
from bouncegrad.results.communities import background
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.metrics import known_edges, off_diagonal
from bouncegrad.results.plots_graph import ARROWS
from bouncegrad.results.report_figures import Drawn
from bouncegrad.results.report_many import LARGE, Graph, many
from bouncegrad.results.result import Result
from bouncegrad.results.style import figure, svg

SMALL = (2.8, 3.0)  # inches
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
        large: whether the figures are large, since there are many entities.
        groups: name and entities of each community, if there are communities.
    """

    name: str
    reason: str
    loss: float | None
    correct: int | None
    edges: int
    figures: tuple[Drawn, ...]
    large: bool
    groups: tuple[tuple[str, str], ...]


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
    drawn: list[Drawn] = []
    groups: tuple[tuple[str, str], ...] = ()
    correct, pairs, large = None, 0, False
    if result is not None:
        # Entities that are not in this task are not in its graph.
        mask = None if data is None else data.mask
        here = np.arange(len(result.entities)) if mask is None else np.flatnonzero(mask[task].any(0))
        truth = None if data is None or data.edges is None or perm is None else data.edges[task][np.ix_(here, here)]
        graph = _graph(result, task, here, truth, perm, without_type)
        words = f"Inferred graph of task {result.tasks[task]}. {_in_words(graph.edges, graph.entities)}"
        large = len(here) > ARROWS
        if large:
            drawn, groups = many(graph, words, f"inferred-{task}")
        else:
            drawn = _few(graph, words, result.tasks[task], task)
        pairs = len(here) * (len(here) - 1)
        if truth is not None:
            pairs = int(known_edges(truth).sum())
            correct = int((graph.edges == truth)[known_edges(truth)].sum())
    if data is not None:
        tracks = _tracks(data, task, LARGE if large else SMALL)
        drawn = [*drawn, tracks] if large else [tracks, *drawn]  # among large figures, matrix and drawing come first
        if forecast is not None and data.tasks[task] in forecast.tasks:
            drawn.append(_ahead(data, forecast, task, LARGE if large else SMALL))
    tasks = data.tasks if data is not None else result.tasks if result is not None else ()
    loss = None if result is None else float(result.loss[task])
    return TaskCard(tasks[task], reason, loss, correct, pairs, tuple(drawn), large, groups)


def _tracks(data: Trajectories, task: int, size: tuple[float, float]) -> Drawn:
    """Draws the tracks of one task."""
    made, ax = figure(*size)
    plots.tracks(data, task, ax)
    entities = ", ".join(data.entities[:LISTED])
    label = f"Tracks of task {data.tasks[task]}: {data.shape[1]} frames of {entities}"
    return Drawn(Markup(svg(made, label, f"tracks-{task}")), "tracks")


def _graph(
    result: Result,
    task: int,
    here: Int[np.ndarray, " N"],
    truth: Int[np.ndarray, "N N"] | None,
    perm: Sequence[int] | None,
    without_type: int | None,
) -> Graph:
    """Returns the inferred graph, with the labels of the true types if these are known."""
    among, entities = np.ix_(here, here), [result.entities[i] for i in here]
    edges, found = result.edges[task][among], result.probability[task][among]
    if truth is None or perm is None:
        absent = background(result.edges, without_type)
        return Graph(edges, entities, found, result.type_names, without_type, absent, None)
    probability = np.zeros((*edges.shape, max(perm) + 1))
    probability[..., list(perm)] = found
    names = tuple(map(str, range(max(perm) + 1)))
    return Graph(_relabelled(edges, perm), entities, probability, names, 0, 0, truth)


def _few(graph: Graph, words: str, name: str, task: int) -> list[Drawn]:
    """Draws the inferred graph and, if it is known, the true graph, with arrows."""
    made, ax = figure(*SMALL)
    edges, names, probability, type_names, without_type, _, truth = graph
    plots.graph(edges, names, probability, ax, type_names, without_type=without_type, truth=truth)
    drawn = [Drawn(Markup(svg(made, words, f"inferred-{task}")), "inferred graph")]
    if truth is not None:
        made, ax = figure(*SMALL)
        plots.graph(truth, names, None, ax)
        label = f"True graph of task {name}. {_in_words(truth, names)}"
        drawn.append(Drawn(Markup(svg(made, label, f"true-{task}")), "true graph"))
    return drawn


def _relabelled(edges: Int[np.ndarray, "N N"], perm: Sequence[int]) -> Int[np.ndarray, "N N"]:
    """Returns the edge types with the labels of the true types."""
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


def _ahead(data: Trajectories, forecast: Forecast, task: int, size: tuple[float, float]) -> Drawn:
    """Draws the forecast of one task and the observed frames after the context."""
    number, steps = forecast.tasks.index(data.tasks[task]), forecast.x.shape[1]
    made, ax = figure(*size)
    plots.forecast_fan(forecast, data.select([data.tasks.index(name) for name in forecast.tasks]), number, ax)
    ahead = f"{steps} frames after the first {forecast.context}"
    label = f"Forecast of task {data.tasks[task]}, {ahead}, and the observed frames"
    return Drawn(Markup(svg(made, label, f"forecast-{task}")), f"forecast, {steps} frames")
