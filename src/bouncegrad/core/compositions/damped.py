"""Damping of forecasts: far ahead, a forecast is drawn towards what needs no law.

    x̂_h  <-  x_0 + a_h (x̂_h - x_0) + b_h h (x̂_1 - x_0) - c_h x_0

(a, b, c) = (1, 0, 0) is the forecast of the modules. (0, 0, 0) stands still, (0, 1, 0) goes on with the first change,
and (0, 0, 1) is the mean of the training part, which is 0 in scaled units. Each feature and each horizon h has weights
of its own. Beyond the last horizon its weights stay, and h no longer grows.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

PARTS = 3  # a, b, c


def undamped(horizons: int, features: int, device: torch.device | None = None) -> Float[Tensor, "horizons D parts"]:
    """Returns the weights of the forecast of the modules."""
    return torch.tensor([1.0, 0.0, 0.0], device=device).repeat(horizons, features, 1)


def parts_of(
    start: Float[Tensor, "B C N D"], path: Float[Tensor, "B C R N D"], horizons: int
) -> Float[Tensor, "B C R N D parts"]:
    """Returns what the weights a, b and c stand before: of R frames, for weights of so many horizons."""
    x = start[:, :, None]
    ahead = torch.arange(1, path.shape[2] + 1, device=path.device).clamp(max=horizons)[:, None, None]
    straight = ahead * (path[:, :, :1] - x)
    return torch.stack([path - x, straight, (-x).expand_as(path)], -1)


def damped(
    start: Float[Tensor, "B C N D"], path: Float[Tensor, "B C R N D"], weights: Float[Tensor, "horizons D parts"]
) -> Float[Tensor, "B C R N D"]:
    """Returns the damped path; with the weights of `undamped` it is the same to the bit.

    Args:
        start: the states at the starts, scaled.
        path: the R frames after each start.
        weights: a, b and c of each horizon and feature.
    """
    rows = torch.arange(path.shape[2], device=path.device).clamp(max=len(weights) - 1)
    a, b, c = weights[rows][:, None].unbind(-1)
    moved, straight, back = parts_of(start, path, len(weights)).unbind(-1)
    return path + (a - 1) * moved + b * straight + c * back
