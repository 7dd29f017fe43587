"""Descent on a quadratic form: edges change one by one, as long as the form falls.

    L(w) = ½ wᵀ G w - hᵀ w - Σ_j log prior(w_j),     w one-hot without type 0

In each round, every unit changes the variable whose change lowers L most. No message is computed, so that hundreds of
edges change in the time of one look at the recordings.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.seams import Quadratic


def descended_form(
    form: Quadratic, types: Int[Tensor, "B U V"], prior: Float[Tensor, "M U V K"]
) -> Int[Tensor, "B U V"]:
    """Returns types from which no change of one variable lowers the form of its unit.

    Args:
        form: G and h of every unit, in double precision and divided by the temperature.
        types: the types to begin from.
        prior: log-probability of the types of every variable; M = 1: the same for all rows.
    """
    choices, variables = prior.shape[-1], types.shape[2]
    blocks = form.g.unflatten(-1, (variables, -1)).unflatten(2, (variables, -1))  # [B, U, V, K-1, V, K-1]
    own = F.pad(torch.diagonal(blocks, dim1=2, dim2=4).movedim(-1, 2), (1, 0, 1, 0))  # [B, U, V, K, K]
    size = torch.diagonal(own, dim1=-2, dim2=-1)
    known = prior.expand(len(types), -1, -1, -1)
    for _ in range(variables * choices):
        w = F.one_hot(types, choices)[..., 1:].flatten(2).to(form.h.dtype)
        slope = F.pad(((form.g @ w[..., None])[..., 0] - form.h).unflatten(-1, (variables, -1)), (1, 0))
        now = types[..., None]
        across = own.gather(3, now[..., None].expand(-1, -1, -1, 1, choices))[..., 0, :]
        change = slope + size / 2 - across - known
        change = change - (slope - size / 2 - known).gather(3, now)
        least, at = change.flatten(2).min(-1)
        if not (least < 0).any():
            break
        variable, new = at // choices, at % choices
        kept = types.gather(2, variable[..., None])[..., 0]
        types = types.scatter(2, variable[..., None], torch.where(least < 0, new, kept)[..., None])
    return types
