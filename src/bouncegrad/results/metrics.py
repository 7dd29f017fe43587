"""Metrics of results: accuracy up to one global relabelling, AUROC, calibration, and forecast error by horizon.

Every metric that needs the truth returns None if the truth is unknown. Edges whose true type is unknown (-1) are left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError


@dataclass(frozen=True, eq=False)
class Calibration:
    """Share of correct edges by the probability of their inferred type.

    Args:
        confidence: mean probability of each bin of probabilities; bins without edges are left out.
        accuracy: share of correct edges in each bin.
        count: number of edges in each bin.
        expected_error: mean of `|accuracy - confidence|` over bins, weighted by their number of edges.
    """

    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    count: Int[np.ndarray, " bins"]
    expected_error: float

    @property
    def bins(self) -> list[tuple[float, float, int]]:
        """(confidence, accuracy, count) of each bin, as Python numbers."""
        return list(zip(self.confidence.tolist(), self.accuracy.tolist(), self.count.tolist(), strict=True))


def off_diagonal(n: int) -> Bool[np.ndarray, "N N"]:
    """Returns a mask that is true at the `n (n - 1)` ordered pairs."""
    return ~np.eye(n, dtype=bool)


def known_edges(truth: Int[np.ndarray, "M N N"]) -> Bool[np.ndarray, "M N N"]:
    """Returns a mask that is true at the edges whose true type is known."""
    return off_diagonal(truth.shape[-1]) & (truth >= 0)


def confusion(
    truth: Int[np.ndarray, "M N N"] | None, edges: Int[np.ndarray, "M N N"], types: int
) -> Int[np.ndarray, "true inferred"] | None:
    """Counts the edges with each pair of (true type, inferred type), over all tasks, without the diagonal.

    Args:
        truth: true types; the table has `max(truth) + 1` rows.
        edges: inferred types, each below `types`.
        types: number of inferred types, and of columns of the table.
    """
    if truth is None:
        return None
    if truth.shape != edges.shape:
        raise InputError(f"truth has shape {truth.shape} and the inferred edges {edges.shape}; compare the same tasks")
    pairs = known_edges(truth)
    if not pairs.any():
        return None
    true, inferred = truth[pairs], edges[pairs]
    return np.bincount(true * types + inferred, minlength=(true.max() + 1) * types).reshape(-1, types)


def relabelling(
    truth: Int[np.ndarray, "M N N"] | None, edges: Int[np.ndarray, "M N N"], types: int, *, pinned: bool = False
) -> tuple[int, ...] | None:
    """Returns the one relabelling of inferred types that agrees best with the truth of the whole data set.

    Type labels are arbitrary (label switching). So accuracy is measured after the one-to-one relabelling that maximises
    the number of equal edges over all tasks together (Hungarian method), never one relabelling per task. Of several
    equally good relabellings, the one that changes the fewest labels is taken.

    Args:
        truth: true types.
        edges: inferred types.
        types: number of inferred types; it may differ from the number of true types.
        pinned: if true, type 0 keeps its label, because it was fixed beforehand as "no interaction".

    Returns:
        `perm[inferred type] = true type`. If there are more inferred than true types, the additional ones get numbers
        that the truth does not have.
    """
    table = confusion(truth, edges, types)
    if table is None:
        return None
    size = max(table.shape)
    gain = np.zeros((size, size), np.int64)
    gain[: table.shape[1], : table.shape[0]] = table.T * (size + 1)
    gain += np.eye(size, dtype=np.int64)
    if pinned:
        gain[0, 0] += gain.sum()
    from scipy.optimize import linear_sum_assignment  # here, since it is slow to load

    return tuple(int(true) for true in linear_sum_assignment(gain, maximize=True)[1][:types])


def edge_accuracy(
    truth: Int[np.ndarray, "M N N"] | None, edges: Int[np.ndarray, "M N N"], perm: Sequence[int] | None
) -> float | None:
    """Returns the share of edges whose relabelled type `perm[type]` is the true type, in [0, 1].

    Example:
        >>> truth = np.array([[[0, 1], [0, 0]]])
        >>> swapped = np.array([[[0, 0], [1, 0]]])
        >>> edge_accuracy(truth, swapped, relabelling(truth, swapped, 2)), edge_accuracy(truth, swapped, (0, 1))
        (1.0, 0.0)
    """
    if truth is None or perm is None:
        return None
    table = confusion(truth, edges, len(perm))
    if table is None:
        return None
    right = sum(table[true, inferred] for inferred, true in enumerate(perm) if true < len(table))
    return float(right / table.sum())


def symmetric_probability(probability: Float[np.ndarray, "M N N K"]) -> Float[np.ndarray, "M N N K"]:
    """Returns the probability of each type under the assumption that both directions of a pair have the same type.

    `p(k) = p_st(k) p_ts(k) / sum_j p_st(j) p_ts(j)`, computed with logarithms; the diagonal stays 0.
    """
    tiny = np.finfo(np.float64).tiny
    log = np.log(np.maximum(np.asarray(probability, np.float64), tiny))
    log = log + log.swapaxes(1, 2)
    both = np.exp(log - log.max(-1, keepdims=True))
    both /= both.sum(-1, keepdims=True)
    return both * off_diagonal(probability.shape[1])[:, :, None]


def symmetric(probability: Float[np.ndarray, "M N N K"]) -> Int[np.ndarray, "M N N"]:
    """Returns the most probable types under the assumption that both directions of a pair have the same type.

    The matrix of each task is equal to its transpose and has a zero diagonal.
    """
    return symmetric_probability(probability).argmax(-1)


def auroc(
    truth: Int[np.ndarray, "M N N"] | None,
    score: Float[np.ndarray, "M N N *K"],
    perm: Sequence[int] | None = None,
) -> float | None:
    """Returns the area under the ROC curve: the probability that a positive edge scores higher than a negative one.

    Ties count one half.

    Args:
        truth: true types.
        score: one score per edge, `Float[M, N, N]`, or one probability per type, `Float[M, N, N, K]`. Positive edges
            are those of any type but 0. For probabilities, the score is the probability of any type but 0. For
            probabilities and more than two true types, the result is the mean over the true types, where the edges of
            one type are positive and all others are negative.
        perm: `perm[inferred type] = true type`, for probabilities; by default no type is relabelled.

    Returns:
        A number in [0, 1], 0.5 for a constant score. None if the truth is unknown or all edges have the same type.
    """
    if truth is None:
        return None
    pairs = known_edges(truth)
    if not pairs.any():
        return None
    true, flat = truth[pairs], score[pairs].reshape(pairs.sum(), -1)
    if score.ndim == 3:
        wanted = [(true > 0, flat[:, 0])]
    else:
        labels = np.asarray(perm if perm is not None else range(flat.shape[1]))
        wanted = [(true == kind, flat[:, labels == kind].sum(1)) for kind in np.unique(true).tolist()]
        wanted = [(true > 0, flat[:, labels != 0].sum(1))] if true.max() <= 1 else wanted
    values = [_rank_auroc(positive, value) for positive, value in wanted]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def undirected_auroc(
    truth: Int[np.ndarray, "M N N"] | None,
    score: Float[np.ndarray, "M N N *K"],
    perm: Sequence[int] | None = None,
) -> float | None:
    """Returns the AUROC of unordered pairs. A pair is positive if either entity acts on the other.

    The score of a pair is the sum over both directions. Probabilities per type, relabelled by `perm`, count as the
    probability of any type but 0.
    """
    if truth is None:
        return None
    if score.ndim == 4:
        labels = np.asarray(perm if perm is not None else range(score.shape[3]))
        score = score[..., labels != 0].sum(-1)
    # Each pair counts twice, which does not change the result.
    return auroc(truth + truth.swapaxes(1, 2), score + score.swapaxes(1, 2))


def _rank_auroc(positive: Bool[np.ndarray, " E"], score: Float[np.ndarray, " E"]) -> float | None:
    """Returns `(sum of the ranks of the n positives - n (n + 1) / 2) / (n * number of negatives)`."""
    n, rest = int(positive.sum()), int((~positive).sum())
    if n == 0 or rest == 0:
        return None
    _, which, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (count.cumsum() - (count - 1) / 2)[which]  # equal scores share the mean of their ranks
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * rest))


def calibration(
    truth: Int[np.ndarray, "M N N"] | None,
    probability: Float[np.ndarray, "M N N K"],
    perm: Sequence[int] | None,
    bins: int = 10,
) -> Calibration | None:
    """Compares probabilities with frequencies: of edges with a probability of 90 %, 90 % should be correct.

    Edges are sorted into `bins` equally wide bins of [0, 1] by the probability of their most probable type.
    `expected_error = sum over bins of share * |accuracy - mean confidence|`.
    """
    if truth is None or perm is None:
        return None
    pairs = known_edges(truth)
    if not pairs.any():
        return None
    flat = np.asarray(probability)[pairs]
    highest = flat.max(1)
    right = np.asarray(perm)[flat.argmax(1)] == truth[pairs]
    bin_of = np.clip(np.ceil(highest * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    used = count > 0
    confidence = np.bincount(bin_of, highest, bins)[used] / count[used]
    accuracy = np.bincount(bin_of, right, bins)[used] / count[used]
    error = float((count[used] * np.abs(accuracy - confidence)).sum() / count.sum())
    return Calibration(confidence, accuracy, count[used], error)


def forecast_error(
    truth: Float[np.ndarray, "M S N D"] | None,
    forecast: Float[np.ndarray, "M S N D"],
    factors: Float[np.ndarray, " D"],
    mask: Bool[np.ndarray, "M S N"] | None = None,
    periods: Float[np.ndarray, " D"] | None = None,
) -> Float[np.ndarray, " S"] | None:
    """Returns the mean squared error of each of S forecast frames, in the published normalisation.

    The mean is over tasks, entities and features: `error[h] = mean(((truth - forecast)[:, h] * factors)^2)`

    Args:
        truth: observed states.
        forecast: predicted states.
        factors: `Scaling.published()`, which maps the training range of each feature to [-1, 1].
        mask: true where the entity was observed. The error of a frame without observed entities is NaN.
        periods: length of a full turn for each feature that is an angle, 0 for other features. The error of an angle is
            the shorter of the two possible differences.
    """
    if truth is None:
        return None
    if truth.shape != forecast.shape:
        raise InputError(f"the future has shape {truth.shape} and the forecast {forecast.shape}; compare equal frames")
    error = np.asarray(truth, np.float64) - forecast
    error = error if periods is None else wrapped(error, periods)
    square = np.square(error * factors).mean(-1)
    if mask is None:
        return square.mean((0, 2))
    total, count = np.where(mask, square, 0.0).sum((0, 2)), mask.sum((0, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def error_at(errors: Float[np.ndarray, " S"] | None, horizon: int) -> float | None:
    """Returns the error `horizon` frames ahead (1 is the next frame); None if there are too few frames."""
    if errors is None or horizon > len(errors) or not np.isfinite(errors[horizon - 1]):
        return None
    return float(errors[horizon - 1])
