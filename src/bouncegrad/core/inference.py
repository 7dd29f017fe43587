"""Inference: the loop at test time, without an optimizer. It finds structures of new tasks; the modules do not change.

If all fillings of an entity's incoming edges can be enumerated, one pass gives the exact conditional probabilities

    p(edges into i | tracks) ∝ exp(-Σ_t loss_i(x_t -> x_{t+1}; edges into i) / τ).

Otherwise joint draws find the structure, see `joint_inference.py`. If a composition gives no quadratic form, random
blocks of edges are drawn while the temperature falls to τ, and their conditional probabilities are averaged over the
last sweeps. The calibrated temperature τ weakens the evidence of each frame; it is found in training,
see `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed, Geometric
from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.couplings import Independent, Symmetric, one_clique
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.inferred import Inference, InferenceEffort, Interrupted
from bouncegrad.core.joint_inference import LinearizedGraph, infer_jointly
from bouncegrad.core.priors import Prior, of_tasks
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Annealer, Clock, Coupling, Linearized, Move, Relational
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.structures import random_structure

EFFORT = InferenceEffort()
WIDTH = 512  # numbers that joint draws keep for one edge and type: projected messages of all frames, roughly


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
    """Returns structures and edge probabilities of new tasks, from C frames each.

    Every task gets the same random numbers, so the result for a task does not depend on the other tasks.

    Args:
        composition: trained modules, on any number of entities.
        tracks: scaled states, all finite; every frame counts as evidence.
        seed: seed of the random blocks; the exact conditional probabilities need no random numbers.
        coupling, prior: restrictions and knowledge about edges, see `HeatBath`.
        shared: the group of each task, 0, 1, ...; tasks of a group have the same graph, see `shared_graph.py`; None:
            every task has its own graph.
        stop: called before every sweep; if it returns true, inference stops.
        effort: how much work is done; None: `EFFORT`.

    Raises:
        Interrupted: `stop` returned true.
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
    """Returns slices of tasks that are inferred together: as many as fit into memory, or all if they share graphs."""
    effort = effort or EFFORT
    fillings = composition.choices ** composition.groups.shape[1]
    joint = draws_jointly(composition, None, effort)
    count = WIDTH * composition.choices * composition.groups.shape[1] if joint else min(fillings, effort.enumerated)
    at_once = min(max(1, effort.numbers_at_once // (count * composition.entities)), effort.tasks_at_once)
    at_once = max(1, tasks) if together else at_once
    return [slice(at, min(at + at_once, tasks)) for at in range(0, tasks, at_once)]


def expected_sweeps(composition: Relational, tasks: int, coupling: Coupling | None, together: bool) -> int:
    """Returns how often inference of so many tasks calls `stop`, roughly."""
    parts = len(portions(composition, tasks, together))
    if draws_jointly(composition, coupling, EFFORT):
        return parts * (EFFORT.joint_sweeps + 3)
    return parts * (1 if composition.choices ** composition.groups.shape[1] <= EFFORT.enumerated else EFFORT.sweeps)


def draws_jointly(composition: Relational, coupling: Coupling | None, effort: InferenceEffort) -> bool:
    """Whether fillings are too many to enumerate, and joint draws can find structures."""
    coupling, degree = coupling or Independent(), composition.groups.shape[1]
    if not isinstance(composition, Linearized):
        return False
    if isinstance(coupling, Symmetric):
        return not one_clique(composition.entities, composition.choices)
    return isinstance(coupling, Independent) and bool(composition.choices**degree > effort.enumerated)


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
    if draws_jointly(composition, coupling, effort):
        tied = coupling or Independent()
        return infer_jointly(cast(LinearizedGraph, composition), tracks, seed, tied, prior, shared, stop, effort)
    generator = torch.Generator(tracks.device).manual_seed(seed)
    pooled = 1 if shared is None else int(torch.bincount(shared).max())
    per_filling = pooled * tracks.shape[1] * composition.entities
    block = min(effort.largest, max(effort.smallest, effort.work // per_filling))
    # Within this limit, enumerating all fillings costs no more than the sweeps over blocks.
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
