"""Symmetric draws for many entities: the pairs of one entity after the other, given all other pairs.

One Gaussian over all N (N - 1) / 2 pairs costs the third power of their number, which is too much for every visit. The
pairs of one entity i form a star. Given all other pairs w, the loss of their types v is a quadratic form, too:

    G = G_i + diag(G_j[i, i]),     h = h_i + (h_j[i] - Σ_{k ≠ i} G_j[i, k] w_jk)_j        j: the other entities

with the forms G_j, h_j of the edges into each entity. All stars in random order are one sweep of block Gibbs sampling.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.seams import Quadratic
from bouncegrad.core.weighted_draws import weighted_draws


def star_draws(
    form: Quadratic,
    prior: Float[Tensor, "B N N K"],
    types: Int[Tensor, "B N N"],
    uniform: Float[Tensor, "S+1 B N N-1"],
    order: Int[Tensor, " N"],
) -> tuple[Int[Tensor, "B N N"], Float[Tensor, "B N N K"]]:
    """Draws the types of all pairs, star by star.

    Args:
        form: G / T and h / T of the edges into each entity, in double precision; the sources are all other entities in
            their order.
        prior: log-probabilities of the types of every pair.
        types: the present types of all pairs, a symmetric matrix.
        uniform: random numbers in [0, 1); those of the last row choose one of the S draws.
        order: the entities, in the order of their stars.

    Returns:
        The new types, and their shares among the weighted draws, both symmetric; the diagonals mean nothing.
    """
    choices, entities, d = prior.shape[-1], types.shape[1], prior.shape[-1] - 1
    g = form.g.unflatten(2, (entities - 1, d)).unflatten(4, (entities - 1, d))
    h = form.h.unflatten(2, (entities - 1, d))
    types, shares = types.clone(), prior.exp().expand(len(types), -1, -1, -1).clone()
    everyone = torch.arange(entities, device=types.device)
    for entity in order.tolist():
        others = everyone[everyone != entity]
        place = entity - (entity > others).long()  # of this entity among the sources of each other one
        rows = everyone[:-1]
        sources = torch.stack([everyone[everyone != other] for other in others.tolist()])
        known = F.one_hot(types[:, others[:, None], sources], choices)[..., 1:].to(g.dtype)  # [B, N-1, N-1, d]
        known[:, rows, place] = 0.0
        mine = g[:, others, place]  # the rows of this entity in the forms of the others, [B, N-1, d, N-1, d]
        star_g, star_h = g[:, entity].clone(), h[:, entity] + h[:, others, place]
        star_h = star_h - torch.einsum("bjakc,bjkc->bja", mine, known)
        star_g[:, rows, :, rows] += mine[:, rows, :, place]
        star = Quadratic(star_g.flatten(3, 4).flatten(1, 2)[:, None], star_h.flatten(1)[:, None], form.loss[:, :1])
        log_prior = prior[:, entity, others][:, None]
        drawn = weighted_draws(star, log_prior, uniform[:-1, :, entity][:, :, None])
        weight = drawn.log_weight[:, :, 0].softmax(0)
        which = (weight.cumsum(0) < uniform[-1, :, entity, 0]).sum(0).clamp(max=len(weight) - 1)
        new = drawn.types[which, torch.arange(len(types), device=types.device), 0]
        share = (weight[..., None, None] * F.one_hot(drawn.types[:, :, 0], choices)).sum(0)
        types[:, entity, others], types[:, others, entity] = new, new
        shares[:, entity, others], shares[:, others, entity] = share, share
    return types, shares
