"""Inference: the loop at test time, with no optimizer. Modules stay, structures of new tasks are found.

Where every filling of an entity's incoming edges can be enumerated one pass gives the exact conditional probabilities

    p(edges into i | tracks) ∝ exp(-Σ_t loss_i(x_t -> x_{t+1}; edges into i) / τ),

otherwise random blocks are annealed to temperature τ and their conditionals averaged over the last sweeps. τ says how
much the evidence of a frame is worth; it is found in training, see `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed, Geometric
from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.priors import Prior, of_tasks
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Annealer, Clock, Coupling, Move, Relational
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.structures import random_structure


@dataclass(frozen=True)
class InferenceEffort:
    """How much work inference does.

    Args:
        cooling_sweeps: of random blocks, while the temperature falls.
        averaged_sweeps: after them, whose conditional probabilities are averaged.
        start: the first temperature.
        enumerated: fillings of the edges into one entity up to which all are enumerated, 16 entities with two types.
            Blocks get stuck where messages resemble each other, so enumerating is worth some seconds.
        largest, smallest: fillings of one block.
        work: fillings times numbers of one sweep over the tasks that share a graph, beyond which blocks are smaller.
        tasks_at_once, numbers_at_once: tasks, and entries of their tables of fillings, that fit into memory together.
    """

    cooling_sweeps: int = 40
    averaged_sweeps: int = 20
    start: float = 100.0
    enumerated: int = 2**15
    largest: int = 1024
    smallest: int = 64
    work: int = 2**19
    tasks_at_once: int = 64
    numbers_at_once: int = 2**20

    @property
    def sweeps(self) -> int:
        """Of random blocks, in all."""
        return self.cooling_sweeps + self.averaged_sweeps


EFFORT = InferenceEffort()


class Inference(NamedTuple):
    """Structures of new tasks.

    `z` is the arg-max of `probability`; `loss` is the mean loss per observed number under `z`, as in training.
    """

    z: Int[Tensor, "M E"]
    probability: Float[Tensor, "M E K"]
    loss: Float[Tensor, " M"]


class Interrupted(Exception):
    """Inference was stopped before it had an answer."""


def infer(
    composition: Relational,
    tracks: Float[Tensor, "M C N D"],
    seed: int = 0,
    coupling: Coupling | None = None,
    prior: Prior | None = None,
    shared: Int[Tensor, " M"] | None = None,
    stop: Callable[[], bool] = lambda: False,
    effort: InferenceEffort | None = None,
) -> Inference:
    """Structures and edge probabilities of new tasks from C frames each.

    Every task gets the same random numbers, so the answer for a task does not depend on the other tasks.

    Args:
        composition: trained modules, on any number of entities.
        tracks: scaled states, all finite; every frame counts as evidence.
        seed: of random blocks; the exact conditional needs no random numbers.
        coupling, prior: what is stated beforehand, see `HeatBath`.
        shared: the group of each task, 0, 1, ...; tasks of a group have the same graph, see `shared_graph.py`; None:
            every task has its own graph.
        stop: asked before every sweep over some tasks.
        effort: how much work is done; None: `EFFORT`.

    Raises:
        Interrupted: `stop` was true.
    """
    if composition.entities != tracks.shape[2]:
        composition = composition.on(tracks.shape[2])
    effort = effort or EFFORT
    parts = [
        _infer(composition, tracks[part], seed, coupling, of_tasks(prior, part), shared, stop, effort)
        for part in portions(composition, len(tracks), shared is not None, effort)
    ]
    return Inference(*(torch.cat(field) for field in zip(*parts, strict=True)))


def portions(
    composition: Relational, tasks: int, together: bool = False, effort: InferenceEffort | None = None
) -> list[slice]:
    """The tasks that are inferred at once: as many as fit into memory, or all if they share graphs."""
    effort = effort or EFFORT
    count = min(composition.choices ** composition.groups.shape[1], effort.enumerated)
    at_once = min(max(1, effort.numbers_at_once // (count * composition.entities)), effort.tasks_at_once)
    at_once = max(1, tasks) if together else at_once
    return [slice(at, min(at + at_once, tasks)) for at in range(0, tasks, at_once)]


def _infer(
    composition: Relational,
    tracks: Float[Tensor, "B C N D"],
    seed: int,
    coupling: Coupling | None,
    prior: Prior | None,
    shared: Int[Tensor, " B"] | None,
    stop: Callable[[], bool],
    effort: InferenceEffort,
) -> Inference:
    tasks = len(tracks)
    generator = torch.Generator(tracks.device).manual_seed(seed)
    pooled = 1 if shared is None else int(torch.bincount(shared).max())
    per_filling = pooled * tracks.shape[1] * composition.entities
    block = min(effort.largest, max(effort.smallest, effort.work // per_filling))
    # All fillings at once cost no more than the sweeps over blocks.
    limits = Enumeration(min(effort.enumerated, effort.sweeps * block), block)
    search = (
        HeatBath(tasks, 0.0, limits, 1, coupling, prior)
        if shared is None
        else SharedGraph(0.0, limits, coupling, prior, shared, noise_rows=1)
    )
    exact = search.exact(composition, generator)
    end = float(composition.temperature)
    annealer: Annealer = Fixed(end) if exact else Geometric(max(effort.start * pooled, end), end)
    sweeps = 1 if exact else effort.sweeps
    averaged = 1 if exact else effort.averaged_sweeps
    total = torch.zeros(tasks, composition.slots, composition.choices, dtype=torch.float64, device=tracks.device)

    def average(clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
        if clock.epoch >= sweeps - averaged:
            assert move.probability is not None
            total.add_(move.probability)

    batch = whole_tracks(tracks, torch.arange(tasks, device=tracks.device), composition.lags)
    z = random_structure(1, composition.slots, composition.choices, generator).repeat(tasks, 1)
    loop = BounceGrad(composition, search, Uniform(composition.groups, composition.choices), annealer, z, generator)

    def clocks() -> Iterator[Clock]:
        for sweep in range(sweeps):
            if stop():
                raise Interrupted
            yield Clock(sweep, sweep / sweeps, min(sweep / effort.cooling_sweeps, 1.0))

    loop.run(clocks(), lambda _: iter([batch]), average)
    probability = (total / averaged).float()
    best = probability.argmax(-1)
    with torch.no_grad():
        return Inference(best, probability, composition.loss(batch, best))
