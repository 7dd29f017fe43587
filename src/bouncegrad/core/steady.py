"""What stays the same within a task: it could name edges, so it is hidden while names are found.

A feature that is constant in a task, such as a frequency or a mass, tells one edge from another for as long as the task
lasts. A law seen through it can have its name swapped for one half of the edges, and the likelihood is the same.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.marks import present, unmarked

TINY = 1e-6


def steady_part(tracks: Float[Tensor, "M T N D+marks"], features: int) -> Float[Tensor, "D D"]:
    """The linear map from a state to what the features that are constant in every task tell of it.

    A constant feature is told wholly, any other by linear regression on the constant ones. With no constant features,
    or nothing else, it is 0.

    Args:
        tracks: scaled states.
        features: D.

    Example:
        >>> x = torch.randn(50, 9, 3, 1, generator=torch.Generator().manual_seed(0))
        >>> constant = torch.randn(50, 1, 3, 1, generator=torch.Generator().manual_seed(1)).expand(50, 9, 3, 1)
        >>> steady_part(torch.cat([0.1 * x + 2 * constant, constant], -1), 2).round(decimals=1).tolist()
        [[0.0, 0.0], [2.0, 1.0]]
    """
    x, there = unmarked(tracks, features), present(tracks, features)
    gone = torch.zeros(()).bool() if there is None else there[..., None] == 0
    apart = x.masked_fill(gone, -torch.inf).amax(1) - x.masked_fill(gone, torch.inf).amin(1)
    constant = apart.amax((0, 1)) < TINY
    told = tracks.new_zeros(len(constant), len(constant))
    if constant.all() or not constant.any():
        return told
    x = (x.flatten(0, 2) if there is None else x[there > 0]).double()
    x = x - x.mean(0)
    known, other = x[:, constant], x[:, ~constant]
    slopes = torch.linalg.pinv(known.T @ known) @ (known.T @ other)
    rows = constant.nonzero()
    told[rows, (~constant).nonzero().T] = slopes.to(told.dtype)
    told[rows[:, 0], rows[:, 0]] = 1.0
    return told
