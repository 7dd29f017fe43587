"""Scores of edges without true edges: what each baseline finds, and how far the baselines agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import SCORES, suited_to
from bouncegrad.results.metrics import off_diagonal

Scores = dict[str, Float[np.ndarray, "M N N"]]


def baseline_scores(data: Trajectories, context: int) -> Scores:
    """Returns the scores `[task, source, target]` of each baseline, from the context frames only.

    A baseline that these recordings have no features for is left out.
    """
    seen = data.frames(0, context)
    found = {name: score(suited_to(name, seen)) for name, score in SCORES.items()}
    return {name: score for name, score in found.items() if score is not None}


def agreement(scores: Mapping[str, Float[np.ndarray, "M N N"]]) -> dict[str, dict[str, float | None]]:
    """Returns the rank correlation of each two scores over all pairs of entities, the mean over tasks.

    1 means that both put the pairs into the same order, 0 that their orders have nothing in common. It is None if a
    score is the same for all pairs.
    """
    ranks = {name: _ranks(score) for name, score in scores.items()}
    return {one: {other: _mean_correlation(ranks[one], ranks[other]) for other in ranks} for one in ranks}


def _ranks(score: Float[np.ndarray, "M N N"]) -> Float[np.ndarray, "M E"]:
    """Returns the ranks of all pairs in each task, less their mean; equal scores have the same rank."""
    from scipy.stats import rankdata  # imported here, since it is slow to load

    ranks = rankdata(score[:, off_diagonal(score.shape[1])], axis=1)
    return np.asarray(ranks - ranks.mean(1, keepdims=True))


def _mean_correlation(one: Float[np.ndarray, "M E"], other: Float[np.ndarray, "M E"]) -> float | None:
    size = np.sqrt(np.square(one).sum(1) * np.square(other).sum(1))
    known = size > 0
    return float(((one * other).sum(1)[known] / size[known]).mean()) if known.any() else None


def largest(score: Float[np.ndarray, "N N"], count: int) -> list[tuple[int, int, float]]:
    """Returns source, target and score of the pairs with the largest scores, the largest first.

    Example:
        >>> largest(np.array([[0.0, 0.5], [2.0, 0.0]]), 1)
        [(1, 0, 2.0)]
    """
    pairs = np.argwhere(off_diagonal(len(score)))
    values = score[tuple(pairs.T)]
    order = np.argsort(-values, kind="stable")[:count]
    return [(int(pairs[i, 0]), int(pairs[i, 1]), float(values[i])) for i in order]
