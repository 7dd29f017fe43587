"""Inference by joint draws, for entities whose incoming edges have too many fillings to enumerate.

    for temperature falling to τ:  z <- joint draw around z (`joint_draws.py`), all frames as evidence
                                   for each target the structure of least exact loss is kept
    from the best structure:       conditional probabilities of random blocks of edges at τ, exact losses, averaged

The quadratic form is only local, so the last draw can be worse than the best one; structures and probabilities follow
the exact loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.inferred import Inference, InferenceEffort, Interrupted
from bouncegrad.core.joint_draws import JointDraws
from bouncegrad.core.priors import Prior
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Linearized, Relational
from bouncegrad.core.structures import random_structure


class LinearizedGraph(Relational, Linearized, Protocol):
    """A composition whose slots are edges, and which gives its loss as a quadratic form."""


@torch.no_grad()
def infer_jointly(
    composition: LinearizedGraph,
    tracks: Float[Tensor, "B C N D"],
    seed: int,
    prior: Prior | None,
    stop: Callable[[], bool],
    effort: InferenceEffort,
) -> Inference:
    """Returns structures and edge probabilities of tasks, each of which has a graph of its own.

    Args:
        composition: trained modules, with the capability `Linearized`.
        tracks: scaled states, all finite; every frame counts as evidence.
        seed: seed of the draws.
        prior: log-probabilities of types, see `HeatBath`.
        stop: called before every sweep; if it returns true, inference stops.
        effort: how much work is done.

    Raises:
        Interrupted: `stop` returned true.
    """
    tasks, device = len(tracks), tracks.device
    generator = torch.Generator(device).manual_seed(seed)
    end = float(composition.temperature)
    batch = whole_tracks(tracks, torch.arange(tasks, device=device), composition.lags)
    proposal = Uniform(composition.groups, composition.choices)
    draws = JointDraws(tasks, 0.0, effort.samples, 1, prior)
    z = random_structure(1, composition.slots, composition.choices, generator).repeat(tasks, 1)
    best, least = z, torch.full((tasks, composition.entities), torch.inf, dtype=torch.float64, device=device)
    start, linear = max(effort.joint_start, end), composition.linearized(batch)
    for sweep in range(effort.joint_sweeps):
        if stop():
            raise Interrupted
        temperature = start * (end / start) ** min(1.25 * sweep / max(effort.joint_sweeps - 1, 1), 1.0)
        form = linear.around(z)
        best, least = better_of(composition, z, best, form.loss / end - log_priors(composition, z, prior), least)
        z = draws.drawn(form, composition, batch, z, temperature, generator).z
    last = linear.around(z).loss / end - log_priors(composition, z, prior)
    best, _ = better_of(composition, z, best, last, least)
    blocks = HeatBath(tasks, 0.0, Enumeration(1, effort.smallest), 1, None, prior)
    z, total = best, torch.zeros(tasks, composition.slots, composition.choices, dtype=torch.float64, device=device)
    for _ in range(effort.final_sweeps):
        if stop():
            raise Interrupted
        move = blocks(composition, proposal, batch, z, end, generator)
        assert move.probability is not None
        z = move.z
        total += move.probability
    probability = (total / effort.final_sweeps).float()
    found = probability.argmax(-1)
    return Inference(found, probability, composition.loss(batch, found))


def better_of(
    composition: Relational,
    z: Int[Tensor, "B E"],
    best: Int[Tensor, "B E"],
    cost: Float[Tensor, "B N"],
    least: Float[Tensor, "B N"],
) -> tuple[Int[Tensor, "B E"], Float[Tensor, "B N"]]:
    """Takes for each target the edges of lower cost, from `z` or from the best structure so far."""
    better = cost < least
    return torch.where(better[:, composition.pairs[1]], z, best), torch.where(better, cost, least)


def log_priors(composition: Relational, z: Int[Tensor, "B E"], prior: Prior | None) -> Float[Tensor, "B N"] | float:
    """Returns the log-prior of the edges into each entity."""
    if prior is None:
        return 0.0
    own = prior.double().expand(len(z), -1, -1).gather(2, z[..., None])[..., 0]
    return own.new_zeros(len(z), composition.entities).index_add(1, composition.pairs[1], own)
