"""Edges into unseen entities: each filling is judged with the track that fits it best.

    for every filling of the slots into the unseen entities (of a block of slots, if there are many):
        track'  <-  Gauss-Newton steps from the present track
        p(filling) ∝ exp(-cost(track', filling))
    the filling of least cost replaces the edges, and its track replaces the track

A track that was fitted to a wrong edge explains this edge, so given the track the wrong edge seems right. Both have to
change together. Edges out of unseen entities act on visible ones, whose tracks are given; the heat bath finds these.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.structures import fillings
from bouncegrad.core.track_fit import TrackFit

FILLINGS = 32  # of one block: every filling needs a track of its own, which takes time
STEPS, SWEEPS = 6, 2  # Gauss-Newton steps of each track; sweeps, because blocks depend on each other


@torch.no_grad()
def refit(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    hidden: Float[Tensor, "M T H D"],
    z: Int[Tensor, "M E"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "M T H D"], Int[Tensor, "M E"], Float[Tensor, "M into K"]]:
    """Returns better tracks and edges, and the probability of every type in the slots into the unseen entities.

    Args:
        composition: trained modules on all N = V + H entities, with the slack of the law.
        visible: scaled states.
        hidden, z: tracks and structures at the start.
        generator: draws the blocks.
    """
    choices, tasks = composition.choices, torch.arange(len(z), device=z.device)
    into = into_unseen(composition, visible.shape[2])
    block = max(size for size in range(1, len(into) + 1) if size == 1 or choices**size <= FILLINGS)
    probability = torch.zeros(len(z), len(into), choices, dtype=torch.float64, device=z.device)
    for _ in range(SWEEPS):
        for part in torch.randperm(len(into), generator=generator, device=generator.device).split(block):
            every = fillings(choices, len(part), z.device)
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
    """Returns the slots of the edges into the unseen entities, which stand behind the visible ones."""
    return (composition.pairs[1] >= visible).nonzero()[:, 0]
