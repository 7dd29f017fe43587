"""Encoders: networks behind the learned proposal, from tracks to logits of every slot's module.

h_i  = mlp(track_i);   h_ij = mlp(h_i, h_j);   h_j = mlp(Σ_i h_ij);   logits_ij = linear(mlp(h_i, h_j, h_ij))
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bouncegrad.core.modules import ModulePool


class Encoder(nn.Module):
    """The perceptron encoder on tracks.

    It looks at the first T frames. Its weights are shared by entities and pairs, so it serves any number of entities.

    Args:
        frames: T, the frames it looks at.
        features: D.
        choices: K.
        pairs: `Int[2, E]` (source, target).
        generator: draws weights and dropout masks.
        hidden: width (published: 512).
        dropout: share of hidden units dropped while learning (published: 0.5).

    Source: Kipf et al. 2018, MLP encoder; sizes as in Alet et al. 2019.
    """

    def __init__(
        self,
        frames: int,
        features: int,
        choices: int,
        pairs: Int[Tensor, "2 E"],
        generator: torch.Generator,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.frames, self.pairs, self.dropout, self.generator = frames, pairs, dropout, generator

        def perceptron(inputs: int) -> ModulePool:
            return ModulePool(1, (inputs, hidden, hidden), generator, "relu")

        self.track, self.edge = perceptron(frames * features), perceptron(2 * hidden)
        self.entity, self.edge_again = perceptron(hidden), perceptron(3 * hidden)
        self.output = ModulePool(1, (hidden, choices), generator)

    def forward(self, tracks: Float[Tensor, "B T N D"], generator: torch.Generator | None) -> Float[Tensor, "B E K"]:
        """Logits; with a generator units are dropped at random, without one none are."""
        b, n = tracks.shape[0], tracks.shape[2]
        source, target = self.pairs
        x = tracks[:, : self.frames].transpose(1, 2).reshape(b, n, -1)
        x = self.layer(self.track, x, generator)
        edge = self.layer(self.edge, torch.cat([x[:, source], x[:, target]], -1), generator)
        total = edge.new_zeros(b, n, edge.shape[-1]).index_add(1, target, edge) / n
        x = self.layer(self.entity, total, generator)
        edge = self.layer(self.edge_again, torch.cat([x[:, source], x[:, target], edge], -1), generator)
        return self.output.one(edge.flatten(0, 1), 0).view(b, len(source), -1)

    def layer(self, perceptron: ModulePool, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """One perceptron on the last axis, an activation and dropout."""
        y = F.relu(perceptron.one(x.flatten(0, 1), 0)).view(*x.shape[:2], -1)
        if generator is None:
            return y
        kept = torch.rand(y.shape, generator=generator) >= self.dropout
        return y * kept / (1 - self.dropout)
