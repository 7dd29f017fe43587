"""One graph for all tasks, or one for each group of tasks: the evidence of the tasks is added up.

    p(filling) ∝ exp(-Σ_{tasks of the group} summed loss(filling) / T)

If recordings are of the same system, each of them has some evidence about the common graph. Together they may determine
edges that no single recording determines.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.priors import Prior
from bouncegrad.core.seams import Composition, Coupling, Enumerable, Move, Proposal

TASKS_AT_ONCE = 16


class Together(NamedTuple):
    """The groups of a batch as tasks: their batch, their present structures, and the group that each task belongs to.

    `first` is the first task of each group. `batch` has the numbers of the groups and their mean numbers of observed
    steps; its tracks are still those of tasks.
    """

    batch: Batch
    z: Int[Tensor, "here S"]
    which: Int[Tensor, " B"]
    first: Int[Tensor, " here"]

    @classmethod
    def of(
        cls, batch: Batch, z: Int[Tensor, "B S"], group: Int[Tensor, " B"], graphs: Int[Tensor, "groups S"]
    ) -> Together:
        """Returns the groups of a batch.

        Args:
            batch: some tasks.
            z: their structures, from which a group begins.
            group: the group of each task.
            graphs: the structures of all groups so far; -1: not drawn yet.
        """
        here, which = group.unique(return_inverse=True)
        observed = None if batch.observed_steps is None else mean_by(which, batch.observed_steps, len(here))
        first = which.argsort(stable=True)[torch.bincount(which).cumsum(0) - torch.bincount(which)]
        given = torch.where(graphs[here] < 0, z[first], graphs[here])
        return cls(batch._replace(tasks=here, observed_steps=observed), given, which, first)

    def move_of_tasks(self, move: Move, z: Int[Tensor, "B S"], graphs: Int[Tensor, "groups S"]) -> Move:
        """Stores the structures after a move of the groups, and returns it as a move of the tasks from `z`."""
        graphs[self.batch.tasks] = move.z
        new = move.z[self.which]
        shares = None if move.probability is None else move.probability[self.which]
        return move._replace(z=new, accepted=new != z, probability=shares)


class SharedGraph(HeatBath):
    """The heat bath for a structure that all tasks of a group share; each visit draws it again.

    Args: those of `HeatBath`, and
        group: the group of each task, 0, 1, ...; None: all tasks are one group. The prior of a task holds for its
            whole group.
    """

    shared = True

    def __init__(
        self,
        decay: float = 0.7,
        limits: Enumeration = Enumeration(),
        coupling: Coupling | None = None,
        prior: Prior | None = None,
        group: Int[Tensor, " M"] | None = None,
        noise_rows: int = 0,
    ) -> None:
        self.group, groups = group, 1 if group is None else int(group.max()) + 1
        if prior is not None and len(prior) > 1:
            # The mean of log-probabilities is -inf for a type that is impossible in one of the tasks.
            prior = mean_by(self.group_of(torch.arange(len(prior), device=prior.device)), prior, groups)
        super().__init__(groups, decay, limits, noise_rows, coupling, prior)
        self.z: Int[Tensor, "groups S"] | None = None  # -1: not drawn yet

    def group_of(self, tasks: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
        """Returns the group of each of these tasks."""
        return torch.zeros_like(tasks) if self.group is None else self.group[tasks]

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        if self.z is None:
            self.z = z.new_full((self.tasks, z.shape[1]), -1)
        pooled = Together.of(batch, z, self.group_of(batch.tasks), self.z)
        losses = Pooled(cast(Enumerable, composition), batch, pooled.which, len(pooled.z))
        move = super().__call__(cast(Composition, losses), proposal, pooled.batch, pooled.z, temperature, generator)
        return pooled.move_of_tasks(move, z, self.z)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"z": self.z}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.z = state.get("z")


class Pooled:
    """A composition with groups as tasks: all tasks of a batch in one group count as one task."""

    def __init__(self, composition: Enumerable, batch: Batch, which: Int[Tensor, " B"], groups: int) -> None:
        self.composition, self.batch, self.which, self.count = composition, batch, which, groups
        self.slots, self.choices, self.groups = composition.slots, composition.choices, composition.groups

    def conditional_losses(
        self, batch: Batch, z: Int[Tensor, "groups S"], columns: Int[Tensor, "G block"]
    ) -> Float[Tensor, "groups G fillings"]:
        """Returns losses summed over the tasks of each group; it takes a few tasks at a time to save memory."""
        total, whole = None, self.batch
        for part in torch.arange(len(whole.tasks), device=whole.tasks.device).split(TASKS_AT_ONCE):
            some = whole._replace(tasks=whole.tasks[part], tracks=whole.tracks[part], segments=whole.segments[part])
            losses = self.composition.conditional_losses(some, z[self.which[part]], columns)
            total = losses.new_zeros(self.count, *losses.shape[1:]) if total is None else total
            total.index_add_(0, self.which[part], losses)
        assert total is not None
        return total


def mean_by(group: Int[Tensor, " B"], values: Float[Tensor, "B ..."], groups: int) -> Float[Tensor, "groups ..."]:
    """Returns the mean over the tasks of each group."""
    total = values.new_zeros(groups, *values.shape[1:]).index_add_(0, group, values)
    return total / torch.bincount(group, minlength=groups).view(-1, *[1] * (values.dim() - 1))
