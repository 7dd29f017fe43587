"""What an edge module sees of two entities.

    (o a x_s,  o a x_t,  d / sd(d),  u,  log r)        d = x_s - x_t,  r = |d| and u = d / r of their positions

o: opening, 1 after training; a: 0 for positions that are seen as differences alone, 1 for all else. A law that falls
off with distance changes by decades where differences hardly do; direction and log-distance tell of it. Angles, and
differences of angles, are seen as sine and cosine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.data.scaling import Scaling

NEAREST = 1e-3  # of the typical distance: nearer entities are as far


class PairView(nn.Module):
    """Rows of numbers, one for every pair of entities at every instant.

    Args:
        features: D.
        history: H, last changes of features that stand behind the D features of a state.
        scaling: of the training part; its sizes of differences between entities are kept as a buffer.
        polar: the features that are places in one space, of which direction and distance are told; none: of none.
        relative: the features that are seen as differences alone.
        angles: the features that are angles, in radians.

    Attributes:
        opening: while it is below 1 little is seen but differences, and nothing of what is constant in a task
            (`steady`), so that a law cannot have its name swapped in a part of the space or for some entities.
    """

    difference: Tensor
    metric: Tensor
    absolute: Tensor
    opening: Tensor
    steady: Tensor

    def __init__(
        self,
        features: int,
        history: int,
        scaling: Scaling,
        polar: Sequence[int] = (),
        relative: Sequence[int] = (),
        angles: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.features, self.polar, self.angles = features, list(polar), list(angles)
        self.state = features + history + len(self.angles)
        apart = torch.tensor(np.divide(scaling.difference, scaling.scale)).float()
        # The changes of two entities differ by about twice the variance of one.
        apart[self.angles] = 1.0
        sizes = [apart, torch.full((history,), 2**0.5), torch.ones(len(self.angles))]
        self.register_buffer("difference", torch.cat(sizes))
        # One unit for all positions, or distances would depend on the direction.
        typical = np.linalg.norm(np.array(scaling.difference)[self.polar])
        self.register_buffer("metric", torch.tensor(np.array(scaling.scale)[self.polar] / typical).float())
        absolute = torch.ones(self.state)
        absolute[list(relative)] = 0.0
        self.register_buffer("absolute", absolute)
        self.register_buffer("opening", torch.ones(()))
        self.register_buffer("steady", torch.zeros(features, features))

    @property
    def width(self) -> int:
        """Numbers of one row."""
        return 3 * self.state + (len(self.polar) + 1 if self.polar else 0)

    def forward(self, x: Float[Tensor, "B C N D+H"], pairs: Int[Tensor, "2 E"]) -> Float[Tensor, "B*C*E width"]:
        """One row for every pair (source, target) of every state."""
        source, target = x[:, :, pairs[0]], x[:, :, pairs[1]]
        between = source - target
        if self.opening < 1:
            told = between[..., : self.features] @ self.steady
            told[..., self.angles] = 0.0
            between = between - (1 - self.opening) * nn.functional.pad(told, (0, x.shape[-1] - self.features))
        seen = self.opening * self.absolute
        parts = [seen * self.circled(source), seen * self.circled(target), self.circled(between) / self.difference]
        if self.polar:
            parts.append(polar(between[..., self.polar] * self.metric))
        return torch.cat(parts, -1).flatten(0, 2)

    def circled(self, x: Float[Tensor, "*B D+H"]) -> Float[Tensor, "*B state"]:
        """Sines in place of angles, and the cosines behind all else."""
        if not self.angles:
            return x
        angle = x[..., self.angles]
        made = x.clone()
        made[..., self.angles] = angle.sin()
        return torch.cat([made, angle.cos()], -1)

    def swapped(self, rows: Float[Tensor, "R width"]) -> Float[Tensor, "R width"]:
        """The same pairs, seen from the other end."""
        s = self.state
        source, target, between = rows[:, :s], rows[:, s : 2 * s], rows[:, 2 * s : 3 * s]
        even = s - len(self.angles)  # cosines of differences are the same from both ends
        between = torch.cat([-between[:, :even], between[:, even:]], -1)
        return torch.cat([target, source, between, -rows[:, 3 * s : -1], rows[:, -1:]][: 5 if self.polar else 3], -1)


def polar(offset: Float[Tensor, "*B P"]) -> Float[Tensor, "*B P+1"]:
    """Direction and log-distance, `(d / r, log r)` with `r² = |d|² + 10^-6`; the direction of no distance is 0."""
    squared = offset.square().sum(-1, keepdim=True) + NEAREST**2
    return torch.cat([offset * squared.rsqrt(), squared.log() / 2], -1)
