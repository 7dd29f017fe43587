"""The heat bath: draws whole groups of slots at once from  p(filling) ∝ exp(-summed loss(filling) / T) prior(filling).

One dense evaluation of the modules gives the loss of every filling. A coupling restricts which edge types go together
(see `couplings.py`). A prior holds what is known about single edges (see `priors.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.couplings import Independent, draw
from bouncegrad.core.priors import Prior, of_fillings, of_tasks, tempered
from bouncegrad.core.seams import Composition, Coupling, Enumerable, Move, Proposal
from bouncegrad.core.structures import fillings, random_structure


@dataclass(frozen=True)
class Enumeration:
    """How many fillings are enumerated at once.

    Args:
        whole: if a group has at most so many fillings, all of them are enumerated, and evidence is kept between visits.
        block: otherwise, the number of fillings of one block of a group's slots. None: as many as a group has messages,
            but at least `smallest` and at most `whole`; then fillings cost no more than messages.
        smallest: see `block`.
    """

    whole: int = 1024
    block: int | None = None
    smallest: int = 64


class HeatBath:
    """Draws whole groups of slots from their conditional probabilities; every move is accepted, without a test.

    If a group has few fillings, `choices ** degree <= limits.whole`, all of them are enumerated, and evidence is kept:
    each task has a table of summed log-likelihoods, `new = decay * old + this visit`. If this sum counts more steps
    than a track has, it is scaled down to one track. If a group has more fillings, a random block of its slots is drawn
    given the other slots. At an infinite temperature all allowed fillings are equally probable, and the modules are not
    evaluated.

    Args:
        tasks: M, the number of tasks for which evidence is kept.
        decay: the share of old evidence that is kept, in [0, 1); 0 keeps none.
        limits: how many fillings are enumerated at once.
        noise_rows: repeat the noise every `noise_rows` rows, so that the result for a task does not depend on its
            batch; 0: the noise of all rows is independent.
        coupling: restricts which edge types go together.
        prior: log-probability of every type of every slot (see `priors.py`); None: all types are equally probable.

    Attributes:
        shared: whether tasks have graphs in common, see `shared_graph.py`.
    """

    shared = False

    def __init__(
        self,
        tasks: int,
        decay: float = 0.7,
        limits: Enumeration = Enumeration(),
        noise_rows: int = 0,
        coupling: Coupling | None = None,
        prior: Prior | None = None,
    ) -> None:
        self.tasks, self.decay, self.limits, self.noise_rows = tasks, decay, limits, noise_rows
        self.coupling: Coupling = coupling or Independent()
        self.prior = prior
        self.evidence: Float[Tensor, "M G fillings"] | None = None

    def group_of(self, tasks: Int[Tensor, " B"]) -> Int[Tensor, " B"] | None:
        """Returns the group of each task; None: each task has its own graph."""
        return None

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        groups, choices = composition.groups, composition.choices
        nothing = torch.empty(0, device=z.device)
        hot = math.isinf(temperature)
        if hot and self.prior is None and isinstance(self.coupling, Independent):
            new = batch.own(random_structure(batch.whole, composition.slots, choices, generator))
            return Move(new, new != z, nothing, nothing)
        whole = self.enumerates(composition)
        limits = self.limits
        largest = limits.block or min(limits.whole, max(limits.smallest, choices * groups.shape[1]))
        if whole:
            largest = limits.whole
        plan = self.coupling.plan(groups, choices, largest, generator)
        block = fillings(choices, plan.columns.shape[1], z.device)
        slots = groups.gather(1, plan.columns)
        if hot:
            logits = torch.zeros(len(z), len(slots), len(block), device=z.device)
        else:
            logits = -self.losses(cast(Enumerable, composition), batch, z, plan.columns) / temperature
        if (prior := of_tasks(self.prior, batch.tasks)) is not None:
            logits = logits + tempered(of_fillings(prior, block, slots), temperature)

        def gumbel(of: Tensor) -> Tensor:
            shape = (self.noise_rows or batch.whole, *of.shape[1:])
            uniform = torch.rand(shape, generator=generator, dtype=of.dtype, device=generator.device).clamp_(min=1e-300)
            noise = -torch.log(-torch.log(uniform if self.noise_rows else batch.own(uniform)))
            return noise.repeat(len(of) // len(noise), *[1] * (of.ndim - 1)) if self.noise_rows > 1 else noise

        drawn, probability = draw(logits, number_of(z, slots, choices), plan.joints, gumbel)
        new = torch.nn.functional.pad(z, (0, 1))
        new[:, slots.flatten()] = block[drawn].flatten(1)
        new = new[:, :-1].contiguous()
        shares = marginals(probability, block, slots, z, choices)
        return Move(new, new != z, nothing, nothing, shares)

    def losses(
        self, composition: Enumerable, batch: Batch, z: Int[Tensor, "B S"], columns: Int[Tensor, "G block"]
    ) -> Float[Tensor, "B G fillings"]:
        """Returns the loss of every filling of these columns, others as in `z`; it includes earlier evidence."""
        groups, choices = composition.groups, composition.choices
        if not self.enumerates(composition):
            return composition.conditional_losses(batch, z, columns)
        every = torch.arange(groups.shape[1], device=groups.device).expand(groups.shape)
        loss = composition.conditional_losses(batch, z, every)
        if self.decay:
            loss = self.remember(batch, loss)
        return given_the_rest(loss, z, groups, columns, choices) if columns.shape[1] < groups.shape[1] else loss

    def enumerates(self, composition: Composition) -> bool:
        """Returns whether all fillings of a whole group are enumerated."""
        return composition.choices ** composition.groups.shape[1] <= self.limits.whole

    def exact(self, composition: Composition, generator: torch.Generator) -> bool:
        """Returns whether one move draws all edges at once, from their exact posterior."""
        plan = self.coupling.plan(composition.groups, composition.choices, self.limits.whole, generator)
        return self.enumerates(composition) and plan.columns.shape == composition.groups.shape

    def remember(self, batch: Batch, loss: Float[Tensor, "B G F"]) -> Float[Tensor, "B G F"]:
        """Adds this visit to the decayed evidence of its tasks; returns the sum, scaled down to at most one track."""
        if self.evidence is None:
            self.evidence = torch.zeros(self.tasks, *loss.shape[1:], device=loss.device)
        total = self.decay * self.evidence[batch.tasks] + (loss - loss.mean(-1, keepdim=True)).float()
        self.evidence[batch.tasks] = total
        return batch.of_one_track(total, self.decay)

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self.evidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.evidence = state["evidence"]


def number_of(z: Int[Tensor, "B S"], slots: Int[Tensor, "G size"], choices: int) -> Int[Tensor, "B G"]:
    """Returns the filling that `z` has in these slots of each group, as its number in the order of `fillings`."""
    digits = choices ** torch.arange(slots.shape[1] - 1, -1, -1, device=z.device)
    return (torch.nn.functional.pad(z, (0, 1))[:, slots] * digits).sum(-1)


def given_the_rest(
    loss: Float[Tensor, "B G fillings"],
    z: Int[Tensor, "B S"],
    groups: Int[Tensor, "G degree"],
    columns: Int[Tensor, "G block"],
    choices: int,
) -> Float[Tensor, "B G part"]:
    """Returns, from a table of all fillings, those with the slots outside a block as in `z`."""
    degree, size = groups.shape[1], columns.shape[1]
    digits = choices ** torch.arange(degree - 1, -1, -1, device=z.device)
    kept = torch.ones(groups.shape, dtype=torch.bool, device=groups.device).scatter(1, columns, False)
    rest = (torch.nn.functional.pad(z, (0, 1))[:, groups] * digits * kept).sum(-1)
    part = (fillings(choices, size, z.device) * digits[columns][:, None]).sum(-1)
    return loss.gather(2, rest[..., None] + part)


def marginals(
    probability: Float[Tensor, "B G fillings"],
    block: Int[Tensor, "fillings size"],
    slots: Int[Tensor, "G size"],
    z: Int[Tensor, "B S"],
    choices: int,
) -> Float[Tensor, "B S K"]:
    """Returns the probability of every module in every slot, summed over fillings of the block; others as in `z`."""
    types = torch.arange(choices, device=z.device)
    new = (torch.nn.functional.pad(z, (0, 1))[..., None] == types).to(probability.dtype)
    indicator = (block[:, :, None] == types).to(probability.dtype)
    new[:, slots.flatten()] = torch.einsum("bgf,fsk->bgsk", probability, indicator).flatten(1, 2)
    return new[:, :-1]
