"""The perceptron encoder on structures: it learns which modules occur together, without the tracks.

logits = mlp(ẑ),   ẑ = one-hot of the present structure, with a share of the slots made uniform or flipped

The network must infer the hidden slots from the others, so it learns how slots depend on each other.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.encoders.base import Perceptron
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.moves import drawn
from bouncegrad.core.structures import one_hot

Disguise = Literal["uniform", "flipped"]


class StructureEncoder(nn.Module):
    """An encoder for structures with a fixed number of slots.

    Args:
        slots: S.
        choices: K.
        generator: draws weights, the slots that are hidden, and dropout masks.
        disguise: "uniform": a hidden slot gives all modules equal probability; "flipped": it shows another module.
        share: share of the slots that are hidden, at least one slot (published: 0.2).
        hidden: width.
        dropout: share of units that are dropped while learning.

    Source: Alet et al. 2019, released code.
    """

    reads_structures = True

    def __init__(
        self,
        slots: int,
        choices: int,
        generator: torch.Generator,
        disguise: Disguise = "uniform",
        share: float = 0.2,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.choices, self.generator, self.disguise = choices, generator, disguise
        self.count = max(1, round(share * slots))
        self.body = Perceptron(slots * choices, hidden, generator, dropout)
        self.output = ModulePool(1, (hidden, slots * choices), generator)

    def forward(
        self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B S"], learning: bool = False
    ) -> Float[Tensor, "B S K"]:
        """Returns the logits; tracks are ignored."""
        return self.output.one(self.body(self.disguised(z).flatten(1), learning), 0).view(*z.shape, -1)

    def disguised(self, z: Int[Tensor, "B S"]) -> Float[Tensor, "B S K"]:
        """Returns the structures as the network sees them, with some slots hidden."""
        shown = one_hot(z, self.choices)
        order = torch.rand(z.shape, generator=self.generator, device=self.generator.device).argsort(1)
        hidden = torch.zeros_like(z, dtype=torch.bool).scatter(1, order[:, : self.count], True)
        if self.disguise == "uniform":
            other = torch.full_like(shown, 1 / self.choices)
        else:
            other = one_hot(drawn(1 - shown, self.generator), self.choices)
        return torch.where(hidden[..., None], other, shown)
