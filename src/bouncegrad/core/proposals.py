"""Proposals: they suggest structures to a search that tests them.

    nothing    the present structures, as the lower end of a comparison
    uniform    all modules have equal probability
    learned    an encoder's probabilities; it learns by cross-entropy on accepted structures
    truth      the true structures, as the upper end of a comparison (an oracle)
    in turn    two proposals that alternate; each learns from its own moves

All mix in a share u of the uniform distribution, `p <- (1 - u) p + u / K`, because a search cannot find what its
proposal excludes. A move selects the slots that change, see `moves.py`.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch
from bouncegrad.core.guard import Guard
from bouncegrad.core.moves import redraw_group
from bouncegrad.core.seams import Encoder, Move, Proposal, Redraw
from bouncegrad.core.structures import one_hot

UNIFORM = 0.02  # share; with two modules, probabilities are from 0.01 to 0.99


class Unlearned:
    """A proposal that never changes: it learns from no move and has no state."""

    def learn(self, batch: Batch, move: Move) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Nothing(Unlearned):
    """Proposes the present structures, so that they stay as they are: modules learn without a search."""

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        return z


class Uniform(Unlearned):
    """Gives all modules equal probability in the slots that change.

    Args:
        groups: slots that belong together.
        choices: K.
        move: selects the slots that change; by default those of one random group.
    """

    def __init__(self, groups: Int[Tensor, "G degree"], choices: int, move: Redraw = redraw_group) -> None:
        self.groups, self.choices, self.move = groups, choices, move

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        return self.move(z, torch.ones(*z.shape, self.choices, device=z.device), self.groups, generator)


class Truth(Unlearned):
    """Proposes the true structures: an oracle to compare other proposals with. The acceptance test remains.

    Args:
        truth: true structures of all tasks.
        groups, choices, move: as in `Uniform`.
        uniform: share of the uniform distribution, in (0, 1].
    """

    def __init__(
        self,
        truth: Int[Tensor, "M S"],
        groups: Int[Tensor, "G degree"],
        choices: int,
        move: Redraw = redraw_group,
        uniform: float = UNIFORM,
    ) -> None:
        self.truth, self.groups, self.choices, self.move, self.uniform = truth, groups, choices, move, uniform

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        probability = mixed(one_hot(self.truth[batch.tasks], self.choices), self.uniform)
        return self.move(z, probability, self.groups, generator)


class Learned:
    """Draws from the probabilities of an encoder, which learns by cross-entropy on accepted structures only.

    loss = a / B · mean cross-entropy of the a structures accepted among B, so that each of them has equal weight.

    Args:
        encoder: maps tracks and present structures to logits `Float[B, S, K]`.
        groups, move: as in `Uniform`.
        uniform: share of the uniform distribution, in (0, 1].
        optimizer: "sgd", stochastic gradient descent with momentum 0.9 (published), or "adam".
        learning_rate: learning rate of the optimizer (published: 1e-3).

    Attributes:
        latest: the tracks of the present visit and their probabilities, so that several proposals in a row take one
            evaluation of an encoder that reads tracks only; None once it has learned.

    Source: Alet et al. 2019, section 3.2 and released code.
    """

    def __init__(
        self,
        encoder: Encoder,
        groups: Int[Tensor, "G degree"],
        move: Redraw = redraw_group,
        uniform: float = UNIFORM,
        optimizer: Literal["sgd", "adam"] = "sgd",
        learning_rate: float = 1e-3,
    ) -> None:
        self.encoder, self.groups, self.move, self.uniform = encoder, groups, move, uniform
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(encoder.parameters(), lr=learning_rate)
            if optimizer == "adam"
            else torch.optim.SGD(encoder.parameters(), lr=learning_rate, momentum=0.9)
        )
        self.guard = Guard()
        self.latest: tuple[Tensor, Float[Tensor, "B S K"]] | None = None

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        if self.latest is None or self.latest[0] is not batch.tracks or self.encoder.reads_structures:
            self.latest = batch.tracks, self.probability(batch.tracks, z)
        return self.move(z, self.latest[1], self.groups, generator)

    @torch.no_grad()
    def probability(self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B S"]) -> Float[Tensor, "B S K"]:
        """Returns the probabilities from which modules are drawn."""
        return mixed(self.encoder(tracks, z).softmax(-1), self.uniform)

    def learn(self, batch: Batch, move: Move) -> None:
        """Takes one gradient step on the tasks whose proposal was accepted; the input is the structure before the move.

        Raises:
            InputError: the loss or a gradient is not a number.
        """
        self.latest = None
        accepted = move.accepted.view(len(move.z), -1).any(1)  # a heat bath reports every slot
        if not accepted.any():
            return
        before = move.z if move.before is None else move.before
        logits = self.encoder(batch.tracks[accepted], before[accepted], learning=True)
        loss = F.cross_entropy(logits.flatten(0, 1), move.z[accepted].flatten()) * accepted.float().mean()
        self.guard.step(self.optimizer, loss, self.encoder.named_parameters())

    def state_dict(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("encoder", "optimizer", "guard")}
        return parts | {"generator": self.encoder.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.latest = None
        for name in ("encoder", "optimizer", "guard"):
            getattr(self, name).load_state_dict(state[name])
        self.encoder.generator.set_state(state["generator"].cpu())


class InTurn:
    """Two proposals that alternate from visit to visit; each learns from the moves that it proposed.

    Args:
        first: proposes on the first visit, the third, and so on.
        second: proposes on all other visits.
    """

    def __init__(self, first: Proposal, second: Proposal) -> None:
        self.proposals, self.turn = (first, second), 0

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        return self.proposals[self.turn](batch, z, generator)

    def learn(self, batch: Batch, move: Move) -> None:
        """Passes the move to the proposal whose turn it was; the other one has the next turn."""
        self.proposals[self.turn].learn(batch, move)
        self.turn = 1 - self.turn

    def state_dict(self) -> dict[str, Any]:
        return {"turn": self.turn, "proposals": [proposal.state_dict() for proposal in self.proposals]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.turn = state["turn"]
        for proposal, own in zip(self.proposals, state["proposals"], strict=True):
            proposal.load_state_dict(own)


def mixed(probability: Float[Tensor, "B S K"], uniform: float) -> Float[Tensor, "B S K"]:
    """Returns probabilities with a share of the uniform distribution mixed in.

    Example:
        >>> mixed(torch.tensor([[[0.0, 1.0]]]), 0.5).tolist()
        [[[0.25, 0.75]]]
    """
    return (1 - uniform) * probability + uniform / probability.shape[-1]
