"""Confinement: a forecast cannot run away from the region that training saw, nor jump within it.

With R = high - low of a feature, states up to R / 4 outside of the region stay as they are. Beyond, the distance e is
reduced smoothly to  0.7 R tanh(e / 0.7 R):  no state is farther than 0.95 R outside, however long the forecast. A start
outside of the region widens it, for its own forecast.

Changes up to the largest one of training, L, stay as they are. A larger change c becomes  L + L tanh((c - L) / L):  no
step changes a state by more than 2 L.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FREE, LIMIT = 0.25, 0.7  # shares of the region
UNBOUNDED = 1e30  # stands for an infinite change, with which the arithmetic would give NaN


class Region(NamedTuple):
    """The least and the largest value of each feature in scaled units; infinite where there is no bound."""

    low: Float[Tensor, "*B D"]
    high: Float[Tensor, "*B D"]

    def with_start(self, x: Float[Tensor, "B C N D"]) -> Region:
        """Returns the region of each forecast, which holds its start, too."""
        return Region(torch.minimum(self.low, x.amin(2, True)), torch.maximum(self.high, x.amax(2, True)))

    def of_frames(self) -> Region:
        """Returns the same regions, of forecasts `[B, C, R, N, D]`."""
        return Region(self.low[:, :, None], self.high[:, :, None])

    def confined(self, x: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N D"]:
        """Returns these states; those far outside of the region are pulled back."""
        wide = self.high - self.low
        bounded = wide.isfinite()
        wide = torch.where(bounded, wide, 1.0)
        free, limit = FREE * wide, (LIMIT * wide).clamp(min=1e-9)
        kept = torch.maximum(torch.minimum(x, self.high + free), self.low - free)
        return torch.where(bounded, kept + limit * torch.tanh((x - kept) / limit), x)


def limited(change: Float[Tensor, "*B D"], largest: Float[Tensor, " D"]) -> Float[Tensor, "*B D"]:
    """Returns these changes; those above the largest one are reduced smoothly, and none is twice as large."""
    largest = largest.clamp(min=1e-9, max=UNBOUNDED)
    kept = torch.maximum(torch.minimum(change, largest), -largest)
    return kept + largest * torch.tanh((change - kept) / largest)


def capped(error: Float[Tensor, "*B D"], most: Float[Tensor, " D"]) -> Float[Tensor, "*B D"]:
    """Returns squared errors; above `most`, an error e becomes  most (1 + log(e / most)).

    So a forecast that is worse than knowing nothing is still a loss, but not all that counts.
    """
    most = most.clamp(min=1e-9, max=UNBOUNDED)
    return torch.where(error > most, most * (1 + torch.log(torch.maximum(error, most) / most)), error)
