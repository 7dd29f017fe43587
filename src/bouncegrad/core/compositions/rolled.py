"""Rollouts that are judged by learned variances: the published rollout loss, for errors that differ by orders of size.

    x̂_0 = x_0,   x̂_r = x̂_{r-1} + s μ(x̂_{r-1}),   V_r = Σ_{q ≤ r} v(x̂_{q-1})
    loss_r = -log p((x_r - x̂_r) / s | V_r)

μ and v are mean and variance of the change in one step, s is the typical size of a change. Variances add up along a
rollout, as those of independent errors do. A few close encounters dominate the squared errors of the paper; here every
error counts in units of its own expected size. Rollouts of one step have the loss of the one-step likelihood.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.seams import Head


def rolled_losses(
    predict: Callable[[Tensor], tuple[Tensor, Tensor]],
    moved: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "B C R+1 N D+H"],
    change: Float[Tensor, " D"],
    head: Head,
) -> Float[Tensor, "B C R N D"]:
    """Returns the negative log-density of every frame of rollouts from the first frame of each segment.

    Args:
        predict: returns mean and log-variance of the change of states `[B, C, N, D+H]`, in typical changes.
        moved: returns the states after a change.
        x: observed states of the segments (scaled units), with their history of H numbers.
        change: s, the typical change of each feature (scaled units).
        head: the likelihood of a change.
    """
    state, log_variances, errors = x[:, :, 0], [], []
    for observed in x[:, :, 1:, :, : len(change)].unbind(2):
        mean, log_variance = predict(state)
        state = moved(state, mean)
        log_variances.append(log_variance)
        errors.append((observed - state[..., : len(change)]) / change)
    return head.loss(torch.stack(errors, 2), torch.stack(log_variances, 2).logcumsumexp(2))
