"""Classical scores of who matters to whom, from each task alone, and their split into edge types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.scaling import Scaling, feature_groups
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.results.metrics import off_diagonal

DOUBT = 3.0  # standard errors at which a coefficient counts half
FAILED = 0.01  # share of scores that may be of any size
GROUPS = 512  # places at which sorted scores may be cut, at a time


def least_squares(data: Trajectories) -> Float[np.ndarray, "M N N"]:
    """How much each source matters to each target in a linear law of motion, fitted to every task alone.

    `change_t = constant + a . state_t + sum_s c_s . (x_s - x_t)` by ordinary least squares. The score is the norm of
    `c_s`, less where the fit leaves it in doubt: `|c_s| |c_s|^2 / (|c_s|^2 + (3 e_s)^2)` with `e_s` the norm of its
    standard errors, so that a target moved by noise is not said to be moved by others. Where the data has positions,
    the law is the same along every axis, `x` is the position and the change is that of the velocity (of the position if
    there is none); otherwise state, `x` and change hold all features. Every feature is scaled, so the score has no
    unit. Frames in which any entity is unseen are left out.
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
        regressors = np.concatenate([apart, constant, state[:, :, target].reshape(m, rows, -1)], axis=2) * weight
        response = change[:, :, target, :, moved].reshape(m, rows, -1) * weight
        square, variance = _fitted(regressors, response, weight.sum((1, 2)))
        strong, doubt = (part[:, : apart.shape[2]].reshape(m, n - 1, -1).sum(2) for part in (square, variance))
        score[:, sources, target] = strong**1.5 / np.maximum(strong + DOUBT**2 * doubt, np.finfo(float).tiny)
    return score


def _fitted(
    regressors: Float[np.ndarray, "M rows R"], response: Float[np.ndarray, "M rows Q"], count: Float[np.ndarray, " M"]
) -> tuple[Float[np.ndarray, "M R Q"], Float[np.ndarray, "M R Q"]]:
    """Squares of the least-squares coefficients and their variances, from `count` rows that are not 0."""
    inverse = np.linalg.pinv(regressors, rcond=1e-10)
    coefficients = inverse @ response
    free = np.maximum(count - regressors.shape[2], 1.0)[:, None, None]
    residual = np.square(response - regressors @ coefficients).sum(1, keepdims=True) / free
    return np.square(coefficients), np.square(inverse).sum(2)[..., None] * residual


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


def distance(data: Trajectories) -> Float[np.ndarray, "M N N"] | None:
    """Who is near interacts: minus the mean distance of two entities over the frames that show both, in units of x.

    It has no direction. A pair that is never seen together counts as the farthest. None for data without positions, the
    features x, y, z.
    """
    axes = [data.features.index(p) for p in POSITIONS if p in data.features]
    if not axes:
        return None
    m, t, n, _ = data.shape
    mask = np.ones((m, t, n), bool) if data.mask is None else data.mask
    x = np.where(mask[..., None], np.asarray(data.x, np.float64)[..., axes], 0.0)
    score = np.zeros((m, n, n))
    for source in range(n):
        both = mask & mask[:, :, [source]]
        apart = np.linalg.norm(x - x[:, :, [source]], axis=3) * both
        score[:, source] = np.where(both.any(1), -apart.sum(1) / np.maximum(both.sum(1), 1), -np.inf)
    farthest = score.min(initial=0.0, where=np.isfinite(score))
    return np.maximum(score, farthest) * off_diagonal(n)


def _scaled(data: Trajectories) -> tuple[Float[np.ndarray, "M T N D"], Bool[np.ndarray, "M T-1"]]:
    """States without units, unseen ones 0, and the one-step changes between two frames that are fully seen."""
    scaling = Scaling.fit(data)
    x = (np.asarray(data.x, np.float64) - scaling.shift) / _shared(scaling.scale, data.features)
    mask = np.ones(x.shape[:3], bool) if data.mask is None else np.asarray(data.mask)
    seen = np.logical_and.reduce(mask, axis=-1)
    return np.where(mask[..., None], x, 0.0), seen[:, 1:] & seen[:, :-1]


def edges_from_scores(score: Float[np.ndarray, "M N N"], types: int) -> Int[np.ndarray, "M N N"]:
    """Edge types from scores: the split of all scores into `types` ranges with the least variance within (k-means).

    In one dimension the best split is found by dynamic programming, so the answer has no random start: exactly up to
    512 scores; with more, between portions of equal size and then within the portions at the borders. Higher types
    have higher scores; equal scores share a type. Of more than a hundred scores the largest hundredth, by size, counts
    as its smallest: one failed fit among a thousand would otherwise be a range of its own.
    """
    values = np.sort(score[:, off_diagonal(score.shape[1])].ravel())
    largest = np.quantile(np.abs(values), 1 - FAILED, method="higher")
    values = np.clip(values, -largest, largest)
    values, middle = values - values.mean(), values.mean()
    sums = np.stack([np.concatenate([[0.0], np.cumsum(values**p)]) for p in (0, 1, 2)])
    width = max(1, -(-len(values) // GROUPS))
    cuts = _cuts(sums, np.arange(0, len(values), width), types)
    while width > 1:
        reach, width = width, max(1, -(-width * 4 * types // GROUPS))
        near = [np.arange(max(c - reach, 0), min(c + reach, len(values)), width) for c in cuts]
        cuts = _cuts(sums, np.unique(np.concatenate([[0], cuts, *near])), types)
    borders = [(values[max(c - 1, 0)] + values[min(c, len(values) - 1)]) / 2 for c in cuts]
    return np.searchsorted(np.array(borders), score - middle, side="left") * off_diagonal(score.shape[1])


def _cuts(sums: Float[np.ndarray, "3 E"], places: Int[np.ndarray, " P"], types: int) -> list[int]:
    """Where to cut into `types` ranges, at some of the places, for the least variance within.

    Args:
        sums: sums of the first 0, 1, ... values to the power of 0, 1 and 2.
    """
    places = np.append(places, sums.shape[1] - 1)
    at = sums[:, places]
    count, total, square = at[:, None, :] - at[:, :, None]  # of the values from one place up to another
    within = np.where(count > 0, square - total**2 / np.maximum(count, 1), 0.0)
    within = np.where(np.triu(np.ones_like(within, bool)), within, np.inf)
    best, steps = within[0], []
    for _ in range(types - 1):
        cost = best[:, None] + within
        steps.append(cost.argmin(0))
        best = cost.min(0)
    cut, cuts = len(places) - 1, []
    for step in reversed(steps):
        cut = int(step[cut])
        cuts.append(int(places[cut]))
    return cuts[::-1]
