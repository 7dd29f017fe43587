"""One graph for all recordings: AUROC of published methods, of simple scores, and of a model trained without labels.

Everything is measured on the same recordings, those of training: the graph is what is looked for, and it is the same in
all recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float

from bouncegrad.app.benchmarks.accuracy import trained
from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.network_rows import ROWS, Row
from bouncegrad.app.benchmarks.rows import each
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import end_to_end
from bouncegrad.results.edge_scores import correlation, least_squares
from bouncegrad.results.linear_scores import cubic_ridge
from bouncegrad.results.metrics import auroc, undirected_auroc
from bouncegrad.results.one_law import one_law

__all__ = ["NOTE", "ROWS", "Row", "run", "table"]

SCORES: dict[str, Callable[[Trajectories], Float[np.ndarray, "M N N"]]] = {
    "correlation": correlation,
    "least_squares": least_squares,
    "cubic_ridge": cubic_ridge,
    "one_law": one_law,
}
NOTE = (
    "AUROC over ordered pairs, on the recordings of training. Undirected graphs: a pair has the mean score of its two "
    "directions.\nSimple scores pool all recordings; below 0.5 they count as 1 - AUROC, as published. Correlation: of "
    "changes. Least squares: linear law.\nCubic ridge: linear in the other entities, cubic in the own state. Its "
    "penalty is chosen without labels. One law: linear in the source and the same for all edges, with a strength for "
    "each; the target's state changes it where that repeats better."
)


def run(
    rows: Sequence[Row], seeds: Sequence[int], minutes: float | None, folder: Path, *, training: bool = True
) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to a file of `folder` as soon as it is measured.

    Args:
        rows: the rows to measure.
        seeds: the seeds of each row.
        minutes: time limit of each training; None: that of each row.
        folder: of the figures.
        training: whether a model is trained; otherwise only simple scores are measured.
    """

    def path(row: Row, seed: int, limit: float) -> Path:
        return folder / f"{row.name}-networks-seed{seed}-{f'{limit:g}min' if training else 'baselines'}.json"

    return each(rows, seeds, minutes, path, measure if training else measure_baselines)


def measure(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Trains and evaluates one row; returns its figures."""
    data = row.data(seed)
    numbers, about = trained(row, seed, minutes, data, data, "the recordings of training")
    return {
        **about,
        **described(row, data),
        "auroc": numbers["auroc" if row.directed else "auroc_undirected"],
        "auroc_each_direction": numbers["auroc"],
        **{name: numbers[name] for name in ("edge_accuracy", "calibration_error", "undetermined", "priors")},
        "machine": machine(),
    }


def measure_baselines(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Returns the figures of one row that need no training."""
    data = row.data(seed)
    about = {"row": row.name, "published": row.published, "seed": seed, "training_tasks": len(data.tasks)}
    return about | described(row, data) | {"machine": machine()}


def described(row: Row, data: Trajectories) -> dict[str, Any]:
    """Returns what the recordings of a row are, and the AUROC of simple scores on them."""
    pooled = end_to_end(data)
    truth, scores = pooled.edges, {name: score(pooled) for name, score in SCORES.items()}
    alone = {name: auroc(truth, score) for name, score in scores.items()}
    both = {name: undirected_auroc(truth, score) for name, score in scores.items()}
    return {
        "recordings": row.recordings.description,
        "directed": row.directed,
        "baselines": {name: unnamed(value) for name, value in (alone if row.directed else both).items()},
        "baselines_each_direction": {name: unnamed(value) for name, value in alone.items()},
    }


def unnamed(value: float | None) -> float | None:
    """Returns the AUROC of a score of which is not known whether edges have high or low values: 0.5 or more."""
    return None if value is None else max(value, 1 - value)


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: row, recordings, AUROC of simple scores and of the model (means of seeds), published."""
    names = [name.replace("_", " ") for name in SCORES]
    lines = [["row", "recordings", "directions", "seeds", *names, "bouncegrad", "worst", "seconds", "published"]]
    for name in dict.fromkeys(result["row"] for result in results):
        same = [result for result in results if result["row"] == name]
        ours = [result["auroc"] for result in same if "auroc" in result]
        seconds = [result["training_seconds"] for result in same if "training_seconds" in result]
        lines.append(
            [
                name,
                same[0]["recordings"],
                "one each" if same[0]["directed"] else "alike",
                str(len(same)),
                *(f"{fmean(result['baselines'][score] for result in same):.4f}" for score in SCORES),
                *([f"{fmean(ours):.4f}", f"{min(ours):.4f}", f"{fmean(seconds):.0f}"] if ours else ["-"] * 3),
                same[0]["published"],
            ]
        )
    return lines
