"""The trivial and classical answers that every result is printed beside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.results.edge_scores import correlation, edges_from_scores, least_squares
from bouncegrad.results.metrics import auroc, edge_accuracy, relabelling


def static(data: Trajectories, steps: int, start: int = -1) -> Float[np.ndarray, "M S N D"]:
    """The state of frame `start` stays: `x[h] = x[start]` for `h = 1 ... steps`; an unseen one is the last one seen."""
    return np.repeat(_held(data)[:, start, None], steps, axis=1)


def constant_velocity(data: Trajectories, steps: int, start: int = -1) -> Float[np.ndarray, "M S N D"]:
    """Everything goes on as it did: `x[h] = x[start] + h * slope`.

    The slope of a feature `x` is `vx * dt` where the data has `vx` (which itself stays), and otherwise its last
    one-step change, nothing in the first frame. Both in the units of the data.
    """
    held = _held(data)
    last = held[:, start]
    slope = last - held[:, start - 1] if start else np.zeros_like(last)
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


def edge_baselines(data: Trajectories, context: int, types: int) -> dict[str, dict[str, float | None]]:
    """What simple scores say of the edges, ready for JSON; None where the truth is unknown.

    Edges are found from the context frames alone, split into `types` by `edges_from_scores` and renamed as a result
    would be.

    Returns:
        `{"least_squares": {"edge_accuracy": ..., "auroc": ...}, "correlation": {...}}`
    """
    seen = data.frames(0, context)
    table: dict[str, dict[str, float | None]] = {}
    for name, scores in (("least_squares", least_squares), ("correlation", correlation)):
        table[name] = {"edge_accuracy": None, "auroc": None}
        if data.edges is not None:
            score = scores(seen)
            edges = edges_from_scores(score, types)
            perm = relabelling(data.edges, edges, types)
            table[name] = {"edge_accuracy": edge_accuracy(data.edges, edges, perm), "auroc": auroc(data.edges, score)}
    return table
