"""Edges that change in time: neighbouring windows count as evidence, as far as edges tend to keep their types.

    p(z_1 ... z_W | tracks) ∝ Π_w p(z_w | tracks of w) / p(z_w) · p(z_1) Π_w [s 1(z_w = z_{w-1}) + (1 - s) p(z_w)]

An edge keeps its type from window to window with probability s; otherwise its type is drawn from p again. s is learned
from the windows (EM). So the evidence of all windows is pooled if edges never change, and not if they always change.

Source: forward-backward and Baum-Welch for hidden Markov models (Rabiner 1989).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FIRST, STEPS = 0.9, 50  # s before the first step of EM, which it stays near if the evidence is weak; steps of EM
LEAST, MOST = 0.0, 0.999  # bounds of s; a change always stays possible
TINY = 1e-12  # avoids division by 0


class Smoothed(NamedTuple):
    """Probabilities given all windows, and s (`stay`)."""

    probability: Float[Tensor, "M W E K"]
    stay: float


def smoothed(probability: Float[Tensor, "M W E K"], prior: Float[Tensor, " K"]) -> Smoothed:
    """Returns the probabilities of every window given all windows of its task.

    Args:
        probability: probabilities given each window alone.
        prior: p, the probabilities of the types before any data.
    """
    prior = prior.double().clamp(min=TINY)
    evidence = probability.double() / prior
    evidence = evidence / evidence.amax(-1, keepdim=True).clamp(min=TINY)
    stay = FIRST
    for _ in range(STEPS):
        ahead, back = forward(evidence, prior, stay), forward(evidence.flip(1), prior, stay).flip(1)
        # There are two ways from one window to the next: the type is kept, or drawn from p again.
        after = back[:, 1:] / prior
        kept = stay * (ahead[:, :-1] * after).sum(-1)
        drawn = (1 - stay) * ahead[:, :-1].sum(-1) * (prior * after).sum(-1)
        if not kept.numel():
            break
        stay = float((kept / (kept + drawn).clamp(min=TINY)).mean().clamp(LEAST, MOST))
    ahead, back = forward(evidence, prior, stay), forward(evidence.flip(1), prior, stay).flip(1)
    both = ahead * back / (evidence * prior).clamp(min=TINY)
    return Smoothed((both / both.sum(-1, keepdim=True).clamp(min=TINY)).to(probability.dtype), stay)


def forward(evidence: Float[Tensor, "M W E K"], prior: Float[Tensor, " K"], stay: float) -> Float[Tensor, "M W E K"]:
    """Returns p(z_w | windows up to w) for all w."""
    found: list[Tensor] = []
    for now in evidence.unbind(1):
        before = prior.expand_as(now) if not found else stay * found[-1] + (1 - stay) * prior
        both = before * now
        found.append(both / both.sum(-1, keepdim=True).clamp(min=TINY))
    return torch.stack(found, 1)
