"""Scores of edges without true edges: what each baseline finds, and how far baselines and the model agree.

The score of the model is the probability that an edge has a type that interacts: not the type that was stated to be "no
interaction". If none was stated, nothing says which type that is. The type is then taken whose probabilities agree best
with the baselines, which is the same for all tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import SCORES, suited_to
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.result import Result

MODEL = "model"
MOST = 100_000  # numbers of each score that a result holds; more would take long for nothing

Scores = dict[str, Float[np.ndarray, "M N N"]]


def baseline_scores(data: Trajectories, context: int) -> Scores:
    """Returns the scores `[task, source, target]` of each baseline, from the context frames only.

    A baseline that these recordings have no features for is left out.
    """
    seen = data.frames(0, context)
    found = {name: score(suited_to(name, seen)) for name, score in SCORES.items()}
    return {name: score for name, score in found.items() if score is not None}


def scored(result: Result, data: Trajectories) -> Result:
    """Returns the result with the scores of the baselines, from the frames that it was inferred from.

    Results of more than 100,000 pairs of entities in all tasks stay without scores.
    """
    if result.edges.size > MOST:
        return result
    return replace(result, scores=baseline_scores(data.without_edges(), result.context))


def beside_model(result: Result, scores: Mapping[str, Float[np.ndarray, "M N N"]]) -> tuple[Scores, int | None]:
    """Returns the scores with that of the model before them, and the type that was taken for "no interaction".

    The type is None if it was stated, or if there is only one type.
    """
    absent, types = result.without_type, result.probability.shape[-1]
    if absent is not None:
        return {MODEL: 1 - result.probability[..., absent], **scores}, None
    if types == 1:
        return {MODEL: result.probability[..., 0], **scores}, None
    ranks = [_ranks(score) for score in scores.values()]
    agree = [
        sum(_mean_correlation(_ranks(1 - result.probability[..., k]), rank) or 0.0 for rank in ranks)
        for k in range(types)
    ]
    absent = int(np.argmax(agree))
    return {MODEL: 1 - result.probability[..., absent], **scores}, absent


def model_agreement(result: Result) -> dict[str, float | None]:
    """Returns the rank correlation of the model with each score that the result holds."""
    scores, _ = beside_model(result, result.scores or {})
    return {name: value for name, value in agreement(scores)[MODEL].items() if name != MODEL}


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
