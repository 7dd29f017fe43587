"""Forecast errors on new tasks, beside published values; a training that was interrupted is resumed.

Published errors are normalised by the range of 50,000 training tasks. The range grows with the number of tasks.
Therefore it is taken from 50,000 simulations here, too, also if a row is trained on fewer. The error of the static
forecast shows whether the ranges agree.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.app.benchmarks.accuracy import FRAMES, NEW_SEED
from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.rows import kept
from bouncegrad.app.training import train_with_bar
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.forecasts import forecast
from bouncegrad.models.model import Model
from bouncegrad.models.protocols import MODEL
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

NEW_TASKS, NEW_FRAMES, RANGE_TASKS = 1000, 99, 50_000
HORIZONS = (1, 10, 20)
Errors = Mapping[str, tuple[float | None, ...]]

# Mean squared errors at 1, 10 and 20 steps: Kipf et al. 2018; Alet et al. 2019 and what its released code reaches.
PUBLISHED: Mapping[str, Errors] = {
    "springs": {
        "static": (7.93e-5, 7.59e-3, 2.82e-2),
        "LSTM, joint": (4.13e-8, 2.19e-5, 7.02e-4),
        "NRI, full graph": (1.66e-5, 1.64e-3, 6.31e-3),
        "NRI": (3.12e-8, 3.29e-6, 2.13e-5),
        "Alet 2019": (3.13e-8, 3.25e-6, None),
        "its released code": (5e-8, 1e-5, None),
        "NRI, true graph": (1.69e-11, 1.32e-9, 7.06e-6),
    },
    "charged": {
        "static": (5.09e-3, 2.26e-2, 5.42e-2),
        "LSTM, joint": (1.68e-3, 6.45e-3, 1.49e-2),
        "NRI, full graph": (1.09e-3, 3.78e-3, 9.24e-3),
        "NRI": (1.05e-3, 3.21e-3, 7.06e-3),
        "Alet 2019": (1.03e-3, 3.11e-3, None),
        "its released code": (9.1e-4, 2.95e-3, None),
        "NRI, true graph": (1.04e-3, 3.03e-3, 5.71e-3),
    },
}
DRAWN = ("static", "NRI", "Alet 2019", "NRI, true graph")


@dataclass(frozen=True)
class Row:
    """One line of the table: a system with five entities.

    Args:
        name: of the row.
        system: the system to simulate.
        tasks: number of training tasks.
        minutes: time limit of training.
        settings: other settings of training.
    """

    name: str
    system: str
    tasks: int
    minutes: float
    settings: Mapping[str, Any] = field(default_factory=dict)


ROWS = (
    Row("springs5", "springs", 1000, 10, {"forecast": 0.8, "substeps": 1}),
    # The graph of 4,000 tasks is found within three minutes; that of 10,000 tasks had not settled after ten.
    Row("charged5", "charged", 4_000, 30, {"forecast": 0.85, "substeps": 4}),
)


def run(rows: Sequence[Row], seeds: Sequence[int], minutes: float | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to `folder`, with its run and its picture."""
    for row in rows:
        limit = row.minutes if minutes is None else minutes
        for seed in seeds:
            name = f"{row.name}-forecast-seed{seed}-{limit:g}min"
            found = kept(folder / f"{name}.json", partial(measure, row, seed, limit, Run(folder / name)))
            picture(found, folder / f"{name}.svg")
            yield found


def measure(row: Row, seed: int, minutes: float, run: Run) -> dict[str, Any]:
    """Trains one row, or resumes its training, and evaluates it; returns its figures."""
    data = simulate(row.system, row.tasks, frames=FRAMES, seed=seed)
    new = simulate(row.system, NEW_TASKS, frames=NEW_FRAMES, seed=NEW_SEED + seed)
    config = Config(seed=seed, minutes=minutes, **row.settings)
    model, rows = train_with_bar(f"{row.name}, seed {seed}", config, data, run, resume=run.checkpoint.exists())
    start = time.perf_counter()
    model = with_range_of(model, simulate(row.system, RANGE_TASKS, frames=FRAMES, seed=seed))
    kipf = evaluate(model, new, FRAMES, split="new tasks", protocol="kipf")
    alet = evaluate(model, new, FRAMES, split="new tasks", protocol="alet")
    return {
        "row": row.name,
        "system": row.system,
        "seed": seed,
        "minutes": minutes,
        "training_seconds": round(rows[-1]["seconds"], 1),
        "training_tasks": row.tasks,
        "settings": dict(row.settings),
        "new_tasks": NEW_TASKS,
        "edge_accuracy": kipf.numbers["edge_accuracy"],
        "errors": {name: values.tolist() for name, values in kipf.errors.items()},
        "errors_restarted": {name: values.tolist() for name, values in alet.errors.items()},
        "covered": coverage(model, new),
        "evaluation_seconds": round(time.perf_counter() - start, 1),
        "machine": machine(),
    }


def with_range_of(model: Model, data: Trajectories) -> Model:
    """Returns the same model; its errors are normalised by the range of other recordings."""
    found = Scaling.fit(data)
    return replace(model, scaling=replace(model.scaling, low=found.low, high=found.high))


def coverage(model: Model, new: Trajectories) -> dict[str, float]:
    """Returns, by horizon, the share of true values within the intervals of a forecast from the last context frame."""
    found = forecast(model, new, max(HORIZONS), FRAMES)
    truth = new.x[:, FRAMES : FRAMES + max(HORIZONS)]
    within = ((found.low <= truth) & (truth <= found.high)).mean((0, 2, 3))
    return {str(h): round(float(within[h - 1]), 4) for h in HORIZONS}


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: system, forecast, errors at 1, 10 and 20 steps, accuracy of the edges, source."""
    lines = [["system", "forecast", *(f"error at {h}" for h in HORIZONS), "edges", "measured"]]
    for result in results:
        where = f"here, seed {result['seed']}, {result['training_tasks']:,} tasks, {result['training_seconds']:.0f} s"
        edges = f"{result['edge_accuracy']:.4f}"
        ours = [("bouncegrad", result["errors"][MODEL], edges), ("static", result["errors"]["static"], "")]
        ours.insert(1, ("bouncegrad, restarted every 10", result["errors_restarted"][MODEL], edges))
        for name, errors, known in ours:
            lines.append([result["row"], name, *cells(errors[h - 1] if h <= len(errors) else None for h in HORIZONS)])
            lines[-1] += [known, where]
        for name, published in PUBLISHED[result["system"]].items():
            lines.append([result["row"], name, *cells(published), "", "published"])
    return lines


def cells(errors: Any) -> list[str]:
    """Returns errors with three digits."""
    return ["-" if error is None else f"{error:.2e}" for error in errors]


def picture(result: Mapping[str, Any], path: Path) -> None:
    """Draws the error against the horizon, with the published points."""
    from bouncegrad.results.plots import error_by_horizon
    from bouncegrad.results.style import figure, save

    made, ax = figure(7.2, 4.2)
    published = PUBLISHED[result["system"]]
    points = {
        f"{name}, published": {h: e for h, e in zip(HORIZONS, published[name], strict=True) if e is not None}
        for name in DRAWN
    }
    error_by_horizon({name: np.array(values) for name, values in result["errors"].items()}, ax, points)
    ax.set_title(f"{result['row']}: {result['training_tasks']:,} tasks, seed {result['seed']}", fontsize=10)
    save(made, path)
