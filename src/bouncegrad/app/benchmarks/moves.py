"""Few moves at test time: what searches find in new tasks after 1, 5, 20 and 100 moves, and in one pass of an encoder.

A model is trained by the heat bath or by joint draws, and an encoder is distilled from it. Structures of new tasks then
start from random ones, or from the encoder's, and are moved by

    uniform      proposals that are uniform, and a Metropolis test
    encoder      proposals of the encoder, and a Metropolis test
    search       the model's own search: heat bath or joint draws
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.app.benchmarks.accuracy import FRAMES, NEW_SEED
from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.app.benchmarks.rows import each
from bouncegrad.app.progress import bar
from bouncegrad.app.training import train_with_bar
from bouncegrad.core.batches import scaled_tracks, whole_tracks
from bouncegrad.core.few_moves import after_moves
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.joint_draws import JointDraws
from bouncegrad.core.proposals import Learned, Nothing, Uniform
from bouncegrad.core.seams import Proposal, Search
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import random_structure, structure_to_adjacency
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.distillation import Distillation, distil
from bouncegrad.models.distilled import Distilled
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.settings.config import Config

NEW_TASKS, TIMED_TASKS, DISTILLED_SEED = 200, 2000, 2_000_000
COUNTS = (1, 5, 20, 100)  # moves
PUBLISHED = "0.943 (IPSI 2025), supervised 0.954"


@dataclass(frozen=True)
class Row:
    """One system.

    Args:
        name: of the row.
        system: the system to simulate.
        tasks, entities: training tasks of the model, and their entities.
        distilled: recordings that the encoder learns from; the model answers them.
        minutes: time limit of the training of the model, and of that of the encoder.
        published: the best published accuracy, and its source.
        most: the largest number of moves of the model's own search.
        settings: other settings of the model.
    """

    name: str
    system: str
    tasks: int = 1000
    entities: int = 5
    distilled: int = 20_000
    minutes: float = 5.0
    published: str = ""
    most: int = 100
    settings: Mapping[str, Any] = field(default_factory=dict)

    def data(self, tasks: int, seed: int) -> Trajectories:
        """Returns simulated recordings."""
        return simulate(self.system, tasks, entities=self.entities, frames=FRAMES, seed=seed)


ROWS = (
    Row("charged5", "charged", published=PUBLISHED, most=5),
    Row("springs20", "springs", tasks=300, entities=20, distilled=1000, most=20),
)


def run(rows: Sequence[Row], seeds: Sequence[int], minutes: float | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to a file of `folder` as soon as it is measured."""

    def path(row: Row, seed: int, limit: float) -> Path:
        return folder / f"{row.name}-moves-seed{seed}-{limit:g}min.json"

    return each(rows, seeds, minutes, path, measure)


def measure(row: Row, seed: int, minutes: float) -> dict[str, Any]:
    """Trains a model, distils it, and moves structures of new tasks; returns the figures."""
    label = f"{row.name}, seed {seed}"
    config = Config(seed=seed, minutes=minutes, variants="none", **row.settings)
    model, _ = train_with_bar(label, config, row.data(row.tasks, seed))
    with bar(f"{label}, encoder") as show:
        settings = Distillation(minutes=minutes, seed=seed)
        made = distil(model, row.data(row.distilled, DISTILLED_SEED + seed).without_edges(), settings, show)
    new = row.data(NEW_TASKS, NEW_SEED + seed)
    edges = model.infer(new).edges
    perm = relabelling(new.edges, edges, model.config.edge_types)
    tracks = scaled_tracks(new, model.scaling)
    pairs = model.composition.pairs

    def accuracy(z: Int[Tensor, "M E"]) -> float:
        found = edge_accuracy(new.edges, structure_to_adjacency(z, pairs, row.entities).numpy(), perm)
        assert found is not None
        return found

    answered = made.probability(tracks).argmax(-1)
    return {
        "row": row.name,
        "published": row.published,
        "seed": seed,
        "minutes": minutes,
        "training_tasks": row.tasks,
        "distilled": made.about,
        "edge_accuracy": accuracy(answered),
        "inference": edge_accuracy(new.edges, edges, perm),
        "encoder_tasks_per_second": rate(made.probability, scaled_tracks(row.data(TIMED_TASKS, 0), model.scaling)),
        "inference_tasks_per_second": rate(model.infer, new),
        "moves": {name: [accuracy(z) for z in found] for name, found in moved(row, made, tracks, answered, seed)},
        "machine": machine(),
    }


def moved(
    row: Row, made: Distilled, tracks: Float[Tensor, "M T N D"], answered: Int[Tensor, "M E"], seed: int
) -> Iterator[tuple[str, list[Int[Tensor, "M E"]]]]:
    """Yields the name of every way to move, and the structures after the counted moves."""
    model, composition = made.model, made.model.composition
    m, generator = len(tracks), torch.Generator().manual_seed(seed)
    batch = whole_tracks(tracks, torch.arange(m), composition.lags)
    groups, choices = composition.groups, composition.choices
    random = random_structure(m, composition.slots, choices, generator)
    # Probabilities follow the summed loss over this temperature; the acceptance test reads mean losses.
    end = float(composition.temperature)
    mean = end / tracks[0, composition.lags + 1 :].numel()
    own: Search = JointDraws(m, 0.0) if model.config.search == "joint-draws" else HeatBath(m, 0.0)
    own_counts = tuple(count for count in COUNTS if count <= row.most)
    ways: dict[str, tuple[Search, Proposal, float, tuple[int, ...]]] = {
        "uniform": (Metropolis(), Uniform(groups, choices), mean, COUNTS),
        "encoder": (Metropolis(), Learned(made.encoder, groups), mean, COUNTS),
        model.config.search: (own, Nothing(), end, own_counts),
    }
    for name, (search, proposal, temperature, counts) in ways.items():
        for start, z in (("random", random), ("encoder", answered)):
            yield (
                f"{name} from {start}",
                after_moves(composition, search, proposal, batch, z, temperature, counts, generator),
            )


def rate(work: Callable[[Any], object], data: Trajectories | Float[Tensor, "M T N D"]) -> float:
    """Returns tasks per second, after one call to warm up."""
    work(data)
    start = time.perf_counter()
    work(data)
    tasks = len(data) if isinstance(data, Tensor) else len(data.tasks)
    return round(tasks / (time.perf_counter() - start), 1)


def table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns lines of cells: means over seeds; one line for the encoder, for inference and for every way to move."""
    lines = [["row", "seeds", "structures", "tasks/s", "one pass", *map(str, COUNTS), "published"]]
    for name in dict.fromkeys(result["row"] for result in results):
        same = [result for result in results if result["row"] == name]
        blank = ["-"] * len(COUNTS)
        for what, key, speed in (
            ("of the encoder", "edge_accuracy", "encoder_tasks_per_second"),
            ("of inference", "inference", "inference_tasks_per_second"),
        ):
            speeds = f"{fmean(result[speed] for result in same):.0f}"
            cells = [what, speeds, f"{fmean(result[key] for result in same):.4f}", *blank, same[0]["published"]]
            lines.append([name, str(len(same)), *cells])
        for way in same[0]["moves"]:
            found = [f"{fmean(values):.4f}" for values in zip(*(result["moves"][way] for result in same), strict=True)]
            cells = [*found, *blank[len(found) :]]
            lines.append([name, str(len(same)), way, "-", "-", *cells, ""])
    return lines
