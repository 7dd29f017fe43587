"""The input of an edge module: what it sees of two entities.

    (o a x_s,  o a x_t,  d / sd(d),  u,  log r)        d = x_s - x_t,  r = |d| and u = d / r of their positions

o: opening, 1 after training. a: 0 for positions that are seen only as differences, 1 for all other features. A law
that falls off with distance changes by orders of magnitude where differences hardly change; direction and log-distance
show this. Angles, and differences of angles, are seen as sine and cosine. Periodic positions are seen only as
differences, which go the shorter way round the box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.data.scaling import Scaling

NEAREST = 1e-3  # in typical distances; added in squares, so that the logarithm of a zero distance is finite


class PairView(nn.Module):
    """Computes a row of numbers for every pair of entities at every instant.

    Args:
        features: D.
        history: H, the number of last changes that stand behind the D features of a state.
        scaling: of the training part; its sizes of differences between entities are kept as a buffer.
        polar: features that are positions in one space; their direction and distance are added. Empty: neither.
        relative: features that are seen only as differences.
        angles: features that are angles, in radians.
        device: of the buffers; None: the default device.

    Attributes:
        opening: from 0 to 1. It scales the states, but not their differences. The lower it is, the more it also hides
            of what is constant in a task (`steady`). This prevents label switching in a part of the space or for some
            entities.
    """

    difference: Tensor
    metric: Tensor
    absolute: Tensor
    opening: Tensor
    steady: Tensor
    box: Tensor

    def __init__(
        self,
        features: int,
        history: int,
        scaling: Scaling,
        polar: Sequence[int] = (),
        relative: Sequence[int] = (),
        angles: Sequence[int] = (),
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.features, self.polar, self.angles = features, list(polar), list(angles)
        self.periodic = [i for i, size in enumerate(scaling.period) if size]
        self.state = features + history + len(self.angles)
        differences = torch.tensor(np.divide(scaling.difference, scaling.scale), device=device).float()
        differences[self.angles] = 1.0
        # The difference of two entities' changes has about twice the variance of one change.
        changes = torch.full((history,), 2**0.5, device=device)
        cosines = torch.ones(len(self.angles), device=device)
        self.register_buffer("difference", torch.cat([differences, changes, cosines]))
        # All positions have one unit; otherwise distances would depend on the direction.
        typical = np.linalg.norm(np.array(scaling.difference)[self.polar])
        metric = np.array(scaling.scale)[self.polar] / typical
        self.register_buffer("metric", torch.tensor(metric, device=device).float())
        absolute = torch.ones(self.state, device=device)
        absolute[[*relative, *self.periodic]] = 0.0
        self.register_buffer("absolute", absolute)
        # It is not stored: checkpoints of runs without periodic positions stay as they are.
        box = [scaling.period[i] / scaling.scale[i] for i in self.periodic]
        self.register_buffer("box", torch.tensor(box, device=device).float(), persistent=False)
        self.register_buffer("opening", torch.ones((), device=device))
        self.register_buffer("steady", torch.zeros(features, features, device=device))

    @property
    def width(self) -> int:
        """Length of a row."""
        return 3 * self.state + (len(self.polar) + 1 if self.polar else 0)

    def forward(self, x: Float[Tensor, "B C N D+H"], pairs: Int[Tensor, "2 E"]) -> Float[Tensor, "B*C*E width"]:
        """Returns one row for every pair (source, target) of every state."""
        return self.of(x[:, :, pairs[0]], x[:, :, pairs[1]]).flatten(0, 2)

    def of(self, source: Float[Tensor, "*B D+H"], target: Float[Tensor, "*B D+H"]) -> Float[Tensor, "*B width"]:
        """Returns one row for every two states."""
        between = self.shorter(source - target)
        if self.opening < 1:
            steady = between[..., : self.features] @ self.steady
            steady[..., [*self.angles, *self.periodic]] = 0.0
            between = between - (1 - self.opening) * nn.functional.pad(steady, (0, source.shape[-1] - self.features))
        seen = self.opening * self.absolute
        parts = [seen * self.circled(source), seen * self.circled(target), self.circled(between) / self.difference]
        if self.polar:
            first, last = self.polar[0], self.polar[-1]
            adjacent = self.polar == list(range(first, last + 1))  # a slice is several times faster
            place = between[..., first : last + 1] if adjacent else between[..., self.polar]
            parts.append(polar(place * self.metric))
        return torch.cat(parts, -1)

    def shorter(self, between: Float[Tensor, "*B D+H"]) -> Float[Tensor, "*B D+H"]:
        """Replaces differences of periodic positions by those the shorter way round the box."""
        if not self.periodic:
            return between
        made = between.clone()
        made[..., self.periodic] -= self.box * (between[..., self.periodic] / self.box).round()
        return made

    def circled(self, x: Float[Tensor, "*B D+H"]) -> Float[Tensor, "*B state"]:
        """Replaces angles by their sines, and appends their cosines."""
        if not self.angles:
            return x
        angle = x[..., self.angles]
        made = x.clone()
        made[..., self.angles] = angle.sin()
        return torch.cat([made, angle.cos()], -1)

    def swapped(self, rows: Float[Tensor, "R width"]) -> Float[Tensor, "R width"]:
        """Returns the rows of the same pairs with source and target exchanged."""
        s = self.state
        source, target, between = rows[:, :s], rows[:, s : 2 * s], rows[:, 2 * s : 3 * s]
        even = s - len(self.angles)  # exchanging source and target does not change cosines of differences
        between = torch.cat([-between[:, :even], between[:, even:]], -1)
        return torch.cat([target, source, between, -rows[:, 3 * s : -1], rows[:, -1:]][: 5 if self.polar else 3], -1)


def polar(offset: Float[Tensor, "*B P"]) -> Float[Tensor, "*B P+1"]:
    """Returns direction and log-distance, `(d / r, log r)` with `r² = |d|² + 10^-6`; the direction is 0 if d is 0."""
    squared = offset.square().sum(-1, keepdim=True) + NEAREST**2
    return torch.cat([offset * squared.rsqrt(), squared.log() / 2], -1)
