"""Pictures beside the files of a command, of one task of the user's choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.plots import counterfactual, forecast_fan, network, unseen_entity
from bouncegrad.results.result import Result
from bouncegrad.results.style import figure, save
from bouncegrad.results.training_curves import summary
from bouncegrad.results.unseen import Unseen

SIZE = (6.0, 5.0)


def task_number(data: Trajectories, name: str | None) -> int:
    """The index of the task of this name, by default the first.

    Raises:
        InputError: there is none of this name.
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
    """The graph of one task; edges of the type that means "no interaction" are left out where it is known."""
    made, ax = figure(*SIZE)
    network(
        result.edges[task], result.entities, result.probability[task], ax, result.type_names, without_type=without_type
    )
    made.suptitle(f"task {result.tasks[task]}: who acts on whom", fontsize=10)
    save(made, path)


def forecast_picture(forecast: Forecast, data: Trajectories, task: int, path: Path) -> None:
    """The future of one task against what was recorded."""
    made, ax = figure(*SIZE)
    forecast_fan(forecast, data, task, ax)
    made.suptitle(f"task {data.tasks[task]}", fontsize=10)
    save(made, path)


def counterfactual_picture(found: Counterfactual, task: int, path: Path) -> None:
    """One task with all entities and without one."""
    made, ax = figure(*SIZE)
    counterfactual(found, task, ax)
    made.suptitle(f"task {found.tasks[task]}", fontsize=10)
    save(made, path)


def unseen_picture(found: Unseen, visible: Trajectories, whole: Trajectories | None, task: int, path: Path) -> None:
    """The visible tracks of one task, what was found of the unseen, and what it truly did where that is known."""
    made, ax = figure(*SIZE)
    truth = None if whole is None else whole.x[task, : found.tracks.shape[1], -1:]
    unseen_entity(found, visible, task, ax, truth)
    made.suptitle(f"task {visible.tasks[task]}" + ("" if found.determined[task] else ": undetermined"), fontsize=10)
    save(made, path)


def curves_picture(rows: Sequence[Mapping[str, object]], path: Path) -> str:
    """The course of training, where it was recorded; what was written, in words."""
    made = summary(rows)
    if made is None:
        return ""
    save(made, path)
    return f" and {path}"
