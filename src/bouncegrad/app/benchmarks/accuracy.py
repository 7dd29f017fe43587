"""Edge accuracy on new tasks, beside published values; rows that are measured already are not measured again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np

from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.rows import each
from bouncegrad.app.training import train_with_bar
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.evaluation import evaluate
from bouncegrad.settings.config import Config

FRAMES, NEW_TASKS, NEW_SEED = 49, 200, 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: of the row.
        system: the system to simulate.
        published: the best published accuracy, from 50,000 training tasks, and its source.
        tasks, entities: number of training tasks, and of their entities.
        new_entities: number of entities of the new tasks; by default as many as in training.
        noise: standard deviation of the noise on every number.
        minutes: time limit of training.
        settings: other settings of training.
    """

    name: str
    system: str
    published: str
    tasks: int = 1000
    entities: int = 5
    new_entities: int = 0
    noise: float = 0.0
    minutes: float = 5.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def data(self, seed: int) -> tuple[Trajectories, Trajectories]:
        """Returns training tasks and new tasks."""
        train = simulate(self.system, self.tasks, entities=self.entities, frames=FRAMES, seed=seed)
        entities = self.new_entities or self.entities
        new = simulate(self.system, NEW_TASKS, entities=entities, frames=FRAMES, seed=NEW_SEED + seed)
        generator = np.random.default_rng(seed)
        train, new = (
            replace(d, x=d.x + self.noise * generator.standard_normal(d.x.shape)) if self.noise else d
            for d in (train, new)
        )
        return train, new


LAGGED = {"lags": 1, "lagged": ("sin_phase",)}  # as in the preset kuramoto5

ROWS = (
    Row("charged5", "charged", "0.943 (IPSI 2025), supervised 0.954"),
    Row("charged5-symmetric", "charged", "", settings={"symmetric": True}),
    Row("charged5-entity-types", "charged", "", settings={"entity_types": 2}),
    Row("charged5-5000", "charged", "0.943 (IPSI 2025), supervised 0.954", tasks=5000, minutes=10),
    Row("charged5-500", "charged", "", tasks=500),
    Row("charged5-100", "charged", "", tasks=100),
    Row("charged5-20", "charged", "", tasks=20, settings={"mirror": True}),
    Row("springs5", "springs", "0.999 (NRI 2018)"),
    Row("springs10", "springs", "0.996 (IPSI 2025)", entities=10, minutes=15),
    Row("kuramoto5", "kuramoto", "0.981 (IPSI 2025), supervised 0.997", settings=LAGGED),
    Row("kuramoto5-5000", "kuramoto", "0.981 (IPSI 2025), supervised 0.997", tasks=5000, minutes=10, settings=LAGGED),
    Row("charged10", "charged", "0.864 (IPSI 2025), supervised 0.946", entities=10, minutes=15),
    Row(
        "kuramoto10",
        "kuramoto",
        "0.828 (IPSI 2025), supervised 0.971",
        entities=10,
        minutes=15,
        settings=LAGGED,
    ),
    Row("springs5-on-10", "springs", "> 0.99 (CRI 2024), others about 0.70", new_entities=10),
    Row("charged5-on-10", "charged", "", new_entities=10),
    Row("charged5-on-10-momentum", "charged", "", new_entities=10, settings={"relative": "messages", "momentum": True}),
    Row("springs5-noise", "springs", "", noise=0.01),
    Row("charged5-noise", "charged", "", noise=0.01),
)


def run(rows: Sequence[Row], seeds: Sequence[int], minutes: float | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to a file of `folder` as soon as it is measured."""

    def path(row: Row, seed: int, limit: float) -> Path:
        return folder / f"{row.name}-seed{seed}-{limit:g}min.json"

    return each(rows, seeds, minutes, path, measure)


def measure(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Trains and evaluates one row; returns its figures."""
    data, new = row.data(seed)
    numbers, training = trained(row, seed, minutes, data, new, "new tasks")
    named = (
        "edge_accuracy",
        "edge_accuracy_symmetric",
        "auroc",
        "calibration_error",
        "undetermined",
        "mse_1",
        "priors",
    )
    return {
        **training,
        **{name: numbers[name] for name in named},
        "least_squares": numbers["baselines"]["least_squares"]["edge_accuracy"],
        "machine": machine(),
    }


class Trained(Protocol):
    """A row whose model is trained."""

    @property
    def name(self) -> str:
        """The name of the row."""

    @property
    def published(self) -> str:
        """The best published value and its source."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of training."""


def trained(
    row: Trained, seed: int, minutes: float, data: Trajectories, new: Trajectories, split: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trains on `data` and evaluates on `new`; returns the numbers of the evaluation, and what the training was.

    Args:
        row: the row of the table.
        seed: of the training.
        minutes: time limit of the training.
        data: the training tasks.
        new: the tasks to evaluate on.
        split: what `new` is, in words.
    """
    start = time.perf_counter()
    config = Config(seed=seed, minutes=minutes, **{"forecast": 0.0, **row.settings})
    model, rows = train_with_bar(f"{row.name}, seed {seed}", config, data)
    seconds = time.perf_counter() - start
    training = {
        "row": row.name,
        "published": row.published,
        "seed": seed,
        "minutes": minutes,
        "training_seconds": round(seconds, 1),
        "training_tasks": len(data.tasks),
        "settings": dict(row.settings),
        "labels": rows[-1]["labels"],
    }
    return evaluate(model, new, split=split).numbers, training


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: row, training tasks, seconds, mean and worst accuracy of the seeds, published value."""
    lines = [["row", "tasks", "seconds", "seeds", "accuracy", "worst", "symmetric", "calibration", "published"]]
    for name in dict.fromkeys(result["row"] for result in results):
        same = [result for result in results if result["row"] == name]
        accuracy = [result["edge_accuracy"] for result in same]
        numbers = [fmean(r[key] for r in same) for key in ("edge_accuracy_symmetric", "calibration_error")]
        lines.append(
            [
                name,
                str(same[0]["training_tasks"]),
                f"{fmean(r['training_seconds'] for r in same):.0f}",
                str(len(same)),
                *(f"{number:.4f}" for number in (fmean(accuracy), min(accuracy), *numbers)),
                same[0]["published"],
            ]
        )
    return lines
