"""Search: what decides on structures. It sees losses and groups of slots, never graphs.

Metropolis (the paper)   propose z'; accept with probability min(1, exp((loss(z) - loss(z')) / T))
heat bath                draw a group's slots from  p(filling) ∝ exp(-summed loss(filling) / T),  see `heat_bath.py`
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.compositions.base import Composition
from bouncegrad.core.proposals import Proposal


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


class Kept:
    """Structures stay as they are: what is learned now takes them as known."""

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        return Move(z, torch.zeros(len(z), dtype=torch.bool), torch.empty(0), torch.empty(0))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
