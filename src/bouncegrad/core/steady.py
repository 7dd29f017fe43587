"""Hides per-task constants until types settle.

A feature that is constant in a task, such as a frequency or a mass, identifies edges of the task. With it, modules can
swap two type labels for one half of the edges, and the likelihood stays the same.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.marks import present, unmarked

TINY = 1e-6  # smaller changes of scaled states are rounding errors


def steady_part(tracks: Float[Tensor, "M T N D+marks"], features: int) -> Float[Tensor, "D D"]:
    """Returns the linear map from a state to the part of it that the features constant in every task explain.

    A constant feature is explained completely, any other feature by linear regression on the constant ones. If no
    feature is constant, or all are, the map is 0.

    Args:
        tracks: scaled states.
        features: D.

    Example:
        >>> x = torch.randn(50, 9, 3, 1, generator=torch.Generator().manual_seed(0))
        >>> constant = torch.randn(50, 1, 3, 1, generator=torch.Generator().manual_seed(1)).expand(50, 9, 3, 1)
        >>> steady_part(torch.cat([0.1 * x + 2 * constant, constant], -1), 2).round(decimals=1).tolist()
        [[0.0, 0.0], [2.0, 1.0]]
    """
    x, has_state = unmarked(tracks, features), present(tracks, features)
    absent = tracks.new_zeros(()).bool() if has_state is None else has_state[..., None] == 0
    extent = x.masked_fill(absent, -torch.inf).amax(1) - x.masked_fill(absent, torch.inf).amin(1)
    constant = extent.amax((0, 1)) < TINY
    explained = tracks.new_zeros(len(constant), len(constant))
    if constant.all() or not constant.any():
        return explained
    x = (x.flatten(0, 2) if has_state is None else x[has_state > 0]).double()
    x = x - x.mean(0)
    known, other = x[:, constant], x[:, ~constant]
    slopes = torch.linalg.pinv(known.T @ known) @ (known.T @ other)
    rows = constant.nonzero()
    explained[rows, (~constant).nonzero().T] = slopes.to(explained.dtype)
    explained[rows[:, 0], rows[:, 0]] = 1.0
    return explained
