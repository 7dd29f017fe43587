"""Edges into unseen entities, each filling judged by the track that fits it best.

    for every filling of the slots into the unseen (of a block of them, where there are many):
        track'  <-  Gauss-Newton steps from the present track
        p(filling) ∝ exp(-cost(track', filling))
    the best replaces edges and track

A track that was fitted to a wrong edge explains it, so that given the track the edge seems right: both have to change
together. Edges out of the unseen act on visible entities, whose tracks are given; the heat bath finds those.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.structures import fillings
from bouncegrad.core.track_fit import TrackFit

FILLINGS, STEPS, SWEEPS = 32, 6, 2


@torch.no_grad()
def refit(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    hidden: Float[Tensor, "M T H D"],
    z: Int[Tensor, "M E"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "M T H D"], Int[Tensor, "M E"], Float[Tensor, "M into K"]]:
    """Better tracks and edges, and the probability of every type in the slots into the unseen.

    Args:
        composition: trained modules on all N = V + H entities, with the slack of the law.
        visible: scaled states.
        hidden, z: tracks and structures to begin with.
        generator: of the blocks.
    """
    choices, tasks = composition.choices, torch.arange(len(z))
    into = into_unseen(composition, visible.shape[2])
    block = max(size for size in range(1, len(into) + 1) if size == 1 or choices**size <= FILLINGS)
    probability = torch.zeros(len(z), len(into), choices, dtype=torch.float64)
    for _ in range(SWEEPS):
        for part in torch.randperm(len(into), generator=generator).split(block):
            every = fillings(choices, len(part))
            tried = z[:, None].repeat(1, len(every), 1)
            tried[:, :, into[part]] = every
            each = (values.repeat_interleave(len(every), 0) for values in (visible, hidden))
            fit = TrackFit(composition, *each)
            for _ in range(STEPS):
                fit.step(tried.flatten(0, 1))
            cost = fit.residuals(fit.hidden, tried.flatten(0, 1)).cost.view(len(z), -1)
            best = cost.argmin(1)
            z = tried[tasks, best]
            hidden = fit.hidden.view(len(z), len(every), *hidden.shape[1:])[tasks, best]
            shares = torch.softmax(-cost.double(), 1)
            probability[:, part] = torch.einsum("mf,fsk->msk", shares, nn.functional.one_hot(every, choices).double())
    return hidden, z, probability


def into_unseen(composition: GraphComposition, visible: int) -> Int[Tensor, " into"]:
    """Slots of the edges into the entities that stand behind the visible ones."""
    return (composition.pairs[1] >= visible).nonzero()[:, 0]
