"""What `evaluate` has measured: each number with its meaning, its unit, its baselines, and of which tasks it is."""

from __future__ import annotations

from typing import Any

from bouncegrad.app.columns import EDGE_BASELINES
from bouncegrad.models.protocols import HORIZONS, ONE_STEP
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.numbers import Number
from bouncegrad.results.result import Result

FORECAST_BASELINES = {"static": "static", "constant_velocity": "constant velocity"}
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


def type_numbers(result: Result) -> tuple[Number, ...]:
    """How often each type was found, and how surprising the tasks were."""
    m, n = result.edges.shape[:2]
    found, where = result.edges[:, off_diagonal(n)], f"all {m:,} tasks, {result.context} context frames"
    shares = [
        Number(f"inferred type {name}", float((found == k).mean()), "edges of this type", {}, "a share", where)
        for k, name in enumerate(result.type_names)
    ]
    loss = float(result.loss.mean())
    told = "mean over tasks of the negative log-likelihood under the inferred structure"
    return (*shares, Number("loss", loss, told, {}, "nats per number", where))


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
