"""The common part of the encoders of tracks: from features of pairs to logits.

h_j = mlp(Σ_i h_ij / N);   logits_ij = linear(mlp(h_i, h_j, h_ij))
"""

from __future__ import annotations

import copy
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bouncegrad.core.modules import ModulePool

HE = math.sqrt(6)  # gives weights the variance 2 / inputs; otherwise signals fade from layer to layer (He et al. 2015)


class Perceptron(nn.Module):
    """One hidden layer and one output layer, each with a rectifier, on the last axis; then dropout.

    Args:
        inputs: width of the input.
        hidden: width of the hidden layer and of the output.
        generator: draws weights and dropout masks.
        dropout: share of the units that are dropped while learning.
    """

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator, dropout: float) -> None:
        super().__init__()
        self.pool = ModulePool(1, (inputs, hidden, hidden), generator, "relu")
        with torch.no_grad():
            for weight in self.pool.weights:
                weight.mul_(HE)
        self.generator, self.dropout = generator, dropout

    def forward(self, x: Float[Tensor, "*rows inputs"], learning: bool) -> Float[Tensor, "*rows hidden"]:
        """Returns the output. While learning, units are dropped and the others scaled up, so that the mean stays."""
        y = F.relu(self.pool.one(x.flatten(0, -2), 0)).view(*x.shape[:-1], -1)
        return dropped(y, self.dropout, self.generator) if learning else y


class Readout(nn.Module):
    """Computes logits from the features of every pair and from their sum at every entity.

    Args:
        pairs: `Int[2, E]` (source, target).
        choices: K.
        hidden: width.
        generator: draws weights and dropout masks.
        dropout: as in `Perceptron`.
    """

    def __init__(
        self, pairs: Int[Tensor, "2 E"], choices: int, hidden: int, generator: torch.Generator, dropout: float
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.entity = Perceptron(hidden, hidden, generator, dropout)
        self.edge = Perceptron(3 * hidden, hidden, generator, dropout)
        self.output = ModulePool(1, (hidden, choices), generator)

    def on(self, pairs: Int[Tensor, "2 E"]) -> Readout:
        """Returns the same networks (shared, not copied) on other pairs."""
        other = copy.copy(self)
        other.pairs = pairs
        return other

    def forward(self, edge: Float[Tensor, "B E hidden"], entities: int, learning: bool) -> Float[Tensor, "B E K"]:
        """Returns the logits of every pair."""
        total = edge.new_zeros(len(edge), entities, edge.shape[-1]).index_add(1, self.pairs[1], edge) / entities
        seen = self.edge(torch.cat([at_both_ends(self.entity(total, learning), self.pairs), edge], -1), learning)
        return self.output.one(seen.flatten(0, 1), 0).view(*edge.shape[:2], -1)


def at_both_ends(x: Float[Tensor, "B N width"], pairs: Int[Tensor, "2 E"]) -> Float[Tensor, "B E 2*width"]:
    """Returns the values of the source and of the target of every pair, side by side."""
    return torch.cat([x[:, pairs[0]], x[:, pairs[1]]], -1)


def dropped(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Drops a random share of the units, and scales the others up so that the mean stays."""
    return x * (torch.rand(x.shape, generator=generator, device=generator.device) >= share) / (1 - share)
