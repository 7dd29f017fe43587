"""Inference: the loop at test time, with no optimizer. Modules stay, structures of new tasks are found.

Where every filling of an entity's incoming edges can be enumerated one pass gives the exact conditional probabilities

    p(edges into i | tracks) ∝ exp(-Σ_t loss_i(x_t -> x_{t+1}; edges into i) / τ),

otherwise random blocks are annealed to temperature τ and their conditionals averaged over the last sweeps. τ says how
much the evidence of a frame is worth; it was found in training, see `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed, Geometric
from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.priors import Prior, of_tasks
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Annealer, Clock, Coupling, Move
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.structures import random_structure

COOLING_SWEEPS, AVERAGED_SWEEPS, START = 40, 20, 100.0
# Blocks get stuck where messages resemble each other, so that enumerating is worth seconds: 16 entities with two types.
ENUMERATED, LARGEST, SMALLEST = 2**15, 1024, 64
WORK = 2**19  # fillings times numbers of one sweep over what shares a graph, beyond which blocks are smaller
TASKS_AT_ONCE, NUMBERS_AT_ONCE = 64, 2**20


class Inference(NamedTuple):
    """Structures of new tasks.

    `z` is the arg-max of `probability`; `loss` is the mean loss per observed number under `z`, as in training.
    """

    z: Int[Tensor, "M E"]
    probability: Float[Tensor, "M E K"]
    loss: Float[Tensor, " M"]


class Interrupted(Exception):
    """Inference was asked to stop, and has no answer."""


def infer(
    composition: GraphComposition,
    tracks: Float[Tensor, "M C N D"],
    seed: int = 0,
    coupling: Coupling | None = None,
    prior: Prior | None = None,
    shared: Int[Tensor, " M"] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Inference:
    """Structures and edge probabilities of new tasks from C frames each.

    Every task gets the same random numbers, so a task's answer does not depend on the tasks it is inferred with.

    Args:
        composition: trained modules, on any number of entities.
        tracks: scaled states, all finite; every frame is evidence.
        seed: of the block heat bath; the exact conditional needs none.
        coupling, prior: what is stated beforehand, see `HeatBath`.
        shared: the group of each task, 0, 1, ..., whose tasks have the same graph, see `shared_graph.py`; None: every
            task has its own.
        stop: asked before every sweep over some tasks.

    Raises:
        Interrupted: `stop` was true.
    """
    if composition.entities != tracks.shape[2]:
        composition = composition.on(tracks.shape[2])
    parts = [
        _infer(composition, tracks[part], seed, coupling, of_tasks(prior, part), shared, stop)
        for part in portions(composition, len(tracks), shared is not None)
    ]
    return Inference(*(torch.cat(field) for field in zip(*parts, strict=True)))


def portions(composition: GraphComposition, tasks: int, together: bool = False) -> list[slice]:
    """The tasks that are inferred at once: as many as fit into memory, or all where they share graphs."""
    count = min(composition.choices ** composition.groups.shape[1], ENUMERATED)
    at_once = min(max(1, NUMBERS_AT_ONCE // (count * composition.entities)), TASKS_AT_ONCE)
    at_once = max(1, tasks) if together else at_once
    return [slice(at, min(at + at_once, tasks)) for at in range(0, tasks, at_once)]


def _infer(
    composition: GraphComposition,
    tracks: Float[Tensor, "B C N D"],
    seed: int,
    coupling: Coupling | None,
    prior: Prior | None,
    shared: Int[Tensor, " B"] | None,
    stop: Callable[[], bool],
) -> Inference:
    tasks = len(tracks)
    generator = torch.Generator(tracks.device).manual_seed(seed)
    pooled = 1 if shared is None else int(torch.bincount(shared).max())
    block = min(LARGEST, max(SMALLEST, WORK // (pooled * tracks.shape[1] * composition.entities)))
    up_to = min(ENUMERATED, (COOLING_SWEEPS + AVERAGED_SWEEPS) * block)  # all at once costs no more than sweeps
    search = (
        HeatBath(tasks, 0.0, up_to, block, 1, coupling, prior)
        if shared is None
        else SharedGraph(0.0, up_to, block, coupling, prior, shared, shared_noise=1)
    )
    exact = search.exact(composition, generator)
    end = float(composition.temperature)
    annealer: Annealer = Fixed(end) if exact else Geometric(max(START * pooled, end), end)
    sweeps = 1 if exact else COOLING_SWEEPS + AVERAGED_SWEEPS
    averaged = 1 if exact else AVERAGED_SWEEPS
    total = torch.zeros(tasks, composition.slots, composition.choices, dtype=torch.float64)

    def average(clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
        if clock.epoch >= sweeps - averaged:
            assert move.probability is not None
            total.add_(move.probability)

    batch = whole_tracks(tracks, torch.arange(tasks), composition.lags)
    z = random_structure(1, composition.slots, composition.choices, generator).repeat(tasks, 1)
    loop = BounceGrad(composition, search, Uniform(composition.groups, composition.choices), annealer, z, generator)

    def clocks() -> Iterator[Clock]:
        for sweep in range(sweeps):
            if stop():
                raise Interrupted
            yield Clock(sweep, sweep / sweeps, min(sweep / COOLING_SWEEPS, 1.0))

    loop.run(clocks(), lambda _: iter([batch]), average)
    probability = (total / averaged).float()
    best = probability.argmax(-1)
    with torch.no_grad():
        return Inference(best, probability, composition.loss(batch, best))
