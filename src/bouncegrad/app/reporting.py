"""The report page of a run: what was run, the numbers with their meaning, curves and tasks."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path

from bouncegrad.app.evaluation import Evaluation
from bouncegrad.app.laws import learned_law, true_law
from bouncegrad.app.measures import edge_numbers, forecast_numbers
from bouncegrad.app.model import Model
from bouncegrad.app.run import Run
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.report import Report, write_report
from bouncegrad.results.result import Result

AHEAD = 20  # frames that forecasts are drawn for
TRAINED_ON = {"cpu": "no GPU used", "cuda": "trained on a GPU", "auto": "trained on a GPU if there was one"}


def chosen_by(losses: dict[str, float] | None) -> str:
    """By which held-out losses the number of edge types was chosen; nothing where it was stated."""
    if not losses:
        return ""
    return f", chosen by held-out losses: {', '.join(f'{loss:.3f} with {k}' for k, loss in losses.items())}"


def shown_forecast(model: Model, data: Trajectories, result: Result, tasks: list[int]) -> Forecast | None:
    """Forecasts of the tasks that are drawn, as far as there is something to compare them with."""
    steps = min(AHEAD, data.shape[1] - result.context)
    if steps < 1 or not tasks:
        return None
    names = tuple(result.tasks[task] for task in tasks)
    parts = (result.edges[tasks], result.probability[tasks], result.loss[tasks])
    few = replace(result, edges=parts[0], probability=parts[1], loss=parts[2], tasks=names)
    return model.forecast(data.select(tasks), steps, result.context, few)


def run_report(
    run: Run, model: Model, command: str, data: Trajectories, evaluation: Evaluation, path: str | Path
) -> None:
    """Writes the page of a run, its model and its evaluation."""
    config, about, rows = run.config(), run.about(), run.rows()
    facts = [
        ("training data", about["summary"]),
        ("from", about["source"]),
        ("search", config.search + (f", {config.proposal} proposal" if config.search == "paper" else "")),
        ("edge types", str(config.types) + chosen_by(about.get("held_out_losses"))),
        ("seed", str(config.seed)),
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores, {TRAINED_ON[config.device]}"),
    ]
    if model.kinds:
        of_each = ", ".join(f"{model.kinds.count(kind)} {kind}" for kind in sorted(set(model.kinds)))
        facts.insert(4, ("kinds of entities", f"{of_each}; a node module for each kind"))
    if config.priors:
        facts.insert(4, ("stated beforehand", ", ".join(config.priors)))
    if rows:
        facts.insert(4, ("training", f"{rows[-1]['epoch']} epochs in {rows[-1]['seconds'] / 60:.1f} minutes"))
    content = Report(
        title="Who interacts with whom",
        question=(
            f"Interaction modules were learned from {about['shape'][0]:,} tasks without labels, then structures were "
            f"inferred for {len(data.tasks):,} tasks ({evaluation.numbers['split']})."
        ),
        command=command,
        facts=tuple(facts),
        numbers=edge_numbers(evaluation.numbers) + forecast_numbers(evaluation.numbers),
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
