"""Evidence in blocks of time: how sure the types of the edges of one long recording are.

Frames of one recording depend on each other, so their log-likelihoods do not simply add up. For the present type a of
an edge and another type b, with all other edges as they are, and twenty blocks of time,

    g_block = loss(b) - loss(a) in the block,    z = mean g / standard error,    L = Σ g / τ
    log odds of a against b = sign(z) max(min(|L|, z² / 2) - 2, 0)

The smaller of both in size counts, and 2 nats are taken off, since a was chosen with the same frames.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.seams import Linearized, Relational

BLOCKS, FEWEST = 20, 10  # blocks, and steps of the shortest block
DOUBT = 2.0  # nats


@torch.no_grad()
def block_probability(
    composition: Relational,
    tracks: Float[Tensor, "M T N D"],
    z: Int[Tensor, "M E"],
    log_prior: Float[Tensor, "M E K"],
) -> Float[Tensor, "M E K"] | None:
    """Returns the probabilities of the types of every edge; None if recordings are too short for blocks.

    Args:
        composition: trained modules, with a quadratic form of the loss.
        tracks: scaled states.
        z: the inferred structures.
        log_prior: of the types.
    """
    whole = whole_tracks(tracks, torch.arange(len(tracks), device=tracks.device), composition.lags)
    length = whole.segments.shape[1] // BLOCKS
    if length < FEWEST or not isinstance(composition, Linearized):
        return None
    found = []
    for task in range(len(tracks)):
        segments = whole.segments[task, : length * BLOCKS].unflatten(0, (BLOCKS, length))
        blocks = torch.arange(BLOCKS, device=tracks.device)
        batch = Batch(blocks, tracks[task : task + 1].expand(BLOCKS, -1, -1, -1), segments, composition.lags)
        loss = cast(Linearized, composition).linearized(batch).surveyed(z[task].expand(BLOCKS, -1))[1]
        of_slot = loss.new_zeros(BLOCKS, composition.slots + 1, composition.choices)
        of_slot[:, composition.groups.flatten()] = loss.flatten(1, 2)
        of_slot = of_slot[:, :-1]
        gain = of_slot - of_slot.gather(2, z[task].expand(BLOCKS, -1)[..., None])
        odds = log_odds(gain, float(composition.temperature))
        present = F.one_hot(z[task], composition.choices).bool()
        logits = torch.where(present, 0.0, -odds) + log_prior[task].double()
        found.append(logits.softmax(-1))
    return torch.stack(found)


def log_odds(gain: Float[Tensor, "blocks E K"], temperature: float) -> Float[Tensor, "E K"]:
    """Returns the log odds from gains in nats, summed within each block."""
    mean, error = gain.mean(0), gain.std(0) / len(gain) ** 0.5
    z = torch.where(error > 0, mean / error, torch.zeros_like(mean))
    size = torch.minimum((gain.sum(0) / temperature).abs(), z.square() / 2)
    return mean.sign() * (size - DOUBT).clamp(min=0)
