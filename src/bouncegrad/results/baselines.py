"""The trivial and classical answers that every result is printed beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.trajectories import Scaling, Trajectories, feature_groups
from bouncegrad.results.metrics import auroc, edge_accuracy, error_at, forecast_error, off_diagonal, relabelling

POSITIONS = ("x", "y", "z")
GROUPS = 512  # scores are clustered exactly up to this many, and in equal portions of their order beyond


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


def least_squares(data: Trajectories) -> Float[np.ndarray, "M N N"]:
    """How much each source matters to each target in a linear law of motion, fitted to every task alone.

    `change_t = constant + a . state_t + sum_s c_s . (x_s - x_t)` by ordinary least squares; the score is the norm of
    `c_s`. Where the data has positions, the law is the same along every axis, `x` is the position and the change is
    that of the velocity (of the position if there is none); otherwise state, `x` and change hold all features. Every
    feature is scaled, so the score has no unit. Frames in which any entity is unseen are left out.
    """
    scaling, (x, kept) = Scaling.fit(data), _scaled(data)
    unit = _shared(scaling.scale, data.features) / _shared(scaling.change, data.features)
    kinds = _kinds(data.features)
    state, change = x[:, :-1][..., kinds.T], (np.diff(x, axis=1) * unit)[..., kinds.T]
    m, t, n, axes, _ = state.shape
    pulled, moved = (slice(1), slice(1, 2)) if _mechanical(data.features) else (slice(None), slice(None))
    rows, weight = t * axes, np.repeat(kept, axes, axis=1)[..., None]
    constant = np.broadcast_to(np.tile(np.eye(axes), (t, 1)), (m, rows, axes))
    score = np.zeros((m, n, n))
    for target in range(n):
        sources = [s for s in range(n) if s != target]
        apart = (state[:, :, sources] - state[:, :, [target]])[..., pulled]
        apart = np.moveaxis(apart, 2, 3).reshape(m, rows, -1)
        regressors = np.concatenate([apart, constant, state[:, :, target].reshape(m, rows, -1)], axis=2)
        response = change[:, :, target, :, moved].reshape(m, rows, -1)
        coefficients = np.linalg.pinv(regressors * weight, rcond=1e-10) @ (response * weight)
        of_source = coefficients[:, : apart.shape[2]].reshape(m, n - 1, -1)
        score[:, sources, target] = np.linalg.norm(of_source, axis=2)
    return score


def _kinds(features: Sequence[str]) -> Int[np.ndarray, "kinds axes"]:
    """Feature indices by kind and axis: positions and velocities of x, y, z, or each feature a kind on one axis."""
    axes = [p for p in POSITIONS if p in features]
    names = [axes, [f"v{p}" for p in axes]] if _mechanical(features) else [axes] if axes else [[f] for f in features]
    return np.array([[features.index(name) for name in kind] for kind in names])


def _mechanical(features: Sequence[str]) -> bool:
    """Whether there are positions and a velocity for each."""
    axes = [p for p in POSITIONS if p in features]
    return bool(axes) and all(f"v{p}" in features for p in axes)


def _shared(sizes: Sequence[float], features: Sequence[str]) -> Float[np.ndarray, " D"]:
    """One size (root mean square) for all positions and one for all velocities, so that no axis is preferred."""
    shared = np.array(sizes)
    for group in feature_groups(features):
        shared[group] = np.sqrt(np.square(shared[group]).mean())
    return shared


def correlation(data: Trajectories) -> Float[np.ndarray, "M N N"]:
    """Absolute Pearson correlation of the one-step changes of two entities, the mean over features; in [0, 1].

    It has no direction. A feature that never changes counts as 0.
    """
    x, kept = _scaled(data)
    change = np.diff(x, axis=1) * kept[..., None, None]
    count = np.maximum(kept.sum(1), 1)[:, None, None]
    change = (change - change.sum(1, keepdims=True) / count[:, None]) * kept[..., None, None]
    product = np.einsum("mtsd,mtnd->mdsn", change, change)
    size = np.sqrt(np.einsum("mdnn->mdn", product))
    norm = size[..., :, None] * size[..., None, :]
    share = np.divide(np.abs(product), norm, out=np.zeros_like(product), where=norm > 1e-12)
    return np.minimum(share, 1.0).mean(1) * off_diagonal(x.shape[2])


def _scaled(data: Trajectories) -> tuple[Float[np.ndarray, "M T N D"], Bool[np.ndarray, "M T-1"]]:
    """States without units, unseen ones 0, and the one-step changes between two frames that are fully seen."""
    scaling = Scaling.fit(data)
    x = (np.asarray(data.x, np.float64) - scaling.shift) / _shared(scaling.scale, data.features)
    mask = np.ones(x.shape[:3], bool) if data.mask is None else np.asarray(data.mask)
    seen = np.logical_and.reduce(mask, axis=-1)
    return np.where(mask[..., None], x, 0.0), seen[:, 1:] & seen[:, :-1]


def edges_from_scores(score: Float[np.ndarray, "M N N"], types: int) -> Int[np.ndarray, "M N N"]:
    """Edge types from scores: the split of all scores into `types` ranges with the least variance within (k-means).

    In one dimension the best split is found exactly by dynamic programming, so the answer has no random start. Higher
    types have higher scores; equal scores share a type.
    """
    values = np.sort(score[:, off_diagonal(score.shape[1])].ravel())
    values, middle = values - values.mean(), values.mean()
    start = np.linspace(0, len(values), min(len(values), GROUPS) + 1).astype(int)
    sums = np.stack([np.concatenate([[0.0], np.cumsum(values**p)])[start] for p in (0, 1, 2)])
    count, total, square = sums[:, None, :] - sums[:, :, None]  # of the values from group i up to group j
    within = np.where(count > 0, square - total**2 / np.maximum(count, 1), 0.0)
    within = np.where(np.triu(np.ones_like(within, bool)), within, np.inf)
    best, steps = within[0], []
    for _ in range(types - 1):
        cost = best[:, None] + within
        steps.append(cost.argmin(0))
        best = cost.min(0)
    cut, cuts = len(start) - 1, []
    for step in reversed(steps):
        cut = int(step[cut])
        cuts.append(start[cut])
    borders = [(values[max(c - 1, 0)] + values[min(c, len(values) - 1)]) / 2 for c in reversed(cuts)]
    return np.searchsorted(np.array(borders), score - middle, side="left") * off_diagonal(score.shape[1])


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
