"""The report page of a run: what was run, the numbers with their meaning, curves and tasks."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from bouncegrad.app.columns import EDGE_BASELINES
from bouncegrad.app.evaluation import Evaluation
from bouncegrad.app.laws import learned_law, true_law
from bouncegrad.app.model import Model
from bouncegrad.app.protocols import HORIZONS, ONE_STEP
from bouncegrad.app.run import Run
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.report import Number, Report, write_report
from bouncegrad.results.result import Result

FORECAST_BASELINES = {"static": "static", "constant_velocity": "constant velocity"}
AHEAD = 20  # frames that forecasts are drawn for
NAMED = (1, 10, 20)  # horizons that are spoken of even where they are not available


def describe_split(found: dict[str, Any]) -> str:
    """Which tasks and frames the numbers speak of."""
    stated = f"; stated beforehand: {', '.join(found['priors'])}" if found["priors"] else ""
    return f"{found['split']}: {found['tasks']} tasks, {found['context_frames']} context frames{stated}"


def read_as(relabelling: list[int]) -> str:
    """Which true type each inferred type stands for, in words."""
    return ", ".join(f"inferred {k} is read as true {true}" for k, true in enumerate(relabelling))


def edge_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """How right the edges are, each number with what it means and its baselines."""
    renamed = "" if found["relabelling"] is None else f"; {read_as(found['relabelling'])}"
    where = describe_split(found)

    def number(name: str, key: str, meaning: str, unit: str) -> Number:
        beside = {label: found["baselines"][of].get(key) for of, label in EDGE_BASELINES.items()}
        kept = beside if key in ("edge_accuracy", "auroc", "auroc_undirected") else {}
        return Number(name, found[key], meaning, kept, unit, where)

    return (
        number(
            "edge accuracy",
            "edge_accuracy",
            f"ordered pairs with the right type{renamed}",
            "a share, 1 is best",
        ),
        number(
            "edge accuracy, symmetric",
            "edge_accuracy_symmetric",
            "the same when both directions of a pair are decoded together",
            "a share, 1 is best",
        ),
        number(
            "AUROC",
            "auroc",
            "chance that an edge of a type scores higher than one of another type",
            "a share, 0.5 is guessing",
        ),
        number(
            "AUROC, undirected",
            "auroc_undirected",
            "the same for unordered pairs: does one act on the other, either way?",
            "a share, 0.5 is guessing",
        ),
        number(
            "calibration error",
            "calibration_error",
            "expected gap between an edge's probability and how often such edges are right",
            "a share, 0 is best",
        ),
    )


def forecast_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """How far forecasts are off; horizons that the recordings are too short for are left out."""
    rows, scope = [], f"{found['split']}: {found['tasks']} tasks; {found['forecast']}"
    for h in HORIZONS:
        if found[f"mse_{h}"] is None and h not in NAMED:
            continue
        meaning = f"mean squared error {h} frame{'s' if h > 1 else ''} ahead"
        others = {label: found["baselines"][name].get(f"mse_{h}") for name, label in FORECAST_BASELINES.items()}
        beside = {ONE_STEP: found[f"one_step_mse_{h}"], **others}
        rows.append(
            Number(f"error at {h}", found[f"mse_{h}"], meaning, beside, "squared scaled units, 0 is best", scope)
        )
    return tuple(rows)


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
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores, no GPU used"),
    ]
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
