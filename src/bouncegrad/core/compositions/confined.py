"""Confinement: a forecast cannot run away from the region that training saw, nor jump within it.

With R = high - low of a feature, states up to a room of r R outside of the region stay as they are. Beyond, the
distance e is reduced smoothly to  r R tanh(4 e / r R) / 4:  no state is farther than 5/4 r R outside, however long the
forecast. The share r is 1/4 at most. It is less where training shows a wall: many recordings reach nearly the same
extreme value. A start outside of the region widens it, for its own forecast.

Changes up to the largest one of training, L, stay as they are. A larger change c becomes  L + L tanh((c - L) / L):  no
step changes a state by more than 2 L.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FREE, LIMIT = 0.25, 0.25  # r at most, and how much farther states can go, in units of the room
NARROWEST = 0.02  # r at least, for walls that modules do not know exactly
EXTREMES = 10  # recordings that show a wall
BEYOND = 2.0  # how far beyond their extremes states may go, in differences of these extremes
UNBOUNDED = 1e30  # stands for an infinite change, with which the arithmetic would give NaN


class Region(NamedTuple):
    """The least and the largest value of each feature in scaled units, infinite where there is no bound; and r."""

    low: Float[Tensor, "*B D"]
    high: Float[Tensor, "*B D"]
    room: Float[Tensor, " D"] | float = FREE

    def with_start(self, x: Float[Tensor, "B C N D"]) -> Region:
        """Returns the region of each forecast, which holds its start, too."""
        return Region(torch.minimum(self.low, x.amin(2, True)), torch.maximum(self.high, x.amax(2, True)), self.room)

    def of_frames(self) -> Region:
        """Returns the same regions, of forecasts `[B, C, R, N, D]`."""
        return Region(self.low[:, :, None], self.high[:, :, None], self.room)

    def confined(self, x: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N D"]:
        """Returns these states; those far outside of the region are pulled back."""
        free = self.room * (self.high - self.low)
        least, most = self.low - free, self.high + free
        if not ((x < least) | (x > most)).any():
            return x  # as usual, and much faster
        bounded = free.isfinite()
        limit = torch.where(bounded, LIMIT * free, 1.0).clamp(min=1e-9)
        kept = torch.maximum(torch.minimum(x, most), least)
        return torch.where(bounded, kept + limit * torch.tanh((x - kept) / limit), x)


def room_of(tracks: Float[Tensor, "M T N D"]) -> Float[Tensor, " D"]:
    """Returns r of each feature: twice the difference between the largest and the tenth largest extreme of a recording.

    Behind a wall there is nothing, so that extremes of many recordings are nearly equal. Without a wall they differ.
    """
    ends = torch.cat([tracks.amax((1, 2)), -tracks.amin((1, 2))], 1)
    if len(ends) < 2 * EXTREMES:
        return tracks.new_full(tracks.shape[-1:], FREE)
    largest = ends.topk(EXTREMES, 0).values
    apart = (largest[0] - largest[-1]).view(2, -1).amax(0)
    wide = largest[0].view(2, -1).sum(0).clamp(min=1e-9)
    return (BEYOND * apart / wide).clamp(NARROWEST, FREE)


def limited(change: Float[Tensor, "*B D"], largest: Float[Tensor, " D"]) -> Float[Tensor, "*B D"]:
    """Returns these changes; those above the largest one are reduced smoothly, and none is twice as large."""
    if not (change.abs() > largest).any():
        return change
    largest = largest.clamp(min=1e-9, max=UNBOUNDED)
    kept = torch.maximum(torch.minimum(change, largest), -largest)
    return kept + largest * torch.tanh((change - kept) / largest)


def capped(error: Float[Tensor, "*B D"], most: Float[Tensor, " D"]) -> Float[Tensor, "*B D"]:
    """Returns squared errors; above `most`, an error e becomes  most (1 + log(e / most)).

    So a forecast that is worse than knowing nothing is still a loss, but not all that counts.
    """
    if not (error > most).any():
        return error
    most = most.clamp(min=1e-9, max=UNBOUNDED)
    return torch.where(error > most, most * (1 + torch.log(torch.maximum(error, most) / most)), error)
