"""BounceGrad, the loop: bounce (a search move on structures), then grad (a gradient step on modules).

    for every epoch, for every batch of tasks:
        z  <-  search move at temperature T                        (no gradient)
        modules  <-  modules - step * ∇ loss(batch, z)             (if there is an optimizer)
        the proposal learns from the move, the annealer sets T

The same loop trains (the optimizer holds the modules) and infers new tasks (there is no optimizer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import Batch, Visit
from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.guard import Guard
from bouncegrad.core.seams import Annealer, Clock, Composition, Move, Proposal, Search

PARTS = ("composition", "optimizer", "search", "proposal", "annealer", "guard")


@dataclass
class BounceGrad:
    """The parts of a run, the structures of all tasks, and the source of randomness.

    Args:
        composition: modules and how they are wired.
        search: makes the moves.
        proposal: suggests structures to the search.
        annealer: sets the temperature.
        z: `Int[M, S]`, the structures of all tasks, changed in place.
        generator: every random draw comes from it.
        optimizer: holds what is learned by gradient; None at inference.
        clip: gradients are scaled down to this norm; steps that are outliers are left out, see `guard.py`.
        processes: the processes that share the tasks, see `distributed.py`.
    """

    composition: Composition
    search: Search
    proposal: Proposal
    annealer: Annealer
    z: Int[Tensor, "M S"]
    generator: torch.Generator
    optimizer: torch.optim.Optimizer | None = None
    clip: float = 10.0
    processes: Processes = ALONE
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(self.clip)

    @property
    def skipped(self) -> int:
        """Number of gradient steps left out so far."""
        return self.guard.skipped

    def run(
        self,
        clocks: Iterable[Clock],
        batches: Callable[[torch.Generator], Iterator[Visit]],
        report: Callable[[Clock, Visit, Move, Tensor | None], None],
    ) -> None:
        """Runs one epoch per clock, and calls `report(clock, batch, move, loss)` after every batch, the only output."""
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
        """Returns all that changes in a run, except its place in the schedule; tensors are not copied."""
        assert self.optimizer is not None
        state = {name: getattr(self, name).state_dict() for name in PARTS}
        return state | {"z": self.z, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from this state."""
        assert self.optimizer is not None
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.z.copy_(state["z"])
        self.generator.set_state(state["generator"].cpu())

    def step(self, optimizer: torch.optim.Optimizer, batch: Batch, z: Int[Tensor, "B S"]) -> Tensor:
        """Takes one gradient step on the mean loss of the batch; returns the loss of each task.

        Raises:
            InputError: a loss or a gradient is not a number; the message names the task or the tensor.
        """
        losses = self.composition.loss(batch, z) if len(z) else torch.zeros(0, device=z.device)
        if (bad := losses.isnan()).any() and self.processes.count == 1:
            raise self.guard.stopped(f"the loss of task {int(batch.tasks[bad][0])}")
        mean = losses.mean() if self.processes.count == 1 else losses.sum() / batch.whole
        self.guard.step(optimizer, mean, self.composition.named_parameters(), self.processes)
        return losses.detach()
