"""Evaluation: how right a trained model is on tasks it has not seen, printed beside the baselines."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bouncegrad.app.model import Model
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import baseline_table, constant_velocity, static
from bouncegrad.results.metrics import (
    auroc,
    calibration,
    edge_accuracy,
    error_at,
    forecast_error,
    off_diagonal,
    relabelling,
    symmetric,
)
from bouncegrad.results.result import Result

HORIZONS = (1, 10, 20)


class Evaluation(NamedTuple):
    """Numbers ready for JSON, the inferred result, and errors by horizon of the model and of the trivial forecasts."""

    numbers: dict[str, Any]
    result: Result
    errors: dict[str, Float[np.ndarray, " S"]]


def evaluate(model: Model, data: Trajectories, context: int | None = None, split: str = "all tasks") -> Evaluation:
    """Edge metrics, forecast errors by horizon and baselines on `data`.

    Edges are inferred from the first `context` frames, by default as many as in training. Forecasts run freely from the
    last context frame. Where fewer than 20 frames come after it, structures are inferred a second time with
    the last 20 frames hidden, and these are forecast.

    Args:
        model: trained.
        data: tasks with or without truth; metrics that need it are None without.
        context: frames for inference.
        split: which tasks these are, in words, kept beside the numbers.
    """
    start = time.perf_counter()
    frames = data.shape[1]
    context = min(model.frames, frames) if context is None else context
    result = model.infer(data, context)
    seconds = time.perf_counter() - start
    cut = context if frames - context >= max(HORIZONS) else max(2 + model.config.lags, frames - max(HORIZONS))
    types = model.config.edge_types
    pinned = model.config.pinned
    perm = relabelling(data.edges, result.edges, types, pinned=pinned)
    both = symmetric(result.probability)
    perm_of_both = relabelling(data.edges, both, types, pinned=pinned)
    sure = calibration(data.edges, result.probability, perm)
    factors = model.scaling.published()
    errors = {}
    steps = min(frames - cut, max(HORIZONS))
    if steps > 0:
        known = data.frames(0, cut + steps).require_finite()
        mask = None if known.mask is None else known.mask[:, cut:]
        past = result if cut == context else model.infer(data, cut)
        forecasts = {
            "model": model.predict(data, steps, cut, past),
            "static": static(data.frames(0, cut), steps),
            "constant velocity": constant_velocity(data.frames(0, cut), steps),
        }
        found = {name: forecast_error(known.x[:, cut:], path, factors, mask) for name, path in forecasts.items()}
        errors = {name: error for name, error in found.items() if error is not None}
    baselines = baseline_table(data, context, types, factors, HORIZONS)
    if cut != context:
        hidden = baseline_table(data, cut, types, factors, HORIZONS)
        baselines |= {name: hidden[name] for name in ("static", "constant_velocity")}
    numbers = {
        "edge_accuracy": edge_accuracy(data.edges, result.edges, perm),
        "edge_accuracy_symmetric": edge_accuracy(data.edges, both, perm_of_both),
        "auroc": auroc(data.edges, result.probability, perm),
        "calibration_error": sure.expected_error if sure else None,
        "reliability": [list(bin) for bin in sure.bins] if sure else None,
        "undetermined": float(result.undetermined.sum() / off_diagonal(data.shape[2]).sum() / len(data.tasks)),
        **{f"mse_{h}": error_at(errors.get("model"), h) for h in HORIZONS},
        "loss": float(result.loss.mean()),
        "tasks": len(data.tasks),
        "seconds": seconds,
        "baselines": baselines,
        "relabelling": list(perm) if perm else None,
        "priors": list(result.priors),
        "split": split,
        "context_frames": context,
        "forecast_context_frames": cut,
        "forecast": "free-running from the last context frame; positions and velocities scaled to [-1, 1]",
    }
    return Evaluation(numbers, result, errors)
