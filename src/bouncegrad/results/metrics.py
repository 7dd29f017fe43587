"""How good a result is: accuracy up to one global relabelling, AUROC, calibration, forecast error by horizon.

Every metric that needs the truth returns None where the truth is unknown; edges whose true type is -1, not known, are
left out.
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
    """How often edges are right that were called p sure, by bins of p; bins without an edge are left out."""

    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    count: Int[np.ndarray, " bins"]
    expected_error: float

    @property
    def bins(self) -> list[tuple[float, float, int]]:
        """(confidence, accuracy, count) of each bin, as plain numbers."""
        return list(zip(self.confidence.tolist(), self.accuracy.tolist(), self.count.tolist(), strict=True))


def off_diagonal(n: int) -> Bool[np.ndarray, "N N"]:
    """True at the `n (n - 1)` ordered pairs."""
    return ~np.eye(n, dtype=bool)


def known_edges(truth: Int[np.ndarray, "M N N"]) -> Bool[np.ndarray, "M N N"]:
    """The edges whose true type is known."""
    return off_diagonal(truth.shape[-1]) & (truth >= 0)


def confusion(
    truth: Int[np.ndarray, "M N N"] | None, edges: Int[np.ndarray, "M N N"], types: int
) -> Int[np.ndarray, "true inferred"] | None:
    """How many edges have each pair of (true type, inferred type), over all tasks, without the diagonal.

    Args:
        truth: true types; the table has `max(truth) + 1` rows.
        edges: inferred types, each below `types`, the number of columns.
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
    """The one renaming of inferred types that agrees best with the truth of the whole data set.

    Types have no names of their own, so accuracy is measured after the one-to-one renaming that maximises the number
    of equal edges over all tasks together (Hungarian method), never one per task. Equally good renamings are settled
    towards keeping names.

    Args:
        types: the number of inferred types; may differ from the number of true ones.
        pinned: type 0 keeps its name, because it was fixed beforehand as "no interaction".

    Returns:
        `perm[inferred type] = true type`; an inferred type too many gets a number that the truth does not have.
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
    """Share of edges whose renamed type `perm[type]` is the true one, in [0, 1].

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
    """Probability of each type if both directions of a pair share it.

    `p(k) = p_st(k) p_ts(k) / sum_j p_st(j) p_ts(j)`, in logarithms; the diagonal stays 0.
    """
    tiny = np.finfo(np.float64).tiny
    log = np.log(np.maximum(np.asarray(probability, np.float64), tiny))
    log = log + log.swapaxes(1, 2)
    both = np.exp(log - log.max(-1, keepdims=True))
    both /= both.sum(-1, keepdims=True)
    return both * off_diagonal(probability.shape[1])[:, :, None]


def symmetric(probability: Float[np.ndarray, "M N N K"]) -> Int[np.ndarray, "M N N"]:
    """The most probable types if both directions of a pair share one; equal to its transpose, zero diagonal."""
    return symmetric_probability(probability).argmax(-1)


def auroc(
    truth: Int[np.ndarray, "M N N"] | None,
    score: Float[np.ndarray, "M N N *K"],
    perm: Sequence[int] | None = None,
) -> float | None:
    """Probability that an edge which has a type scores higher than one which has not; ties count one half.

    A score per edge (`Float[M, N, N]`) is compared with "any type but 0". A probability per type
    (`Float[M, N, N, K]`) is renamed by `perm`; then "any type but 0" is ranked where the truth has types 0 and 1, and
    the mean over the true types, each against the rest, is taken where it has more.

    Returns:
        In [0, 1], 0.5 for a constant score; None if the truth is unknown or all edges are of one type.
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
        names = np.asarray(perm if perm is not None else range(flat.shape[1]))
        wanted = [(true == kind, flat[:, names == kind].sum(1)) for kind in np.unique(true).tolist()]
        wanted = [(true > 0, flat[:, names != 0].sum(1))] if true.max() <= 1 else wanted
    values = [_rank_auroc(positive, value) for positive, value in wanted]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def undirected_auroc(
    truth: Int[np.ndarray, "M N N"] | None,
    score: Float[np.ndarray, "M N N *K"],
    perm: Sequence[int] | None = None,
) -> float | None:
    """AUROC of unordered pairs: does one act on the other, either way? The score is the sum over both directions.

    A probability per type counts as the probability of any type but 0, after the renaming by `perm`.
    """
    if truth is None:
        return None
    if score.ndim == 4:
        names = np.asarray(perm if perm is not None else range(score.shape[3]))
        score = score[..., names != 0].sum(-1)
    return auroc(truth + truth.swapaxes(1, 2), score + score.swapaxes(1, 2))  # each pair twice, which changes nothing


def _rank_auroc(positive: Bool[np.ndarray, " E"], score: Float[np.ndarray, " E"]) -> float | None:
    """`(sum of the ranks of the positives - n (n + 1) / 2) / (n * negatives)`."""
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
    """Are edges that were called 90 % sure right 90 % of the time?

    Edges are sorted into `bins` equally wide bins of [0, 1] by the probability of their most probable type;
    `expected_error = sum over bins of share * |accuracy - mean confidence|`.
    """
    if truth is None or perm is None:
        return None
    pairs = known_edges(truth)
    if not pairs.any():
        return None
    flat = np.asarray(probability)[pairs]
    sure = flat.max(1)
    right = np.asarray(perm)[flat.argmax(1)] == truth[pairs]
    bin_of = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    used = count > 0
    confidence = np.bincount(bin_of, sure, bins)[used] / count[used]
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
    """Mean squared error of S frames ahead, in the published normalisation, over tasks, entities and features.

    `error[h] = mean(((truth - forecast)[:, h] * factors)^2)`

    Args:
        factors: `Scaling.published()`, which maps each feature's training range to [-1, 1].
        mask: true where the entity was observed; a frame in which nobody was has the error NaN.
        periods: a whole turn of each feature that is an angle, 0 of others; errors of angles go the shorter way.
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
    """The error `horizon` frames ahead (1 is the next frame), None where there are too few frames."""
    if errors is None or horizon > len(errors) or not np.isfinite(errors[horizon - 1]):
        return None
    return float(errors[horizon - 1])
