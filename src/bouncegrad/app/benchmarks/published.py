"""The published search, seen to learn: learned proposals beside uniform ones and none, on the same recordings.

Each row trains by the published search with a small preset. New tasks are inferred by that search alone: proposals and
acceptance tests from random structures, with the modules, the proposal and the temperature of the end of training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Int

from bouncegrad.app.benchmarks.accuracy import FRAMES, NEW_SEED
from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.rows import each
from bouncegrad.app.progress import bar, training_numbers
from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.few_moves import rolled_tracks
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import adjacency_to_structure, random_structure, structure_to_adjacency
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.stages import train
from bouncegrad.fitting.validation import proposal_accuracy
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.settings.config import Config, preset

NEW_TASKS = 100
VISITS_A_ROW = 8  # so that passes are counted to two
MOVES = (1, 5, 20, 100)  # proposals of each new task
WANTED = 0.9  # accuracy of the training structures, to which passes are counted
CURVES = (
    *("epoch", "seconds", "loss", "temperature", "edge_accuracy", "proposal_accuracy", "better_proposals"),
    *("worse_accepted", "new_edge_accuracy", "new_proposal_accuracy", "new_mse_1", "new_mse_10"),
)


@dataclass(frozen=True)
class Row:
    """One run of the published search.

    Args:
        name: of the row.
        preset: of its settings.
        system: the system to simulate.
        tasks: number of training tasks.
        passes: length of the training; if minutes are given, they count instead.
        published: what is published for this system, from 50,000 tasks.
        settings: settings that differ from the preset.
    """

    name: str
    preset: str
    system: str
    tasks: int
    passes: int
    published: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = math.inf

    def config(self, seed: int, minutes: float) -> Config:
        """Returns the settings of one run."""
        settings = yaml.safe_load(preset(self.preset).read_text()) | dict(self.settings)
        length = {"epochs": self.passes, "minutes": None} if math.isinf(minutes) else {"minutes": minutes}
        return Config.from_mapping(settings | length | {"seed": seed}, self.name)


NO_ENCODER = {"encoder": "mlp", "encoder_optimizer": "sgd"}
SPRINGS, CHARGES = "> 0.99 in about 1 day on a GPU", "0.892 in about 7 days on a GPU"
ROWS = (
    Row("springs5-learned", "springs5-small", "springs", 500, 60, SPRINGS),
    Row("springs5-uniform", "springs5-small", "springs", 500, 120, settings={"proposal": "uniform", **NO_ENCODER}),
    Row("springs5-nothing", "springs5-small", "springs", 500, 30, settings={"proposal": "nothing", **NO_ENCODER}),
    Row("charged5-learned", "charged5-small", "charged", 2000, 60, CHARGES),
)


def run(rows: Sequence[Row], seeds: Sequence[int], minutes: float | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to a file of `folder` as soon as it is measured."""

    def path(row: Row, seed: int, limit: float) -> Path:
        length = f"{row.passes}passes" if math.isinf(limit) else f"{limit:g}min"
        return folder / f"{row.name}-seed{seed}-{length}.json"

    return each(rows, seeds, minutes, path, measure)


def measure(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Trains one row; returns its curves, and what it finds in new tasks."""
    data = simulate(row.system, row.tasks, frames=FRAMES, seed=seed)
    new = simulate(row.system, NEW_TASKS, frames=FRAMES, seed=NEW_SEED + seed)
    start = time.perf_counter()
    with bar(f"{row.name}, seed {seed}") as show:
        environment = Environment(
            report=lambda row, progress: show(progress, training_numbers(row)), visits_a_row=VISITS_A_ROW
        )
        model, loop, rows = train(row.config(seed, minutes), data, new=new, environment=environment)
    seconds = time.perf_counter() - start
    numbers = evaluate(model, new, split="new tasks").numbers
    found = {
        "row": row.name,
        "published": row.published,
        "seed": seed,
        "minutes": None if math.isinf(minutes) else minutes,
        "training_seconds": round(seconds, 1),
        "training_tasks": len(data.tasks),
        "epochs": rows[-1]["epoch"],
        "passes_to_wanted": crossing(rows, "epoch"),
        "seconds_to_wanted": crossing(rows, "seconds"),
        **new_tasks(model, loop, data, new, seed),
        "heat_bath": numbers["edge_accuracy"],
        "mse_1": numbers["mse_1"],
        "mse_10": numbers["mse_10"],
        "curves": [{name: row[name] for name in CURVES if name in row} for row in rows],
        "machine": machine(),
    }
    return found | {"edge_accuracy": found["moves"][str(MOVES[-1])]}


def crossing(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Returns when the training structures first reach the wanted accuracy, between two rows; None: they do not."""
    before, value = 0.0, 0.5
    for row in rows:
        if row["edge_accuracy"] >= WANTED:
            share = (WANTED - value) / (row["edge_accuracy"] - value)
            return round(before + share * (row[key] - before), 1)
        before, value = row[key], row["edge_accuracy"]
    return None


def new_tasks(model: Model, loop: BounceGrad, data: Trajectories, new: Trajectories, seed: int) -> dict[str, Any]:
    """Returns the accuracy of the proposal itself, and of structures after some proposals, on new tasks.

    The relabelling of types is that of the training structures, so it does not depend on the new tasks.
    """
    composition, generator = model.composition, torch.Generator().manual_seed(seed)
    pairs, n = composition.pairs, new.shape[2]

    def graphs(z: Int[torch.Tensor, "M E"]) -> Int[np.ndarray, "M N N"]:
        return structure_to_adjacency(z, pairs, n).numpy()

    perm = relabelling(data.edges, graphs(loop.z), composition.choices)
    tracks = scaled_tracks(new, model.scaling)
    truth = adjacency_to_structure(torch.as_tensor(new.edges), pairs)
    z = random_structure(len(tracks), composition.slots, composition.choices, generator)
    batch = rolled_tracks(tracks, torch.arange(len(tracks)), model.config.steps)
    proposed, accuracy = proposal_accuracy(loop.proposal, tracks, z, truth, perm), {}
    for made, count in pairwise((0, *MOVES)):
        search = Metropolis(proposals=count - made)
        z = search(composition, loop.proposal, batch, z, loop.annealer.temperature, generator).z
        accuracy[str(count)] = edge_accuracy(new.edges, graphs(z), perm)
    return {"proposal": proposed, "moves": accuracy}


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: means over seeds, and the worst seed of new tasks."""
    head = [f"passes to {WANTED:g}", "seconds", "proposal", "new tasks", "worst", "heat bath", "mse 1", "mse 10"]
    lines = [["row", "tasks", "seeds", "passes", *head, "published"]]
    for name in dict.fromkeys(result["row"] for result in results):
        same = [result for result in results if result["row"] == name]
        reached = [result for result in same if result["passes_to_wanted"] is not None]
        proposed = [result["proposal"] for result in same if result["proposal"] is not None]
        lines.append(
            [
                name,
                str(same[0]["training_tasks"]),
                str(len(same)),
                f"{fmean(result['epochs'] for result in same):.0f}",
                *(
                    f"{fmean(result[key] for result in reached):.0f}" if len(reached) == len(same) else "-"
                    for key in ("passes_to_wanted", "seconds_to_wanted")
                ),
                f"{fmean(proposed):.4f}" if proposed else "-",
                f"{fmean(result['edge_accuracy'] for result in same):.4f}",
                f"{min(result['edge_accuracy'] for result in same):.4f}",
                f"{fmean(result['heat_bath'] for result in same):.4f}",
                *(f"{fmean(result[key] for result in same):.2g}" for key in ("mse_1", "mse_10")),
                same[0]["published"],
            ]
        )
    return lines
