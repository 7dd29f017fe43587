"""Report pages of runs and of results: settings, metrics with their meaning, training curves and selected tasks."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path

from bouncegrad.app.measures import all_numbers, edge_numbers, type_numbers
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories, plural
from bouncegrad.models.evaluation import Evaluation, edge_measures
from bouncegrad.models.forecasts import forecast, of_tasks
from bouncegrad.models.laws import learned_law, true_law
from bouncegrad.models.model import Model
from bouncegrad.results.baselines import edge_baselines
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.report import Report, write_report
from bouncegrad.results.result import PINNED, Result, origins
from bouncegrad.runs.folder import Run

AHEAD = 20  # frames of a drawn forecast, as many as in the published tables
TRAINED_ON = {"cpu": "no GPU used", "cuda": "trained on a GPU", "auto": "trained on a GPU if there was one"}


def counted_tasks(count: int) -> str:
    """Returns a number of tasks in words."""
    return f"{count:,} {plural('task', count)}"


def chosen_by(losses: dict[str, float] | None) -> str:
    """Returns the held-out losses by which the number of edge types K was chosen; empty if the user stated it."""
    if not losses:
        return ""
    return f", chosen by held-out losses: {', '.join(f'{loss:.3f} for K = {k}' for k, loss in losses.items())}"


def shown_forecast(model: Model, data: Trajectories, result: Result, tasks: list[int]) -> Forecast | None:
    """Returns forecasts of the given tasks, up to the last recorded frame; None if no frame follows the context."""
    steps = min(AHEAD, data.shape[1] - result.context)
    if steps < 1 or not tasks or model.forecaster is None:
        return None
    return forecast(model, data.select(tasks), steps, result.context, of_tasks(result, tasks))


def run_report(
    run: Run, model: Model, command: str, data: Trajectories, evaluation: Evaluation, path: str | Path
) -> None:
    """Writes the report page of a run, with its model and its evaluation."""
    config, about, rows = run.config(), run.about(), run.rows()
    facts = [
        ("training data", about["summary"]),
        ("source of the data", about["source"]),
        ("search", config.search + (f", {config.proposal} proposal" if config.search == "paper" else "")),
        ("edge types", str(config.edge_types) + chosen_by(about.get("held_out_losses"))),
        ("seed", str(config.seed)),
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores, {TRAINED_ON[config.device]}"),
    ]
    if model.kinds:
        of_each = ", ".join(f"{model.kinds.count(kind)} {kind}" for kind in sorted(set(model.kinds)))
        facts.insert(4, ("kinds of entities", f"{of_each}; each kind has its own node module"))
    if (decided := about.get("held_out_frames")) is not None:
        facts.insert(4, ("variant", f"{decided['chosen']}, chosen by held-out frames"))
    facts[4:4] = origins(config.priors, evaluation.result.chosen).items()
    if rows:
        facts.insert(4, ("training", f"{rows[-1]['epoch']} epochs in {rows[-1]['seconds'] / 60:.1f} minutes"))
    content = Report(
        title="Who interacts with whom",
        question=(
            f"Interaction modules were trained on {counted_tasks(about['shape'][0])} without edge labels. Then "
            f"structures were inferred for {counted_tasks(len(data.tasks))} ({evaluation.numbers['split']})."
        ),
        command=command,
        facts=tuple(facts),
        numbers=all_numbers(evaluation.numbers),
        curves=tuple(rows),
        data=data,
        result=evaluation.result,
        perm=tuple(evaluation.numbers["relabelling"] or ()) or None,
        without_type=0 if config.pinned else None,
        errors=evaluation.errors,
        law=learned_law(model, data, evaluation.result),
        true_law=true_law(about["source"]),
    )
    chosen = [task for task, _ in content.chosen]
    write_report(replace(content, forecast=shown_forecast(model, data, evaluation.result, chosen)), path)


def result_report(result: Result, command: str, data: Trajectories | None, split: str, path: str | Path) -> None:
    """Writes the report page of an inferred result. Without the recordings, it shows graphs only.

    Raises:
        InputError: the recordings have other tasks or entities than the result.
    """
    if data is not None and (data.tasks, data.entities) != (result.tasks, result.entities):
        raise InputError(
            f"{result.source}: its tasks or entities differ from those of {data.source}; give the recordings from "
            "which it was inferred, with the same options, or leave --data out"
        )
    m, n = result.edges.shape[:2]
    facts = [("result", result.source), ("tasks, entities", f"{m:,}, {n:,}"), ("context frames", str(result.context))]
    facts += [("edge types", str(len(result.type_names)))]
    facts += result.origins.items()
    numbers, perm, pinned = type_numbers(result), None, PINNED in result.priors
    if data is not None:
        facts.insert(1, ("recordings", f"{data.source}: {data.summary()}"))
        baselines = edge_baselines(data, result.context, len(result.type_names))
        found = edge_measures(data, result, pinned) | {"baselines": baselines, "split": split}
        numbers, perm = edge_numbers(found) + numbers, found["relabelling"]
    content = Report(
        title="Who interacts with whom",
        question=f"Structures of {m:,} tasks were inferred with a trained model.",
        command=command,
        facts=tuple(facts),
        numbers=numbers,
        data=data,
        result=result,
        perm=tuple(perm or ()) or None,
        without_type=0 if pinned else None,
        trained=False,
    )
    write_report(content, path)
