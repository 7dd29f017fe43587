"""One graph for all tasks: their evidence is pooled.

    p(filling) ∝ exp(-Σ_tasks summed loss(filling) / T)

Where recordings are of the same system, each tells something of the one graph, and edges that none of them could tell
alone are told by all.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.compositions.base import Composition, Enumerable
from bouncegrad.core.couplings import Coupling
from bouncegrad.core.heat_bath import ENUMERATED, HeatBath
from bouncegrad.core.priors import Prior
from bouncegrad.core.proposals import Proposal
from bouncegrad.core.search import Move

TASKS_AT_ONCE = 16


class SharedGraph(HeatBath):
    """The heat bath for a structure that all tasks share; each visit draws it anew.

    Args: as of `HeatBath`; what is known of single edges of any task is known of all.
    """

    shared = True

    def __init__(
        self,
        decay: float = 0.7,
        enumerate_up_to: int = ENUMERATED,
        block: int | None = None,
        coupling: Coupling | None = None,
        prior: Prior | None = None,
    ) -> None:
        # The mean of log-probabilities keeps what is impossible in one task impossible.
        prior = None if prior is None else prior.mean(0, keepdim=True)
        super().__init__(1, decay, enumerate_up_to, block, coupling=coupling, prior=prior)
        self.z: Int[Tensor, "1 S"] | None = None

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        count, only = len(z), torch.zeros(1, dtype=torch.long)
        pooled = Pooled(cast(Enumerable, composition), batch)
        told = None if batch.told is None else batch.told.mean(0, keepdim=True)
        one = batch._replace(tasks=only, told=told)
        given = z[:1] if self.z is None else self.z
        move = super().__call__(cast(Composition, pooled), proposal, one, given, temperature, generator)
        self.z = move.z
        new = move.z.expand(count, -1).clone()
        shares = None if move.probability is None else move.probability.expand(count, -1, -1)
        return move._replace(z=new, accepted=new != z, probability=shares)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"z": self.z}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.z = state.get("z")


class Pooled:
    """A composition as one task that is all tasks of a batch together."""

    def __init__(self, composition: Enumerable, batch: Batch) -> None:
        self.composition, self.batch = composition, batch
        self.slots, self.choices, self.groups = composition.slots, composition.choices, composition.groups

    def conditional_losses(
        self, batch: Batch, z: Int[Tensor, "1 S"], columns: Int[Tensor, "G block"]
    ) -> Float[Tensor, "1 G fillings"]:
        """Summed over all tasks, some at a time, since each has a table of its own."""
        total, whole = torch.zeros(()), self.batch
        for part in torch.arange(len(whole.tasks)).split(TASKS_AT_ONCE):
            some = whole._replace(tasks=whole.tasks[part], tracks=whole.tracks[part], segments=whole.segments[part])
            losses = self.composition.conditional_losses(some, z.expand(len(part), -1), columns)
            total = total + losses.sum(0, keepdim=True)
        return total
