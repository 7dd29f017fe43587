"""Edges that change in time: what neighbouring windows say of an edge counts, as far as edges tend to stay.

    p(z_1 ... z_W | tracks) ∝ Π_w p(z_w | tracks of w) / p(z_w) · p(z_1) Π_w [s 1(z_w = z_{w-1}) + (1 - s) p(z_w)]

An edge keeps its type from window to window with probability s, or is drawn anew. s is learned from the windows
themselves (EM), so edges that never change have their evidence pooled and edges that change all the time do not.

Source: forward-backward and Baum-Welch for hidden Markov models (Rabiner 1989).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FIRST, LEAST, MOST, STEPS = 0.9, 0.0, 0.999, 50
TINY = 1e-12


class Smoothed(NamedTuple):
    """Probabilities given all windows, and s."""

    probability: Float[Tensor, "M W E K"]
    stay: float


def smoothed(probability: Float[Tensor, "M W E K"], prior: Float[Tensor, " K"]) -> Smoothed:
    """Probabilities of every window given all windows of its task.

    Args:
        probability: given each window alone.
        prior: p, of the types before any data.
    """
    prior = prior.double().clamp(min=TINY)
    told = probability.double() / prior
    told = told / told.amax(-1, keepdim=True).clamp(min=TINY)
    stay = FIRST
    for _ in range(STEPS):
        ahead, back = forward(told, prior, stay), forward(told.flip(1), prior, stay).flip(1)
        # The two ways from one window to the next: the type is kept, or drawn anew.
        after = back[:, 1:] / prior
        kept = stay * (ahead[:, :-1] * after).sum(-1)
        drawn = (1 - stay) * ahead[:, :-1].sum(-1) * (prior * after).sum(-1)
        if not kept.numel():
            break
        stay = float((kept / (kept + drawn).clamp(min=TINY)).mean().clamp(LEAST, MOST))
    ahead, back = forward(told, prior, stay), forward(told.flip(1), prior, stay).flip(1)
    both = ahead * back / (told * prior).clamp(min=TINY)
    return Smoothed((both / both.sum(-1, keepdim=True).clamp(min=TINY)).to(probability.dtype), stay)


def forward(told: Float[Tensor, "M W E K"], prior: Float[Tensor, " K"], stay: float) -> Float[Tensor, "M W E K"]:
    """p(z_w | windows up to w), in order."""
    found: list[Tensor] = []
    for now in told.unbind(1):
        before = prior.expand_as(now) if not found else stay * found[-1] + (1 - stay) * prior
        both = before * now
        found.append(both / both.sum(-1, keepdim=True).clamp(min=TINY))
    return torch.stack(found, 1)
