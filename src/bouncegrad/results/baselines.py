"""The trivial and classical answers that every result is printed beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.angles import as_sines, wrapped
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.results.edge_scores import correlation, distance, edges_from_scores, least_squares
from bouncegrad.results.linear_scores import lagged_regression, partial_correlation
from bouncegrad.results.metrics import auroc, edge_accuracy, relabelling, undirected_auroc


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
    slope = wrapped(last - held[:, start - 1], data.periods) if start else np.zeros_like(last)
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


SCORES: dict[str, Callable[[Trajectories], Float[np.ndarray, "M N N"] | None]] = {
    "least_squares": least_squares,
    "lagged_regression": lagged_regression,
    "correlation": correlation,
    "partial_correlation": partial_correlation,
    "distance": distance,
}


def edge_baselines(data: Trajectories, context: int, types: int) -> dict[str, dict[str, float | None]]:
    """What simple scores say of the edges, ready for JSON; None where the truth or the score is not available.

    Edges are found from the context frames alone, split into `types` by `edges_from_scores` and renamed as a result
    would be. `pooled_...` is of one score for all tasks, from the statistics of all their frames together; None unless
    the truth is one graph for two tasks or more.

    Returns:
        `{"least_squares": {"edge_accuracy": ..., "auroc": ..., "auroc_undirected": ..., "pooled_auroc": ...,
        "pooled_auroc_undirected": ...}, ...}` for each of `SCORES`
    """
    truth, seen = data.edges, with_sines(data.frames(0, context))
    joined = end_to_end(seen) if truth is not None and len(truth) > 1 and (truth == truth[0]).all() else None
    table: dict[str, dict[str, float | None]] = {}
    for name, scores in SCORES.items():
        score = None if truth is None else scores(seen)
        pooled = None if joined is None else scores(joined)
        edges = None if score is None else edges_from_scores(score, types)
        table[name] = {
            "edge_accuracy": None if edges is None else edge_accuracy(truth, edges, relabelling(truth, edges, types)),
            **_ranked(truth, score),
            **{f"pooled_{key}": value for key, value in _ranked(joined.edges if joined else None, pooled).items()},
        }
    return table


def with_sines(data: Trajectories) -> Trajectories:
    """The same with sine and cosine of every angle as features, for scores that know no angles."""
    if not data.angles:
        return data
    names = [angle.partition(":")[0] for angle in data.angles]
    features = tuple(f"sin {name}" if name in names else name for name in data.features)
    at = [name for name in data.features if name in names]
    return replace(
        data,
        x=as_sines(data.x, data.periods),
        features=features + tuple(f"cos {name}" for name in at),
        units=data.units + ("",) * len(at),
        angles=(),
        derived=(),
    )


def _ranked(
    truth: Int[np.ndarray, "M N N"] | None, score: Float[np.ndarray, "M N N"] | None
) -> dict[str, float | None]:
    """AUROC of ordered and of unordered pairs, None without a score."""
    if score is None:
        return {"auroc": None, "auroc_undirected": None}
    return {"auroc": auroc(truth, score), "auroc_undirected": undirected_auroc(truth, score)}


def end_to_end(data: Trajectories) -> Trajectories:
    """All tasks as one long recording of the same entities, with an unseen frame after each; the graph of the first.

    A score of it is of the statistics of all tasks pooled, since no score looks across a frame that is unseen.
    """
    m, t, n, d = data.shape
    mask = np.ones((m, t, n), bool) if data.mask is None else data.mask
    return replace(
        data,
        x=np.pad(data.x, ((0, 0), (0, 1), (0, 0), (0, 0))).reshape(1, m * (t + 1), n, d),
        mask=np.pad(mask, ((0, 0), (0, 1), (0, 0))).reshape(1, m * (t + 1), n),
        edges=None if data.edges is None else data.edges[:1],
        tasks=(),
    )
