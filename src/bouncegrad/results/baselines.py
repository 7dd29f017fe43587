"""Baselines: simple and classical methods whose numbers are printed beside every result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.angles import as_sines, box_sizes, without_seams, wrapped
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.results.edge_scores import correlation, distance, edges_from_scores, least_squares
from bouncegrad.results.linear_scores import lagged_regression, partial_correlation
from bouncegrad.results.metrics import auroc, edge_accuracy, relabelling, undirected_auroc


def static(data: Trajectories, steps: int, start: int = -1) -> Float[np.ndarray, "M S N D"]:
    """Forecast that repeats the state of frame `start`: `x[h] = x[start]` for `h = 1 ... steps`.

    For an entity that was not observed in that frame, its last observed state is repeated.
    """
    return np.repeat(_held(data)[:, start, None], steps, axis=1)


def constant_velocity(data: Trajectories, steps: int, start: int = -1) -> Float[np.ndarray, "M S N D"]:
    """Forecast with constant velocity: `x[h] = x[start] + h * slope`, in the units of the data.

    If the data has a feature `vx`, the slope of `x` is `vx * dt`, and `vx` stays constant. For any other feature, the
    slope is its last one-step change. In the first frame, where there is no change, the slope is 0.
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
    """Returns the states. A state that was not observed is replaced by the last observed one before it.

    If there is none before it, the first observed state after it is used.
    """
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


PLACES = ("least_squares", "correlation", "distance")  # scores of differences and changes of positions


def edge_baselines(data: Trajectories, context: int, types: int) -> dict[str, dict[str, float | None]]:
    """Accuracy and AUROC of simple edge scores, ready for JSON.

    A value is None if the truth or the score is not available. Scores use only the context frames.
    `edges_from_scores` splits them into `types` edge types. These are relabelled in the same way as those of a result.
    `pooled_...` is the value of one score for all tasks together, computed from all their frames. It is None unless
    there are at least two tasks and all have the same true graph.

    Returns:
        `{"least_squares": {"edge_accuracy": ..., "auroc": ..., "auroc_undirected": ..., "pooled_auroc": ...,
        "pooled_auroc_undirected": ...}, ...}` for each of `SCORES`
    """
    truth, seen = data.edges, data.frames(0, context)
    joins = truth is not None and len(truth) > 1 and (truth == truth[0]).all()
    table: dict[str, dict[str, float | None]] = {}
    for name, scores in SCORES.items():
        suited = suited_to(name, seen)
        joined = end_to_end(suited) if joins else None
        score = None if truth is None else scores(suited)
        pooled = None if joined is None else scores(joined)
        edges = None if score is None else edges_from_scores(score, types)
        table[name] = {
            "edge_accuracy": None if edges is None else edge_accuracy(truth, edges, relabelling(truth, edges, types)),
            **_ranked(truth, score),
            **{f"pooled_{key}": value for key, value in _ranked(joined.edges if joined else None, pooled).items()},
        }
    return table


def suited_to(name: str, data: Trajectories) -> Trajectories:
    """Returns the recordings as the score of this name can use them."""
    return without_wraps(data) if name in PLACES else with_sines(data)


def with_sines(data: Trajectories) -> Trajectories:
    """Replaces every feature that wraps by its sine and its cosine, for scores that cannot use such features."""
    if not data.angles and not data.periodic:
        return data
    names = [name for name, period in zip(data.features, data.periods, strict=True) if period]
    features = tuple(f"sin {name}" if name in names else name for name in data.features)
    at = [name for name in data.features if name in names]
    return replace(
        data,
        x=as_sines(data.x, data.periods),
        features=features + tuple(f"cos {name}" for name in at),
        units=data.units + ("",) * len(at),
        angles=(),
        periodic=(),
        derived=(),
    )


def without_wraps(data: Trajectories) -> Trajectories:
    """Replaces angles by sine and cosine, and unwraps periodic positions in time; they stay periodic.

    This is for scores of differences between positions and of their changes.
    """
    if not data.periodic:
        return with_sines(data)
    x = without_seams(np.asarray(data.x, np.float64), data.mask, box_sizes(data.periodic, data.features, data.source))
    return replace(with_sines(replace(data, x=x, periodic=(), derived=())), periodic=data.periodic)


def _ranked(
    truth: Int[np.ndarray, "M N N"] | None, score: Float[np.ndarray, "M N N"] | None
) -> dict[str, float | None]:
    """AUROC of ordered and of unordered pairs; None if there is no score."""
    if score is None:
        return {"auroc": None, "auroc_undirected": None}
    return {"auroc": auroc(truth, score), "auroc_undirected": undirected_auroc(truth, score)}


def end_to_end(data: Trajectories) -> Trajectories:
    """Joins all tasks to one long recording of the same entities, with the true graph of the first task.

    After each task, one frame is inserted that counts as not observed. Scores never compare frames across such a frame,
    so a score of the joined recording pools the statistics of all tasks.
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
