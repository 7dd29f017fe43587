"""BounceGrad, the loop: bounce (a search move on structures), then grad (a gradient step on modules).

    for every epoch, for every batch of tasks:
        z  <-  search move at temperature T                        (no gradient)
        modules  <-  modules - step * ∇ loss(batch, z)             (if there is an optimizer)
        the proposal learns from the move, the annealer sets T

The same loop trains (the optimizer holds the modules) and infers new tasks (there is none).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from bouncegrad.core.annealing import Annealer, Clock
from bouncegrad.core.batches import Batch, Visit
from bouncegrad.core.compositions.base import Composition
from bouncegrad.core.proposals import Proposal
from bouncegrad.core.search import Move, Search


@dataclass
class BounceGrad:
    """All that a run holds: the parts, the structures of all tasks and the source of randomness.

    Args:
        composition: modules and how they are wired.
        search: the move.
        proposal: what suggests structures to it.
        annealer: sets the temperature.
        z: `Int[M, S]`, changed in place.
        generator: every random draw comes from it.
        optimizer: holds what is learned by gradient; None at inference.
        clip: gradients are scaled down to this norm; a step whose gradient is not finite is skipped.
    """

    composition: Composition
    search: Search
    proposal: Proposal
    annealer: Annealer
    z: Int[Tensor, "M S"]
    generator: torch.Generator
    optimizer: torch.optim.Optimizer | None = None
    clip: float = 10.0
    skipped: int = 0

    def run(
        self,
        clocks: Iterable[Clock],
        batches: Callable[[torch.Generator], Iterator[Visit]],
        report: Callable[[Clock, Visit, Move, Tensor | None], None],
    ) -> None:
        """One epoch per clock; `report(clock, batch, move, loss)` after every batch, and all output hangs on it."""
        for clock in clocks:
            for batch in batches(self.generator):
                move = self.search(
                    self.composition,
                    self.proposal,
                    batch,
                    self.z[batch.tasks],
                    self.annealer.temperature,
                    self.generator,
                )
                self.z[batch.tasks] = move.z
                loss = self.step(self.optimizer, batch, move.z) if self.optimizer else None
                self.proposal.learn(batch, move)
                self.annealer.update(clock, move)
                report(clock, batch, move, loss)

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a run but its place in the schedule; holds the tensors themselves."""
        assert self.optimizer is not None
        parts = ("composition", "optimizer", "search", "proposal", "annealer")
        state = {name: getattr(self, name).state_dict() for name in parts}
        return state | {"z": self.z, "generator": self.generator.get_state(), "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        assert self.optimizer is not None
        for name in ("composition", "optimizer", "search", "proposal", "annealer"):
            getattr(self, name).load_state_dict(state[name])
        self.z.copy_(state["z"])
        self.generator.set_state(state["generator"])
        self.skipped = state["skipped"]

    def step(self, optimizer: torch.optim.Optimizer, batch: Batch, z: Int[Tensor, "B S"]) -> Tensor:
        """One gradient step on the mean loss of the batch; returns the loss of each task."""
        losses = self.composition.loss(batch, z)
        optimizer.zero_grad(set_to_none=True)
        losses.mean().backward()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.clip)
        if torch.isfinite(norm):
            optimizer.step()
        else:
            self.skipped += 1
        return losses.detach()
