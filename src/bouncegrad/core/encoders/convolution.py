"""The convolutional encoder on tracks: it recognises what a pair does at an instant, wherever in the track it happens.

h_ij(t) = conv(pool(relu(conv(x_i(t), x_j(t)))));   h_ij = Σ_t softmax_t(a(h_ij(t))) p(h_ij(t));   then as in `base.py`

a and p are linear. Both convolutions are over 5 frames; pooling takes the larger of two.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bouncegrad.core.encoders.base import Readout, at_both_ends, dropped
from bouncegrad.core.modules import ModulePool

KERNEL = 5  # frames, as published


class ConvolutionEncoder(nn.Module):
    """An encoder for tracks of any length and any number of entities: weights are shared by instants and pairs.

    Args:
        features: D.
        choices: K.
        pairs: `Int[2, E]` (source, target).
        generator: draws weights and dropout masks.
        hidden: width of all layers, and number of channels.
        dropout: share of units that are dropped while learning.

    Source: Kipf et al. 2018, CNN encoder, without its batch normalisation, which makes tasks depend on each other.
    """

    reads_structures = False

    def __init__(
        self,
        features: int,
        choices: int,
        pairs: Int[Tensor, "2 E"],
        generator: torch.Generator,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.pairs, self.generator, self.dropout = pairs, generator, dropout
        # A convolution is one linear layer that is applied at every instant to the frames around it.
        self.first = ModulePool(1, (KERNEL * 2 * features, hidden), generator)
        self.second = ModulePool(1, (KERNEL * hidden, hidden), generator)
        self.read = ModulePool(1, (hidden, hidden + 1), generator)
        self.readout = Readout(pairs, choices, hidden, generator, dropout)

    def forward(
        self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B E"], learning: bool = False
    ) -> Float[Tensor, "B E K"]:
        """Returns the logits; structures are ignored."""
        ends = at_both_ends(tracks.transpose(1, 2).flatten(2), self.pairs).unflatten(-1, (2, tracks.shape[1], -1))
        channels = ends.transpose(2, 3).flatten(3).flatten(0, 1).transpose(1, 2)
        seen = F.max_pool1d(F.relu(convolved(self.first, channels)), 2, ceil_mode=True)
        if learning:
            seen = dropped(seen, self.dropout, self.generator)
        seen = F.relu(convolved(self.second, seen)).transpose(1, 2)
        scores = self.read.one(seen.flatten(0, 1), 0).unflatten(0, seen.shape[:2])
        edge = (scores[..., 1:] * scores[..., :1].softmax(1)).sum(1).unflatten(0, (len(tracks), -1))
        return self.readout(edge, tracks.shape[2], learning)


def convolved(layer: ModulePool, x: Float[Tensor, "rows channels T"]) -> Float[Tensor, "rows hidden T"]:
    """Applies a linear layer to the frames around each frame; frames beyond the ends of a track are zero."""
    weight = layer.weights[0][0].T.unflatten(1, (x.shape[1], KERNEL))
    return F.conv1d(x, weight, layer.biases[0][0, 0], padding=KERNEL // 2)
