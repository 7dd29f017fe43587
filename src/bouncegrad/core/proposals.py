"""Proposals: what suggests structures to a proposing search, and which slots move together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.encoders import Encoder

if TYPE_CHECKING:
    from bouncegrad.core.search import Move


class Proposal(Protocol):
    """Suggests new structures, and may learn from what became of them."""

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        """New structures for the batch."""

    def learn(self, batch: Batch, move: Move) -> None:
        """Called once after every move."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes it up again."""


def slots_of_one_group(
    groups: Int[Tensor, "G degree"], z: Int[Tensor, "B S"], generator: torch.Generator
) -> Bool[Tensor, "B S"]:
    """The move of the paper: for every task, all slots of one group drawn at random (the edges into one entity)."""
    batch, slots = z.shape
    member = torch.zeros(len(groups), slots + 1, dtype=torch.bool)
    member.scatter_(1, groups, True)
    return member[torch.randint(len(groups), (batch,), generator=generator), :slots]


class Uniform:
    """Every module is as likely as any other in the slots of one random group."""

    def __init__(self, groups: Int[Tensor, "G degree"], choices: int) -> None:
        self.groups, self.choices = groups, choices

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        drawn = torch.randint(self.choices, z.shape, generator=generator)
        return torch.where(slots_of_one_group(self.groups, z, generator), drawn, z)

    def learn(self, batch: Batch, move: Move) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Learned:
    """Draws from the probabilities of an encoder, which learns by cross-entropy on accepted structures only.

    Probabilities are mixed with a share `uniform` of the uniform distribution, so that no module is ever excluded.

    Args:
        encoder: tracks to logits `Float[B, S, K]`.
        groups: slots that move together.
        uniform: share of the uniform distribution, in (0, 1].
        learning_rate: of stochastic gradient descent with momentum 0.9 (published: 1e-3).

    Source: Alet et al. 2019, section 3.2.
    """

    def __init__(
        self, encoder: Encoder, groups: Int[Tensor, "G degree"], uniform: float = 0.02, learning_rate: float = 1e-3
    ) -> None:
        self.encoder, self.groups, self.uniform = encoder, groups, uniform
        self.optimizer = torch.optim.SGD(encoder.parameters(), lr=learning_rate, momentum=0.9)

    @torch.no_grad()
    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        probability = self.encoder(batch.tracks, generator=None).softmax(-1)
        probability = (1 - self.uniform) * probability + self.uniform / probability.shape[-1]
        drawn = torch.multinomial(probability.flatten(0, 1), 1, generator=generator).view(z.shape)
        return torch.where(slots_of_one_group(self.groups, z, generator), drawn, z)

    def learn(self, batch: Batch, move: Move) -> None:
        """One gradient step on the tasks whose proposal was accepted."""
        accepted = move.accepted
        if not accepted.any():
            return
        logits = self.encoder(batch.tracks[accepted], generator=self.encoder.generator)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), move.z[accepted].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.encoder.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.encoder.load_state_dict(state["encoder"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.encoder.generator.set_state(state["generator"])
