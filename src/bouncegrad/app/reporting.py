"""The report page of a run: what was run, the numbers with their meaning, curves and tasks."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from bouncegrad.app.columns import EDGE_BASELINES
from bouncegrad.app.evaluation import Evaluation
from bouncegrad.app.protocols import HORIZONS, ONE_STEP
from bouncegrad.app.run import Run
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.report import Number, Report, write_report

FORECAST_BASELINES = {"static": "static", "constant_velocity": "constant velocity"}
NAMED = (1, 10, 20)  # horizons that are spoken of even where they are not available


def describe_split(found: dict[str, Any]) -> str:
    """Which tasks and frames the numbers speak of."""
    stated = f"; stated beforehand: {', '.join(found['priors'])}" if found["priors"] else ""
    return f"{found['split']}: {found['tasks']} tasks, {found['context_frames']} context frames{stated}"


def edge_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """How right the edges are, each number with what it means and its baselines."""
    where = describe_split(found)
    renamed = "" if found["relabelling"] is None else f"; inferred types renamed to {found['relabelling']} once for all"

    def beside(key: str) -> dict[str, float | None]:
        return {label: found["baselines"][name].get(key) for name, label in EDGE_BASELINES.items()}

    return (
        Number(
            "edge accuracy",
            found["edge_accuracy"],
            f"share of ordered pairs with the right type ({where}{renamed})",
            beside("edge_accuracy"),
        ),
        Number(
            "edge accuracy, symmetric",
            found["edge_accuracy_symmetric"],
            "the same when both directions of a pair are decoded together",
        ),
        Number(
            "AUROC",
            found["auroc"],
            "chance that an edge of a type scores higher than one of another type; 0.5 is guessing",
            beside("auroc"),
        ),
        Number(
            "AUROC, undirected",
            found["auroc_undirected"],
            "the same for unordered pairs: does one act on the other, either way?",
            beside("auroc_undirected"),
        ),
        Number(
            "calibration error",
            found["calibration_error"],
            "expected gap between an edge's probability and how often such edges are right",
        ),
    )


def forecast_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """How far forecasts are off; horizons that the recordings are too short for are left out."""
    rows = []
    for h in HORIZONS:
        if found[f"mse_{h}"] is None and h not in NAMED:
            continue
        meaning = f"mean squared error {h} frame{'s' if h > 1 else ''} ahead, {found['forecast']}"
        others = {label: found["baselines"][name].get(f"mse_{h}") for name, label in FORECAST_BASELINES.items()}
        beside = {ONE_STEP: found[f"one_step_mse_{h}"], **others}
        rows.append(Number(f"error at {h}", found[f"mse_{h}"], meaning, beside))
    return tuple(rows)


def chosen_by(losses: dict[str, float] | None) -> str:
    """By which held-out losses the number of edge types was chosen; nothing where it was stated."""
    if not losses:
        return ""
    return f", chosen by held-out losses: {', '.join(f'{loss:.3f} with {k}' for k, loss in losses.items())}"


def run_report(run: Run, command: str, data: Trajectories, evaluation: Evaluation, path: str | Path) -> None:
    """Writes the page of a run and its evaluation."""
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
    )
    write_report(content, path)
