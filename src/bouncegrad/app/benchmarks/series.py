"""Fresh systems of one recording each: what the verdict says, and how often sure edges are wrong.

Every system goes through all that `train` and `infer` do by default: held-out frames, rivals, variants, a verdict. The
graph that counts is the one that the verdict names: that of the modules, that of the regression, or none. Rows with
published figures are measured by the regression alone; see `series_published.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.rows import each
from bouncegrad.app.benchmarks.series_published import PUBLISHED, PublishedRow
from bouncegrad.app.benchmarks.series_systems import APART, KINDS, NOISES
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.results.baselines import end_to_end
from bouncegrad.results.block_regression import BlockRegression, fit_and_judge, regress_blocks
from bouncegrad.results.blocks import split_in_time
from bouncegrad.results.edge_scores import correlation
from bouncegrad.results.linear_scores import lagged_regression, partial_correlation
from bouncegrad.results.metrics import auroc, off_diagonal, relabelling
from bouncegrad.results.verdict import HINT, SURE

__all__ = ["NOTE", "ROWS", "Row", "run", "table"]

LIKELY = 0.9
NOTE = (
    "Every seed is another system; the measurement noise is 0, 5, 10 and 20 % in turn. Verdicts: interaction, "
    "regression, weak, nothing.\nSure edges have a probability above 0.9 in the graph that the verdict names; found is "
    "the share of the true edges among them.\nAUROC is that of the named graph; the columns after it are AUROC of "
    "simple scores alone.\nRows with published figures: no training; the regression is held against the own past."
)


@dataclass(frozen=True)
class Row:
    """A kind of system.

    Args:
        name: of the kind.
        minutes: time limit of the training, variants included.
    """

    name: str
    minutes: float = 1.0

    def data(self, seed: int) -> Trajectories:
        """Returns a fresh system."""
        number, noise = list(KINDS).index(self.name), NOISES[seed % len(NOISES)]
        return KINDS[self.name](np.random.default_rng([seed, number]), noise)


ROWS: tuple[Row | PublishedRow, ...] = (*(Row(name) for name in KINDS), *PUBLISHED)


def run(
    rows: Sequence[Row | PublishedRow],
    seeds: Sequence[int],
    minutes: float | None,
    folder: Path,
    file: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to a file of `folder` as soon as it is measured.

    Args:
        rows: the rows; if they are all of `ROWS` and there is no file, those that need one are left out.
        seeds: the seeds of each row.
        minutes: time limit of each training; None: that of each row.
        folder: of the figures.
        file: recordings with true edges, for rows that need them.

    Raises:
        InputError: a row needs a file, and there is none.
    """
    if file is None and len(rows) == len(ROWS):
        rows = [row for row in rows if isinstance(row, Row) or row.made is not None]
    for row in rows:
        if isinstance(row, PublishedRow):
            row.require(file)

    def path(row: Row | PublishedRow, seed: int, limit: float) -> Path:
        kind = f"{limit:g}min" if isinstance(row, Row) else "regression"
        return folder / f"{row.name.replace(' ', '-')}-series-seed{seed}-{kind}.json"

    def figures(row: Row | PublishedRow, seed: int, limit: float) -> dict[str, Any]:
        return measure(row, seed, limit) if isinstance(row, Row) else measure_regression(row, seed, file)

    return each(rows, seeds, minutes, path, figures)


def measure_regression(row: PublishedRow, seed: int, file: Path | None) -> dict[str, Any]:
    """Returns the figures of a row that need no training."""
    data, start = row.data(seed, file), time.perf_counter()
    regression = regress_blocks(data)
    seconds, off = time.perf_counter() - start, off_diagonal(data.shape[2])
    assert data.edges is not None
    truth, sure = data.edges[0], (regression.probability > LIKELY) & off
    z = judged(data)
    kind = "regression" if z > SURE else "weak" if z > HINT else "nothing"
    return {
        "row": row.name,
        "published": row.published,
        "seed": seed,
        "training_seconds": round(seconds, 1),
        "frames": data.shape[1],
        "entities": data.shape[2],
        "verdict": kind,
        "pairs": int(off.sum()),
        "edges": int((truth * off).sum()),
        "sure": int(sure.sum()),
        "wrong": int((sure & (truth == 0)).sum()),
        "auroc": auroc(data.edges[:1], regression.score[None]),
        **simple_scores(data, regression),
        "machine": machine(),
    }


def judged(data: Trajectories) -> float:
    """Returns z of the regression over the own past, on the last third of the frames, or of short recordings."""
    if data.shape[0] > 1:
        third = data.shape[0] // 3
        found = fit_and_judge(data.select(np.arange(third, data.shape[0])), data.select(np.arange(third)), 0)
    else:
        first, last = split_in_time(data.shape[1])
        found = fit_and_judge(data.frames(0, first.stop), data.frames(last.start, data.shape[1]))
    return max(found.gain_z, found.over_own)


def simple_scores(data: Trajectories, regression: BlockRegression) -> dict[str, float | None]:
    """Returns the AUROC of scores that need no training; recordings of one graph are put end to end."""
    pooled = end_to_end(data)
    scores = {"correlation": correlation, "partial": partial_correlation, "ridge": lagged_regression}
    found = {name: auroc(pooled.edges, score(pooled)) for name, score in scores.items()}
    return found | {"regression": auroc(pooled.edges, regression.score[None])}


def measure(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Trains on one system, infers its graph, and returns the figures."""
    data, start = row.data(seed), time.perf_counter()
    estimator = RelationalInference(seed=seed, minutes=minutes).fit(data)
    result = estimator.infer(replace(data, edges=None))
    seconds, off = time.perf_counter() - start, off_diagonal(data.shape[2])
    assert data.edges is not None
    truth, regression = data.edges[0], regress_blocks(data)
    perm = relabelling(data.edges, result.edges, len(result.type_names), pinned=result.without_type is not None)
    assert perm is not None
    kind = "none" if result.verdict is None else result.verdict.kind
    # Types that stand for an edge; with more types than the truth has, several do.
    acts = result.probability[0][..., [k for k, true in enumerate(perm) if true != 0]].sum(-1)
    named = regression.probability if kind == "regression" else acts
    sure = (named > LIKELY) & off
    if kind == "regression":
        area = auroc(data.edges, regression.score[None])
    else:
        area = auroc(data.edges, result.probability, perm)
    return {
        "row": row.name,
        "seed": seed,
        "minutes": minutes,
        "training_seconds": round(seconds, 1),
        "frames": data.shape[1],
        "entities": data.shape[2],
        "verdict": kind,
        "variant": estimator.variants_.name if estimator.variants_ is not None else None,
        "pairs": int(off.sum()),
        "edges": int(truth.sum()),
        "sure": int(sure.sum()),
        "wrong": int((sure & (truth == 0)).sum()),
        "auroc": area,
        **simple_scores(data, regression),
        "machine": machine(),
    }


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: a line for each kind, and one for all that interact, and all that do not."""
    scores = ["AUROC", "correlation", "partial correlation", "lagged ridge", "regression"]
    lines = [["row", "systems", "verdicts", "sure", "wrong", "found", *scores, "seconds", "published"]]
    for name in dict.fromkeys(result["row"] for result in results):
        lines.append(line(name, [result for result in results if result["row"] == name]))
    for name, apart in (("all that interact", False), ("all that do not", True)):
        fresh = [result for result in results if result["row"] in KINDS]
        if some := [result for result in fresh if (result["row"] in APART) == apart]:
            lines.append(line(name, some))
    return lines


def line(name: str, results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the cells of some systems."""
    verdicts = [result["verdict"] for result in results]
    counted = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts))
    sure, wrong, edges = (sum(result[key] for result in results) for key in ("sure", "wrong", "edges"))
    found = f"{(sure - wrong) / edges:.2f}" if edges else "-"

    def mean(key: str) -> str:
        values = [result[key] for result in results if result.get(key) is not None]
        return f"{fmean(values):.3f}" if values else "-"

    seconds = f"{fmean(result['training_seconds'] for result in results):.0f}"
    scores = [mean(key) for key in ("auroc", "correlation", "partial", "ridge", "regression")]
    published = results[0].get("published", "-")
    return [name, str(len(results)), counted, str(sure), str(wrong), found, *scores, seconds, published]
