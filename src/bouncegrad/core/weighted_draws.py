"""Weighted draws from quadratic forms: steps 1 to 3 of `joint_draws.py`, for many units at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.joint_kernel import LEAST, draw_and_weigh
from bouncegrad.core.seams import Quadratic


class Drawn(NamedTuple):
    """Fillings of the variables of some units, as types, with the logarithms of weights and densities (step 3)."""

    types: Int[Tensor, "S B U V"]
    log_weight: Float[Tensor, "S B U"]
    log_density: Float[Tensor, "S B U"]


def weighted_draws(
    form: Quadratic,
    prior: Float[Tensor, "B U V K"],
    uniform: Float[Tensor, "S B U V"],
) -> Drawn:
    """S draws of every unit, with the logarithms of their weights; compiled on a processor.

    Args:
        form: G / T and h / T in double precision; coordinates (variable, type from 1 on).
        prior: log-probabilities of types.
        uniform: random numbers in [0, 1), one for each draw of a type.
    """
    if form.g.is_cuda:
        return draw(form, prior, uniform)
    _, b, units, variables = uniform.shape
    every = prior.expand(b, units, variables, -1).flatten(0, 1)
    drawn = draw_and_weigh(form.g.flatten(0, 1), form.h.flatten(0, 1), every, uniform.flatten(1, 2))
    return Drawn(*(values.unflatten(1, (b, units)) for values in drawn))


def draw(
    form: Quadratic,
    prior: Float[Tensor, "B U V K"],
    uniform: Float[Tensor, "S B U V"],
) -> Drawn:
    """The same by tensor operations, as on a graphics card; see `weighted_draws`."""
    (samples, b, g, degree), k = uniform.shape, prior.shape[-1]
    d = k - 1
    prior = prior.expand(b, g, degree, k)
    probability = prior.exp().clamp(min=LEAST)
    probability = (probability / probability.sum(-1, keepdim=True))[..., 1:]
    covering = torch.diag_embed(probability) - probability[..., :, None] * probability[..., None, :]
    known = torch.linalg.inv(covering)  # [B, U, V, d, d], precision of the prior
    pull = (known @ probability[..., None])[..., 0]
    precision = form.g.clone().view(b, g, degree, d, degree, d)
    diagonal = torch.arange(degree, device=form.g.device)
    precision[:, :, diagonal, :, diagonal] += known.permute(2, 0, 1, 3, 4)
    covariance = torch.linalg.inv(precision.view(b, g, degree * d, degree * d))
    mean = (covariance @ (form.h + pull.flatten(2))[..., None])[..., 0]
    mean = mean.expand(samples, b, g, degree * d).clone()
    eye = torch.eye(k, dtype=form.g.dtype, device=form.g.device)[:, 1:]  # coordinates of the K types
    left = torch.ones(b, g, degree, dtype=torch.bool, device=form.g.device)
    types = torch.zeros(samples, b, g, degree, dtype=torch.long, device=form.g.device)
    log_density = mean.new_zeros(samples, b, g)
    rows = torch.arange(b, device=form.g.device)[:, None], torch.arange(g, device=form.g.device)
    for _ in range(degree):
        variance = covariance.diagonal(dim1=2, dim2=3).view(b, g, degree, d).sum(-1)
        edge = torch.where(left, variance, torch.inf).argmin(-1)  # [B, U]
        left[(*rows, edge)] = False
        index = edge[..., None] * d + torch.arange(d, device=edge.device)
        columns = covariance.gather(3, index[:, :, None].expand(b, g, degree * d, d))
        own = columns.gather(2, index[..., None].expand(b, g, d, d))
        inverse = torch.linalg.inv(own)
        here = mean.gather(3, index.expand(samples, b, g, d))
        cavity = inverse - known[(*rows, edge)]
        slope = (inverse @ here[..., None])[..., 0] - pull[(*rows, edge)]
        logits = slope @ eye.T - torch.einsum("ki,bgij,kj->bgk", eye, cavity, eye) / 2
        logits = (logits + prior[(*rows, edge)]).log_softmax(-1)
        chosen = (logits.exp().cumsum(-1)[..., :-1] <= uniform[:, *rows, edge, None]).sum(-1)
        types[:, *rows, edge] = chosen
        log_density += logits.gather(-1, chosen[..., None])[..., 0]
        step = columns @ inverse
        mean = mean + (step @ (eye[chosen] - here)[..., None])[..., 0]
        covariance = covariance - step @ columns.mT
    return Drawn(types, log_weights(form, prior, types) - log_density, log_density)


def log_weights(
    form: Quadratic, prior: Float[Tensor, "B U V K"], types: Int[Tensor, "S B U V"]
) -> Float[Tensor, "S B U"]:
    """exp(-L(w) / T) prior(w) of these fillings, as a logarithm."""
    w = F.one_hot(types, prior.shape[-1])[..., 1:].flatten(3).to(form.g.dtype)
    loss = ((w[..., None, :] @ form.g)[..., 0, :] * w).sum(-1) / 2 - (form.h * w).sum(-1)
    known = prior.expand(len(w), *types.shape[1:], -1)
    return known.gather(-1, types[..., None])[..., 0].sum(-1) - loss
