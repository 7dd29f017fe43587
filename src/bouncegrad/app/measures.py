"""Metrics of `evaluate` for tables and reports, each with its meaning, unit, baselines and tasks."""

from __future__ import annotations

from typing import Any

from bouncegrad.app.columns import EDGE_BASELINES
from bouncegrad.data.trajectories import plural
from bouncegrad.models.protocols import CONSTANT_VELOCITY, HORIZONS, ONE_STEP, STATIC
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.numbers import Number
from bouncegrad.results.result import Result, origins

FORECAST_BASELINES = {name.replace(" ", "_"): name for name in (STATIC, CONSTANT_VELOCITY)}
NAMED = (1, 10, 20)  # horizons of the published tables; they have a row even if they are not available


def describe_split(found: dict[str, Any]) -> str:
    """Returns the tasks and frames that the numbers were measured on, in words."""
    of = origins(found["priors"], found["chosen_priors"])
    stated = [f"{origin}: {priors}" for origin, priors in of.items()]
    return "; ".join([f"{found['split']}: {found['tasks']} tasks, {found['context_frames']} context frames", *stated])


def correspondence(relabelling: list[int]) -> str:
    """Returns the true type of each inferred type, in words."""
    return ", ".join(f"inferred type {k} corresponds to true type {true}" for k, true in enumerate(relabelling))


def edge_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """Returns the metrics of edges, each with its meaning and its baselines."""
    labels = "" if found["relabelling"] is None else f"; {correspondence(found['relabelling'])}"
    where = describe_split(found)

    def number(name: str, key: str, meaning: str, unit: str) -> Number:
        beside = {label: found["baselines"][of].get(key) for of, label in EDGE_BASELINES.items()}
        kept = beside if key in ("edge_accuracy", "auroc", "auroc_undirected") else {}
        return Number(name, found[key], meaning, kept, unit, where)

    return (
        number(
            "edge accuracy",
            "edge_accuracy",
            f"share of ordered pairs with the correct type{labels}",
            "1 is best",
        ),
        number(
            "edge accuracy, symmetric",
            "edge_accuracy_symmetric",
            "the same if both directions of a pair must have the same type",
            "1 is best",
        ),
        number(
            "AUROC",
            "auroc",
            "probability that an edge of a type has a higher score than an edge of another type",
            "1 is best, 0.5 is chance",
        ),
        number(
            "AUROC, undirected",
            "auroc_undirected",
            "the same for unordered pairs: does either entity act on the other?",
            "1 is best, 0.5 is chance",
        ),
        number(
            "calibration error",
            "calibration_error",
            "mean difference between the probability of edges and the share of them that is correct",
            "0 is best",
        ),
    )


def type_numbers(result: Result) -> tuple[Number, ...]:
    """Returns the share of each inferred type, and the mean loss of the tasks."""
    m, n = result.edges.shape[:2]
    found, where = result.edges[:, off_diagonal(n)], f"all {m:,} tasks, {result.context} context frames"
    shares = [
        Number(f"inferred type {name}", float((found == k).mean()), "share of edges with this type", {}, "", where)
        for k, name in enumerate(result.type_names)
    ]
    loss = float(result.loss.mean())
    meaning = "mean over tasks of the negative log-likelihood under the inferred structure"
    return (*shares, Number("loss", loss, meaning, {}, "nats per observed number", where))


def interval_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """Returns how well intervals and sampled futures agree with what happened, beside baselines that have both."""
    scores = found["intervals"]
    if not scores:
        return ()
    rows, (model, *others) = [], scores
    where = "up to 50 of the tasks; free-running from the last context frame"
    for what, name, meaning, unit in (
        ("inside", "inside 90 %", "share of true values inside the interval", "0.9 is right"),
        ("crps", "CRPS", "continuous ranked probability score of the sampled futures", "scaled units, 0 is best"),
    ):
        for h in HORIZONS:
            if (value := scores[model][f"{what}_{h}"]) is not None:
                beside = {other: scores[other][f"{what}_{h}"] for other in others}
                rows.append(Number(f"{name} at {h}", value, f"{meaning} {frames(h)} ahead", beside, unit, where))
    return tuple(rows)


def energy_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """Returns how far the energy of forecasts drifts; nothing for systems without a known energy."""
    drift = found["energy_drift"] or {"forecast": {}, "recording": {}}
    meaning, unit = "mean change of the energy, without damping", "of the mean kinetic energy at the start, 0 is best"
    return tuple(
        Number(f"energy drift at {h}", drift["forecast"][f"{h}"], f"{meaning}, {frames(h)} ahead", beside, unit)
        for h in HORIZONS
        if drift["forecast"].get(f"{h}") is not None
        for beside in [{"recording": drift["recording"][f"{h}"]}]
    )


def frames(count: int) -> str:
    """Returns a number of frames in words."""
    return f"{count} {plural('frame', count)}"


def forecast_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """Returns the forecast errors. Horizons for which the recordings are too short are left out."""
    rows, scope = [], f"{found['split']}: {found['tasks']} tasks; {found['forecast']}"
    for h in HORIZONS:
        if found[f"mse_{h}"] is None and h not in NAMED:
            continue
        meaning = f"mean squared error {frames(h)} ahead"
        others = {label: found["baselines"][name].get(f"mse_{h}") for name, label in FORECAST_BASELINES.items()}
        beside = {ONE_STEP: found[f"one_step_mse_{h}"], **others}
        rows.append(
            Number(f"error at {h}", found[f"mse_{h}"], meaning, beside, "squared scaled units, 0 is best", scope)
        )
    return tuple(rows)


def all_numbers(found: dict[str, Any]) -> tuple[Number, ...]:
    """Returns all metrics of `evaluate`, in the order in which they are read."""
    parts = (edge_numbers, forecast_numbers, interval_numbers, energy_numbers)
    return tuple(number for part in parts for number in part(found))
