"""Simple scores of edges, computed from each task alone, and their split into edge types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import wrapped
from bouncegrad.data.scaling import Scaling, feature_groups
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.results.metrics import off_diagonal

DOUBT = 3.0  # a coefficient of this many standard errors counts half
FAILED = 0.01  # share of the largest scores that are limited, since some of them come from failed fits
GROUPS = 512  # sorted scores are cut at this many places at a time; memory grows with its square


def least_squares(data: Trajectories) -> Float[np.ndarray, "M N N"]:
    """Size of the influence of each source on each target in a linear law of motion, fitted to every task alone.

    The law is `change_t = constant + a . state_t + sum_s c_s . (x_s - x_t)`, fitted by ordinary least squares. The
    score is `|c_s| |c_s|^2 / (|c_s|^2 + (3 e_s)^2)`, where `e_s` is the norm of the standard errors of `c_s`. So an
    uncertain coefficient counts less, and noise in the target is not taken for influence. If the data has positions,
    the law is the same along every axis, `x` is the position, and the change is that of the velocity (or of the
    position, if there are no velocities). Otherwise, state, `x` and change hold all features. Every feature is scaled,
    so the score has no unit. Frames in which any entity was not observed are left out.
    """
    scaling, (x, kept) = Scaling.fit(data), _scaled(data)
    unit = _shared(scaling.scale, data.features) / _shared(scaling.change, data.features)
    kinds = _kinds(data.features)
    box = np.array(scaling.period or (0.0,) * len(unit)) / _shared(scaling.scale, data.features)
    state, change = x[:, :-1][..., kinds.T], (np.diff(x, axis=1) * unit)[..., kinds.T]
    m, t, n, axes, _ = state.shape
    pulled, moved = (slice(1), slice(1, 2)) if _mechanical(data.features) else (slice(None), slice(None))
    rows, weight = t * axes, np.repeat(kept, axes, axis=1)[..., None]
    constant = np.broadcast_to(np.tile(np.eye(axes), (t, 1)), (m, rows, axes))
    score = np.zeros((m, n, n))
    for target in range(n):
        sources = [s for s in range(n) if s != target]
        apart = wrapped(state[:, :, sources] - state[:, :, [target]], box[kinds.T])[..., pulled]
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
    """Returns squared least-squares coefficients and their variances; `count` rows are not 0."""
    inverse = np.linalg.pinv(regressors, rcond=1e-10)
    coefficients = inverse @ response
    free = np.maximum(count - regressors.shape[2], 1.0)[:, None, None]
    residual = np.square(response - regressors @ coefficients).sum(1, keepdims=True) / free
    return np.square(coefficients), np.square(inverse).sum(2)[..., None] * residual


def _kinds(features: Sequence[str]) -> Int[np.ndarray, "kinds axes"]:
    """Returns feature indices by kind and axis.

    If the data has positions and velocities, these are the two kinds. If it has positions only, they are the one kind.
    In both cases, the axes are x, y and z. Otherwise, each feature is a kind of its own with a single axis.
    """
    axes = [p for p in POSITIONS if p in features]
    names = [axes, [f"v{p}" for p in axes]] if _mechanical(features) else [axes] if axes else [[f] for f in features]
    return np.array([[features.index(name) for name in kind] for kind in names])


def _mechanical(features: Sequence[str]) -> bool:
    """Returns whether the features have positions, and a velocity for each of them."""
    axes = [p for p in POSITIONS if p in features]
    return bool(axes) and all(f"v{p}" in features for p in axes)


def _shared(sizes: Sequence[float], features: Sequence[str]) -> Float[np.ndarray, " D"]:
    """Returns sizes in which all positions share one value, and all velocities another: the root mean square.

    So all axes are scaled equally.
    """
    shared = np.array(sizes)
    for group in feature_groups(features):
        shared[group] = np.sqrt(np.square(shared[group]).mean())
    return shared


def correlation(data: Trajectories) -> Float[np.ndarray, "M N N"]:
    """Absolute Pearson correlation of the one-step changes of two entities, averaged over features; in [0, 1].

    The score is the same in both directions. A feature that never changes counts as 0.
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
    """Minus the mean distance between two entities over all frames in which both were observed, in units of x.

    It assumes that near entities interact. The score is the same in both directions. A pair that was never observed
    together gets the score of the most distant pair. Returns None for data without positions (features x, y, z).
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
        apart = np.linalg.norm(wrapped(x - x[:, :, [source]], data.periods[axes]), axis=3) * both
        score[:, source] = np.where(both.any(1), -apart.sum(1) / np.maximum(both.sum(1), 1), -np.inf)
    farthest = score.min(initial=0.0, where=np.isfinite(score))
    return np.maximum(score, farthest) * off_diagonal(n)


def _scaled(data: Trajectories) -> tuple[Float[np.ndarray, "M T N D"], Bool[np.ndarray, "M T-1"]]:
    """Returns scaled states, and which one-step changes are between two frames in which all entities were observed.

    States that were not observed are 0.
    """
    scaling = Scaling.fit(data)
    x = (np.asarray(data.x, np.float64) - scaling.shift) / _shared(scaling.scale, data.features)
    mask = np.ones(x.shape[:3], bool) if data.mask is None else np.asarray(data.mask)
    seen = np.logical_and.reduce(mask, axis=-1)
    return np.where(mask[..., None], x, 0.0), seen[:, 1:] & seen[:, :-1]


def edges_from_scores(score: Float[np.ndarray, "M N N"], types: int) -> Int[np.ndarray, "M N N"]:
    """Splits all scores into `types` ranges with the least variance within ranges (k-means), one for each edge type.

    In one dimension, dynamic programming finds the best split, without random initial values. Up to 512 scores, it is
    exact. More scores are first cut between groups of equal size, and then within the groups next to these cuts.
    Higher types have higher scores. Equal scores have the same type. If there are more than a hundred scores, the one
    percent with the largest absolute values is limited to the smallest of these values. Otherwise, a few failed fits
    would take a range of their own.
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
    """Returns the places at which to cut into `types` ranges for the least variance within ranges.

    Args:
        sums: sums of the first 0, 1, ... sorted values to the powers 0, 1 and 2.
        places: indices at which a cut is allowed.
        types: number of ranges.
    """
    places = np.append(places, sums.shape[1] - 1)
    at = sums[:, places]
    count, total, square = at[:, None, :] - at[:, :, None]  # of the values between two places
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
