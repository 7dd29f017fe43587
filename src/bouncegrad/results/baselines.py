"""The trivial and classical answers that every result is printed beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.edge_scores import POSITIONS, correlation, edges_from_scores, least_squares
from bouncegrad.results.metrics import auroc, edge_accuracy, error_at, forecast_error, relabelling


def static(data: Trajectories, steps: int) -> Float[np.ndarray, "M S N D"]:
    """The last state stays: `x[h] = x[last]` for `h = 1 ... steps`. An unseen last state is the last one seen."""
    return np.repeat(_held(data)[:, -1:], steps, axis=1)


def constant_velocity(data: Trajectories, steps: int) -> Float[np.ndarray, "M S N D"]:
    """Everything goes on as it did: `x[h] = x[last] + h * slope`.

    The slope of a feature `x` is `vx * dt` where the data has `vx` (which itself stays), and its last one-step change
    otherwise. Both in the units of the data.
    """
    held = _held(data)
    last, slope = held[:, -1], held[:, -1] - held[:, -2]
    for position in POSITIONS:
        if position in data.features and f"v{position}" in data.features:
            p, v = data.features.index(position), data.features.index(f"v{position}")
            slope[..., p] = last[..., v] * data.dt
            slope[..., v] = 0.0
    return last[:, None] + np.arange(1, steps + 1)[:, None, None] * slope[:, None]


def _held(data: Trajectories) -> Float[np.ndarray, "M T N D"]:
    """The states, an unseen one replaced by the last one seen before it, else by the first one seen after it."""
    x = np.array(data.x, dtype=np.float64)
    if data.mask is None:
        return x
    frame = np.arange(x.shape[1])[:, None]
    last_seen = np.maximum.accumulate(np.where(data.mask, frame, -1), axis=1)
    index = np.where(last_seen >= 0, last_seen, data.mask.argmax(1)[:, None])
    return np.take_along_axis(x, index[..., None], axis=1)


def baseline_table(
    data: Trajectories,
    context: int,
    types: int,
    factors: Float[np.ndarray, " D"],
    horizons: Sequence[int] = (1, 10, 20),
) -> dict[str, dict[str, float | None]]:
    """Every baseline on one data set, ready for JSON.

    Forecasts start free-running from the last context frame; edges are found from the context frames alone, split into
    `types` by `edges_from_scores` and renamed as a result would be. What cannot be known is None: horizons beyond the
    last frame, and edge metrics without the truth.

    Args:
        factors: `Scaling.published()` of the training part.

    Returns:
        `{"static": {"mse_1": ...}, "constant_velocity": {...}, "least_squares": {"edge_accuracy": ..., "auroc": ...},
        "correlation": {...}}`
    """
    seen = data.frames(0, context)
    future = data.x[:, context : context + max(horizons)]
    mask = None if data.mask is None else data.mask[:, context : context + max(horizons)]
    forecasts: dict[str, Callable[..., np.ndarray]] = {"static": static, "constant_velocity": constant_velocity}
    table: dict[str, dict[str, float | None]] = {}
    for name, forecast in forecasts.items():
        errors = forecast_error(future, forecast(seen, future.shape[1]), factors, mask)
        table[name] = {f"mse_{h}": error_at(errors, h) for h in horizons}
    for name, scores in (("least_squares", least_squares), ("correlation", correlation)):
        table[name] = {"edge_accuracy": None, "auroc": None}
        if data.edges is not None:
            score = scores(seen)
            edges = edges_from_scores(score, types)
            perm = relabelling(data.edges, edges, types)
            table[name] = {"edge_accuracy": edge_accuracy(data.edges, edges, perm), "auroc": auroc(data.edges, score)}
    return table
