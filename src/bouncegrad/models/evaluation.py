"""Evaluation: how accurate a trained model is on new tasks, compared with baselines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.energy import energy_drift
from bouncegrad.models.forecast_scores import as_numbers, forecast_scores
from bouncegrad.models.held_out import with_verdict
from bouncegrad.models.model import Model
from bouncegrad.models.protocols import (
    CONSTANT_VELOCITY,
    HORIZONS,
    MODEL,
    ONE_STEP,
    STATIC,
    ProtocolName,
    forecast_errors,
    plan,
)
from bouncegrad.results.baselines import edge_baselines
from bouncegrad.results.block_regression import regress_blocks
from bouncegrad.results.metrics import (
    auroc,
    calibration,
    edge_accuracy,
    error_at,
    off_diagonal,
    relabelling,
    symmetric,
    undirected_auroc,
)
from bouncegrad.results.result import Result


class Evaluation(NamedTuple):
    """The outcome of an evaluation.

    Args:
        numbers: metrics that can be written as JSON.
        result: the inferred edges.
        errors: forecast errors by horizon, of the model and of the baselines.
    """

    numbers: dict[str, Any]
    result: Result
    errors: dict[str, Float[np.ndarray, " S"]]


def evaluate(
    model: Model,
    data: Trajectories,
    context: int | None = None,
    split: str = "all tasks",
    protocol: ProtocolName = "free",
    progress: Callable[[float], object] | None = None,
    system: str | None = None,
) -> Evaluation:
    """Returns edge metrics, forecast errors by horizon and baselines on `data`.

    Args:
        model: the trained model.
        data: tasks with or without true edges; metrics that need true edges are None without them.
        context: number of frames that edges are inferred from; None: as many as in training.
        split: which tasks these are, in words; stored with the numbers.
        protocol: where forecasts start and how far they go, see `protocols.py`.
        progress: called with the share of the inference that is done, from 0 to 1.
        system: the simulated system, whose energy is then known, see `energy.py`.

    Raises:
        InputError: the recordings are too short for the protocol or the context, or the system has no known energy.
    """
    start = time.perf_counter()
    data = model.adopted(data)
    frames = data.shape[1]
    context = min(model.frames, frames) if context is None else context
    planned = plan(protocol, frames, context, model.config.lags)
    result = model.infer(data, context, progress=progress)
    result = with_verdict(model, data.frames(0, context), result)
    seconds = time.perf_counter() - start
    errors, scores, drift = {}, {}, {}
    if planned.steps > 0:
        past = result if planned.context == context else model.infer(data, planned.context)
        errors = forecast_errors(model, data, planned, past)
        scores, drift = forecast_scores(model, data, planned, past), energy_drift(model, data, planned, past, system)
    edges = edge_measures(data, result, model.config.pinned)
    baselines = edge_baselines(data, context, model.config.edge_types)
    for name in (STATIC, CONSTANT_VELOCITY):
        baselines[name.replace(" ", "_")] = {f"mse_{h}": error_at(errors.get(name), h) for h in HORIZONS}
    numbers = {
        **edges,
        **judgement(result),
        "regression_auroc": regression_auroc(data, result),
        **{f"mse_{h}": error_at(errors.get(MODEL), h) for h in HORIZONS},
        **{f"one_step_mse_{h}": error_at(errors.get(ONE_STEP), h) for h in HORIZONS},
        "intervals": as_numbers(scores, HORIZONS),
        "energy_drift": {name: {f"{h}": error_at(of, h) for h in HORIZONS} for name, of in drift.items()} or None,
        "seconds": seconds,
        "baselines": baselines,
        "split": split,
        "protocol": protocol,
        "forecast_context_frames": planned.context,
        "forecast": f"{planned.description}; positions and velocities scaled to [-1, 1]",
    }
    return Evaluation(numbers, result, errors)


def judgement(result: Result) -> dict[str, Any]:
    """Returns what is known about how far a result may be trusted, ready for JSON.

    `verdict` and `rivals` are None if the model was trained on many recordings; `sure` is the share of pairs with a
    probability above 0.95 for a type other than "no interaction"; `unlike` says how recordings differ from training.
    """
    verdict = result.verdict
    rivals = None if verdict is None else verdict.to_json()["rivals"]
    kind = None if verdict is None else verdict.kind
    return {"verdict": kind, "rivals": rivals, "sure": result.sure, "unlike": list(result.unlike)}


def regression_auroc(data: Trajectories, result: Result) -> float | None:
    """Returns the AUROC of the regression's scores, where the verdict names the regression and the truth is known."""
    if data.edges is None or result.verdict is None or result.verdict.kind != "regression":
        return None
    return auroc(data.edges[:1], regress_blocks(data).score[None])


def edge_measures(data: Trajectories, result: Result, pinned: bool) -> dict[str, Any]:
    """Returns the metrics of inferred edges, of any method; None for those that need true edges if there are none.

    Args:
        data: the tasks of the result.
        result: the inferred edges.
        pinned: whether type 0 of the result means "no interaction".
    """
    types = len(result.type_names)
    perm = relabelling(data.edges, result.edges, types, pinned=pinned)
    both = symmetric(result.probability)
    perm_of_both = relabelling(data.edges, both, types, pinned=pinned)
    calibrated = calibration(data.edges, result.probability, perm)
    return {
        "edge_accuracy": edge_accuracy(data.edges, result.edges, perm),
        "edge_accuracy_symmetric": edge_accuracy(data.edges, both, perm_of_both),
        "auroc": auroc(data.edges, result.probability, perm),
        "auroc_undirected": undirected_auroc(data.edges, result.probability, perm),
        "calibration_error": calibrated.expected_error if calibrated else None,
        "reliability": [list(bin) for bin in calibrated.bins] if calibrated else None,
        "undetermined": float(result.undetermined.sum() / off_diagonal(data.shape[2]).sum() / len(data.tasks)),
        "loss": float(result.loss.mean()),
        "tasks": len(data.tasks),
        "relabelling": list(perm) if perm else None,
        "priors": list(result.priors),
        "chosen_priors": list(result.chosen),
        "context_frames": result.context,
    }
