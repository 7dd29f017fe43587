"""The perceptron encoder on tracks.

h_i = mlp(track_i);   h_ij = mlp(h_i, h_j);   then as in `base.py`
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.encoders.base import Perceptron, Readout, at_both_ends


class TrackEncoder(nn.Module):
    """An encoder of the first T frames for any number of entities: weights are shared by entities and pairs.

    Args:
        frames: T.
        features: D.
        choices: K.
        pairs: `Int[2, E]` (source, target).
        generator: draws weights and dropout masks.
        hidden: width (published: 512).
        dropout: share of units that are dropped while learning (published: 0.5).

    Source: Kipf et al. 2018, MLP encoder; sizes as in Alet et al. 2019.
    """

    reads_structures = False

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
        self.frames, self.pairs, self.generator = frames, pairs, generator
        self.track = Perceptron(frames * features, hidden, generator, dropout)
        self.edge = Perceptron(2 * hidden, hidden, generator, dropout)
        self.readout = Readout(pairs, choices, hidden, generator, dropout)

    def forward(
        self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B E"], learning: bool = False
    ) -> Float[Tensor, "B E K"]:
        """Returns the logits; structures are ignored."""
        track = self.track(tracks[:, : self.frames].transpose(1, 2).flatten(2), learning)
        edge = self.edge(at_both_ends(track, self.pairs), learning)
        return self.readout(edge, tracks.shape[2], learning)
