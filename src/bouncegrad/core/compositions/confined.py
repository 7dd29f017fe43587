"""Confinement: a forecast cannot run away from the region that training saw.

With R = high - low of a feature, states up to R / 4 outside of the region stay as they are. Beyond, the distance e is
reduced smoothly to  0.7 R tanh(e / 0.7 R):  no state is farther than 0.95 R outside, however long the forecast. A start
outside of the region widens it, for its own forecast.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FREE, LIMIT = 0.25, 0.7  # shares of the region


class Region(NamedTuple):
    """The least and the largest value of each feature in scaled units; infinite where there is no bound."""

    low: Float[Tensor, "*B D"]
    high: Float[Tensor, "*B D"]

    def with_start(self, x: Float[Tensor, "B C N D"]) -> Region:
        """Returns the region of each forecast, which holds its start, too."""
        return Region(torch.minimum(self.low, x.amin(2, True)), torch.maximum(self.high, x.amax(2, True)))

    def confined(self, x: Float[Tensor, "B C N D"]) -> Float[Tensor, "B C N D"]:
        """Returns these states; those far outside of the region are pulled back."""
        wide = self.high - self.low
        bounded = wide.isfinite()
        wide = torch.where(bounded, wide, 1.0)
        free, limit = FREE * wide, (LIMIT * wide).clamp(min=1e-9)
        kept = torch.maximum(torch.minimum(x, self.high + free), self.low - free)
        return torch.where(bounded, kept + limit * torch.tanh((x - kept) / limit), x)
