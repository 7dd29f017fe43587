"""Pictures that commands write: one task, chosen by the user, or the training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.communities import arrange, background, edge_weights
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.labels import type_label
from bouncegrad.results.plots import counterfactual, forecast_fan, graph, graph_of_many, matrix, unseen_entity
from bouncegrad.results.plots_graph import ARROWS
from bouncegrad.results.result import Result
from bouncegrad.results.style import figure, save
from bouncegrad.results.training_curves import summary
from bouncegrad.results.unseen import Unseen

SIZE, WIDE = (6.0, 5.0), (13.0, 6.0)  # inches; fits on a page or a slide


def task_number(data: Trajectories, name: str | None) -> int:
    """Returns the index of the task with this name; by default the first task.

    Raises:
        InputError: there is no task with this name.
    """
    if name is None:
        return 0
    if name not in data.tasks:
        raise InputError(
            f"option task: {data.source} has no task {name!r}; give one of {', '.join(data.tasks[:5])}"
            + (", ..." if len(data.tasks) > 5 else "")
        )
    return data.tasks.index(name)


def graph_picture(result: Result, task: int, path: Path, without_type: int | None) -> None:
    """Writes the graph of one task, without edges of the type that means "no interaction", if it is known.

    A graph of many entities is drawn twice: as a matrix, and with its most probable edges as arrows.
    """
    edges, probability, names, types = result.edges[task], result.probability[task], result.entities, result.type_names
    title = f"task {result.tasks[task]}: who acts on whom"
    if len(names) > ARROWS:
        made = Figure(figsize=WIDE, layout="constrained")
        left, right = made.subplots(1, 2)
        absent = background(result.edges, without_type)
        found = arrange(edge_weights(edges, probability, absent))
        matrix(edges, names, left, types, arrangement=found)
        graph_of_many(edges, names, probability, right, types, without_type=absent, arrangement=found)
        if without_type is None:
            title += f" ({type_label(types[absent], absent)}, the most frequent type, is not drawn as arrows)"
    else:
        made, ax = figure(*SIZE)
        graph(edges, names, probability, ax, types, without_type=without_type)
    made.suptitle(title, fontsize=10)
    save(made, path)


def forecast_picture(forecast: Forecast, data: Trajectories, task: int, path: Path) -> None:
    """Writes the forecast of one task, with the recorded frames."""
    made, ax = figure(*SIZE)
    forecast_fan(forecast, data, task, ax)
    made.suptitle(f"task {data.tasks[task]}", fontsize=10)
    save(made, path)


def counterfactual_picture(found: Counterfactual, task: int, path: Path) -> None:
    """Writes the forecasts of one task with all entities and without one."""
    made, ax = figure(*SIZE)
    counterfactual(found, task, ax)
    made.suptitle(f"task {found.tasks[task]}", fontsize=10)
    save(made, path)


def unseen_picture(found: Unseen, visible: Trajectories, whole: Trajectories | None, task: int, path: Path) -> None:
    """Writes the visible tracks of one task, the tracks found for unseen entities, and their true tracks if known."""
    made, ax = figure(*SIZE)
    truth = None if whole is None else whole.x[task, : found.tracks.shape[1], -1:]
    unseen_entity(found, visible, task, ax, truth)
    made.suptitle(f"task {visible.tasks[task]}" + ("" if found.determined[task] else ": undetermined"), fontsize=10)
    save(made, path)


def curves_picture(rows: Sequence[Mapping[str, object]], path: Path) -> str:
    """Writes the training curves, if they were recorded. Returns an addition to the message that names the file."""
    made = summary(rows)
    if made is None:
        return ""
    save(made, path)
    return f" and {path}"
