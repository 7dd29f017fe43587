"""The scores of edge baselines as text, for recordings without true edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bouncegrad.app.columns import EDGE_BASELINES, columns

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from bouncegrad.data.trajectories import Trajectories
    from bouncegrad.results.result import Result

NAMES = {"model": "model"} | EDGE_BASELINES
MATRIX = 12  # entities; wider matrices do not fit into a terminal
PAIRS = 10  # largest scores that are shown of more entities
NUMBERS = 100_000  # of each score in the JSON
HEADING = (
    "baselines: the true edges are not known (give them with --edges), so these are the scores, not their accuracy"
)


def score_tables(
    data: Trajectories, scores: Mapping[str, Float[np.ndarray, "M N N"]], result: Result | None = None
) -> str:
    """Returns the scores of the first task, as matrices or as the largest pairs, and how far they agree.

    Args:
        data: the recordings.
        scores: the scores of each baseline.
        result: edges that a model inferred from the same recordings; it has a row in the table then.
    """
    tasks = data.shape[0]
    where = f"task {data.tasks[0]}" + (f", the first of {tasks:,}; --json has more" if tasks > 1 else "")
    parts = [f"{HEADING}\n{where}"]
    for name, score in scores.items():
        table = matrix if data.shape[2] <= MATRIX else pairs
        parts.append(f"{EDGE_BASELINES[name]}\n{table(data.entities, score[0])}")
    return "\n\n".join([*parts, agreement_table(with_model(scores, result))])


def matrix(names: tuple[str, ...], score: Float[np.ndarray, "N N"]) -> str:
    """Returns the scores as a matrix; rows are sources."""
    rows = [
        [source, *("" if source == target else f"{value:.3g}" for target, value in zip(names, line, strict=True))]
        for source, line in zip(names, score.tolist(), strict=True)
    ]
    return columns([["source \\ target", *names], *rows])


def pairs(names: tuple[str, ...], score: Float[np.ndarray, "N N"]) -> str:
    """Returns the pairs with the largest scores."""
    from bouncegrad.results.agreement import largest  # here, so that help does not load numpy

    rows = [[names[s], names[t], f"{value:.3g}"] for s, t, value in largest(score, PAIRS)]
    return columns([["source", "target", f"score ({PAIRS} largest)"], *rows])


def agreement_table(scores: Mapping[str, Float[np.ndarray, "M N N"]]) -> str:
    """Returns the rank correlations of the scores."""
    from bouncegrad.results.agreement import agreement  # here, so that help does not load numpy

    rows = [
        [NAMES[name], *("-" if value is None else f"{value:.2f}" for value in row.values())]
        for name, row in agreement(scores).items()
    ]
    return "how far they agree: rank correlation over all pairs, mean over tasks\n" + columns(
        [["", *(NAMES[name] for name in scores)], *rows]
    )


def with_model(
    scores: Mapping[str, Float[np.ndarray, "M N N"]], result: Result | None
) -> Mapping[str, Float[np.ndarray, "M N N"]]:
    """Returns the scores, with that of the model before them if there is one."""
    from bouncegrad.results.agreement import beside_model  # here, so that help does not load numpy

    return scores if result is None else beside_model(result, scores)[0]


def agreement_line(found: Mapping[str, float | None]) -> str:
    """Returns how far the model agrees with each baseline, in one line."""
    return ", ".join(f"{NAMES[name]} {'-' if value is None else f'{value:.2f}'}" for name, value in found.items())


def as_json(
    data: Trajectories, scores: Mapping[str, Float[np.ndarray, "M N N"]], result: Result | None = None
) -> dict[str, Any]:
    """Returns the scores `[task][source][target]` of as many tasks as fit, and how far baselines agree in all tasks."""
    from bouncegrad.results.agreement import agreement  # here, so that help does not load numpy

    tasks = max(1, NUMBERS // data.shape[2] ** 2)
    return {
        "score_tasks": list(data.tasks[:tasks]),
        "scores": {name: score[:tasks].tolist() for name, score in scores.items()},
        "agreement": agreement(with_model(scores, result)),
    }
