"""Search: what decides on structures. It sees losses and groups of slots, never graphs.

Metropolis (the paper)   propose z'; accept with probability min(1, exp((loss(z) - loss(z')) / T))
heat bath                draw a group's slots from  p(filling) ∝ exp(-summed loss(filling) / T),  every group at once
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.compositions.base import Composition
from bouncegrad.core.proposals import Proposal
from bouncegrad.core.structures import fillings, random_structure


class Move(NamedTuple):
    """What one move did: the structures after it, and which tasks or slots it changed.

    `loss_before` and `loss_proposed` are mean losses of a proposing search; the heat bath, which has no
    rejected proposals, leaves them empty and instead tells `probability`, the conditional of every slot's module.
    """

    z: Int[Tensor, "B S"]
    accepted: Bool[Tensor, "B ..."]
    loss_before: Float[Tensor, " B"]
    loss_proposed: Float[Tensor, " B"]
    probability: Float[Tensor, "B S K"] | None = None


class Search(Protocol):
    """One move for every task of a batch, without gradient."""

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        """The move from `z` at this temperature."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes it up again."""


class Metropolis:
    """Propose, test, accept (Alet et al. 2019, algorithm 1): one proposal per task and visit."""

    @torch.no_grad()
    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        proposed = proposal(batch, z, generator)
        before, after = composition.loss(batch, z), composition.loss(batch, proposed)
        # A proposal whose loss is not finite is refused: comparisons with NaN are false.
        accepted = torch.rand(len(z), generator=generator) < torch.exp((before - after) / temperature)
        return Move(torch.where(accepted[:, None], proposed, z), accepted, before, after)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class HeatBath:
    """Draws whole groups of slots from their conditionals; every move is accepted, there is no test on top.

    While `choices ** degree <= enumerate_up_to` a group is drawn at once from the exact conditional, and the evidence
    lasts: each task keeps a table of summed log-likelihoods, `new = decay * old + this visit`. Where that remembers
    more steps than a track has, the sum is scaled down to one track. Beyond that a fresh random block of each group's
    slots is drawn given the rest. At an infinite temperature structures are uniform and nothing is evaluated.

    Args:
        tasks: M, the tasks that evidence is kept for.
        decay: the share of old evidence that is kept, in [0, 1); 0 keeps none.
        enumerate_up_to: fillings of one group that may be enumerated.
        block: fillings of one block; the block is as large as they allow.
        shared_noise: every task gets the same random numbers, so that a task's answer does not depend on its batch.
    """

    def __init__(
        self,
        tasks: int,
        decay: float = 0.7,
        enumerate_up_to: int = 1024,
        block: int = 64,
        shared_noise: bool = False,
    ) -> None:
        self.tasks, self.decay, self.enumerate_up_to = tasks, decay, enumerate_up_to
        self.block, self.shared_noise = block, shared_noise
        self.evidence: Float[Tensor, "M G fillings"] | None = None

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        if math.isinf(temperature):
            new = random_structure(len(z), composition.slots, composition.choices, generator)
            return Move(new, new != z, torch.empty(0), torch.empty(0))
        columns = self.columns(composition, generator)
        loss = composition.conditional_losses(batch, z, columns)
        if self.decay and columns.shape[1] == composition.groups.shape[1]:
            loss = self.remember(batch, loss)
        logits = -loss / temperature
        shape = logits.shape[1:] if self.shared_noise else logits.shape
        uniform = torch.rand(shape, generator=generator, dtype=logits.dtype).clamp_(min=1e-300)
        drawn = (logits - torch.log(-torch.log(uniform))).argmax(-1)
        block = fillings(composition.choices, columns.shape[1])
        slots = composition.groups.gather(1, columns)
        new = torch.nn.functional.pad(z, (0, 1))
        new[:, slots.flatten()] = block[drawn].flatten(1)
        new = new[:, :-1].contiguous()
        probability = marginals(logits.softmax(-1), block, slots, z, composition.choices)
        return Move(new, new != z, loss.new_empty(0), loss.new_empty(0), probability)

    def columns(self, composition: Composition, generator: torch.Generator) -> Int[Tensor, "G block"]:
        """Which of each group's slots are drawn now: all of them, or a random block."""
        groups, degree = composition.groups.shape
        if composition.choices**degree <= self.enumerate_up_to:
            return torch.arange(degree).expand(groups, degree)
        size = 1
        while composition.choices ** (size + 1) <= self.block:
            size += 1
        return torch.rand(groups, degree, generator=generator).argsort(1)[:, :size]

    def remember(self, batch: Batch, loss: Float[Tensor, "B G F"]) -> Float[Tensor, "B G F"]:
        """Adds this visit to the decayed evidence of its tasks; returns the evidence of at most one whole track."""
        if self.evidence is None:
            self.evidence = torch.zeros(self.tasks, *loss.shape[1:])
        total = self.decay * self.evidence[batch.tasks] + (loss - loss.mean(-1, keepdim=True)).float()
        self.evidence[batch.tasks] = total
        seen = batch.segments.shape[1] * (batch.segments.shape[2] - 1) / (1 - self.decay)
        return total * min(1.0, (batch.tracks.shape[1] - 1) / seen)

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self.evidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.evidence = state["evidence"]


def marginals(
    probability: Float[Tensor, "B G fillings"],
    block: Int[Tensor, "fillings size"],
    slots: Int[Tensor, "G size"],
    z: Int[Tensor, "B S"],
    choices: int,
) -> Float[Tensor, "B S K"]:
    """Probability of every module in every slot: summed over the block's fillings; slots outside it stay as in `z`."""
    types = torch.arange(choices)
    new = (torch.nn.functional.pad(z, (0, 1))[..., None] == types).to(probability.dtype)
    indicator = (block[:, :, None] == types).to(probability.dtype)
    new[:, slots.flatten()] = torch.einsum("bgf,fsk->bgsk", probability, indicator).flatten(1, 2)
    return new[:, :-1]
