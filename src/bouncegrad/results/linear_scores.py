"""Edge scores from linear statistics of all features of all entities: partial correlation, and regressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.ridge import fit

RIDGES = 10.0 ** np.arange(-5, 3)  # penalties that are tried, per frame; features have unit variance
LEAST_SHRINKAGE = 1e-6  # keeps the correlation matrix invertible if one feature is a copy of another
LEAST_FRAMES = 3  # with fewer frames, every fit is exact and has no information


def partial_correlation(data: Trajectories, shrinkage: float | None = None) -> Float[np.ndarray, "M N N"]:
    """Correlation of two entities given all other entities, computed in every task alone; the same in both directions.

    `p_ij = -q_ij / sqrt(q_ii q_jj)`, where `q` is the inverse of `(1 - s) r + s I`, and `r` holds the correlations
    between all features of all entities over the frames. The score of a pair is the norm of all `p` between their
    features. By default the shrinkage is `s = sum var(r_ij) / sum r_ij^2` over `i != j`, so that the inverse exists
    even with more entities than frames. A feature that never changes counts as 0. Frames in which any entity was not
    observed are left out.

    Args:
        data: the recordings.
        shrinkage: s in [0, 1], the same for all tasks.

    Source: Schäfer and Strimmer, A shrinkage approach to large-scale covariance matrix estimation, 2005.
    """
    return _by_task(data, lambda x, seen: _partial(_standard(x[seen]), shrinkage))


def _partial(z: Float[np.ndarray, "T F"], shrinkage: float | None) -> Float[np.ndarray, "F F"]:
    """Returns partial correlations, with shrinkage, of standardised columns; the diagonal has no meaning."""
    frames, others = len(z), off_diagonal(z.shape[1])
    if frames < LEAST_FRAMES:
        return np.zeros(others.shape)
    r = z.T @ z / frames
    if shrinkage is None:
        variance = (np.square(z).T @ np.square(z) / frames - np.square(r)) / (frames - 1)
        size = max(np.square(r[others]).sum(), np.finfo(float).tiny)
        shrinkage = float(np.clip(variance[others].sum() / size, LEAST_SHRINKAGE, 1.0))
    q = np.linalg.pinv((1 - shrinkage) * r * others + np.eye(len(r)), hermitian=True)
    size_of = np.sqrt(np.maximum(np.diag(q), np.finfo(float).tiny))
    return -q / size_of / size_of[:, None]


def lagged_regression(data: Trajectories, ridge: float | None = None) -> Float[np.ndarray, "M N N"]:
    """Weight of the state of a source in a linear forecast of the next state of a target, in every task alone.

    The model is `x_t(frame + 1) = constant + sum_s A_st x_s(frame)`, with all features of all entities standardised. It
    is fitted by least squares with the penalty `ridge * frames * sum A^2`. The score is the norm of `A_st`, a block of
    features by features. By default, every target has its own ridge: the value of `RIDGES` with the least squared
    leave-one-out error over frames (computed exactly as `residual / (1 - leverage)`). A feature that never changes
    counts as 0. Pairs of frames in which any entity was not observed are left out.

    Args:
        data: the recordings.
        ridge: the penalty for all targets of all tasks, above 0.

    Source: Granger, Investigating causal relations by econometric models, 1969; the leave-one-out error: Allen, The
    relationship between variable selection and data augmentation, 1974.
    """
    strengths = RIDGES if ridge is None else np.array([ridge])

    def score(x: Float[np.ndarray, "T N D"], seen: Bool[np.ndarray, " T"]) -> Float[np.ndarray, "F F"]:
        both = seen[1:] & seen[:-1]
        return _ridge(_standard(x[:-1][both]), _standard(x[1:][both]), strengths, x.shape[2])

    return _by_task(data, score)


def cubic_ridge(data: Trajectories, ridge: float | None = None) -> Float[np.ndarray, "M N N"]:
    """Effect of the state of a source on the change of a target whose own law may be a curve, in every task alone.

    The model is `x_t(frame + 1) - x_t(frame) = constant + sum_s C_st x_s + A_t x_t + B_t x_t^2 + D_t x_t^3`, where the
    powers are element by element, and all states are those of the frame before. It is fitted by least squares with a
    penalty on the squared coefficients, as in `lagged_regression`; by default every target has the penalty with the
    least leave-one-out error. States are standardised, and changes are in units of their standard deviation over all
    entities. If entities have one feature, the score is `C_st` with its sign; otherwise it is the norm of `C_st`, a
    block of features by features. Pairs of frames in which any entity was not observed are left out.

    To use all recordings of one graph together, give `end_to_end(data)` (`baselines.py`).

    Args:
        data: the recordings.
        ridge: the penalty for all targets of all tasks, above 0.
    """
    strengths = RIDGES if ridge is None else np.array([ridge])
    m, _, n, d = data.shape
    score = np.zeros((m, n, n))
    for x, seen, found in zip(data.x, _seen(data), score, strict=True):
        both = seen[1:] & seen[:-1]
        z = _standard(np.asarray(x[:-1][both], np.float64)).reshape(-1, n, d)
        change = np.diff(np.asarray(x, np.float64), axis=0)[both]
        if len(z) < LEAST_FRAMES:
            continue
        change = change - change.mean(0)
        change /= np.maximum(np.sqrt(np.square(change).mean((0, 1))), np.finfo(float).tiny)
        for target in range(n):
            sources = [s for s in range(n) if s != target]
            own = z[:, [target]]
            regressors = _standard(np.concatenate([z[:, sources], own, own**2, own**3], axis=1))
            block = _ridge(regressors, change[:, target], strengths, d)[: (n - 1) * d].reshape(n - 1, d, d)
            found[sources, target] = block[:, 0, 0] if d == 1 else np.sqrt(np.square(block).sum((1, 2)))
    return score


def _ridge(
    before: Float[np.ndarray, "T F"], after: Float[np.ndarray, "T F"], strengths: Float[np.ndarray, " R"], features: int
) -> Float[np.ndarray, "F F"]:
    """Returns coefficients `[from, to]`; each target (`features` columns of `after`) uses its best penalty."""
    if len(before) < LEAST_FRAMES:
        return np.zeros((before.shape[1], after.shape[1]))
    return fit(before, after, strengths, features).weights


def _by_task(
    data: Trajectories, score: Callable[[Float[np.ndarray, "T N D"], Bool[np.ndarray, " T"]], Float[np.ndarray, "F F"]]
) -> Float[np.ndarray, "M N N"]:
    """Applies a score of features by features to each task, and returns the norm of each block (source, target)."""
    n, d = data.shape[2:]
    both = zip(data.x, _seen(data), strict=True)
    blocks = (score(np.asarray(x, np.float64), seen).reshape(n, d, n, d) for x, seen in both)
    return np.stack([np.sqrt(np.square(block).sum((1, 3))) for block in blocks]) * off_diagonal(n)


def _seen(data: Trajectories) -> Bool[np.ndarray, "M T"]:
    """Returns the frames in which all entities were observed."""
    return np.ones(data.shape[:2], bool) if data.mask is None else np.logical_and.reduce(data.mask, axis=2)


def _standard(x: Float[np.ndarray, "T N D"]) -> Float[np.ndarray, "T F"]:
    """Returns columns with mean 0 and standard deviation 1; a constant column is all 0."""
    rows = x.reshape(len(x), x.shape[1] * x.shape[2])
    if not len(rows):
        return rows
    tiny = 1e-12 * np.abs(rows).max(0)  # a constant column differs from its mean by rounding only
    rows = rows - rows.mean(0)
    size = rows.std(0)
    return rows * np.divide(1.0, size, out=np.zeros_like(size), where=size > tiny)
