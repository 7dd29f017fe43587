"""Joint draws: all edges into an entity at once, for any number of entities.

    p(w) ∝ exp(-L(w) / T) prior(w),     L(w) ≈ ½ wᵀ G w - hᵀ w     around the present structure

G and h come from `compositions/linearization.py`. They last from visit to visit, new = decay · old + this visit, as the
table of fillings of the heat bath does. A draw of the edges into one entity:

    1  every edge gets the Gaussian with the mean and covariance of its prior over types;
       posterior precision Λ = G / T + Λ_prior, covariance Σ = Λ⁻¹, mean μ = Σ (h / T + Λ_prior m_prior)
    2  edge by edge, the surest first (least marginal variance): the Gaussian prior is taken out of the edge's marginal
       (the cavity), which is evaluated at the K types and multiplied by the true prior; a type is drawn from it;
       then the Gaussian is conditioned on this type
    3  the product of these probabilities is q(w), the density of the draw; of S draws one is chosen with the weight
       exp(-L(w) / T) prior(w) / q(w)

The covariance does not depend on what is drawn, so that S draws share the order and the matrices. The K^degree fillings
of the edges into one entity cost degree³ operations, and edges that hold each other in place move together.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch
from bouncegrad.core.couplings import Independent
from bouncegrad.core.joint_kernel import LEAST, draw_and_weigh
from bouncegrad.core.priors import Prior
from bouncegrad.core.seams import Composition, Coupling, Linearized, Move, Proposal, Quadratic
from bouncegrad.core.structures import random_structure


class Drawn(NamedTuple):
    """S draws of the edges into some groups, as types, with the logarithm of their density."""

    types: Int[Tensor, "S B G degree"]
    log_density: Float[Tensor, "S B G"]


class JointDraws:
    """Draws all edges into every entity jointly, from a quadratic form of the loss; every move is accepted.

    Args:
        tasks: M, the tasks that evidence is kept for.
        decay: the share of old evidence that is kept, in [0, 1).
        samples: S, draws of the edges into one entity, of which one is chosen by weight.
        noise_rows: repeat the noise every so many tasks; 0: independent.
        prior: log-probability of every type of every slot (see `priors.py`); None: all types are equally probable.
    """

    def __init__(
        self,
        tasks: int,
        decay: float = 0.7,
        samples: int = 8,
        noise_rows: int = 0,
        prior: Prior | None = None,
    ) -> None:
        self.tasks, self.decay, self.samples, self.noise_rows, self.prior = tasks, decay, samples, noise_rows, prior
        self.coupling: Coupling = Independent()
        self.evidence: list[Tensor] | None = None  # G and h of every task

    def group_of(self, tasks: Int[Tensor, " B"]) -> Int[Tensor, " B"] | None:
        """Each task has its own graph."""
        return None

    @torch.no_grad()
    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        if math.isinf(temperature):
            new = self.uniform(batch, composition, z, generator)
            return Move(new, new != z, torch.empty(0, device=z.device), torch.empty(0, device=z.device))
        form = self.remember(batch, cast(Linearized, composition).quadratic(batch, z))
        return self.drawn(form, composition, batch, z, temperature, generator)

    def drawn(
        self,
        form: Quadratic,
        composition: Composition,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        """Returns the move that draws from this quadratic form."""
        groups, choices = composition.groups, composition.choices
        prior = self.log_prior(batch, groups, choices, z)
        scale = 1 / temperature
        prior = torch.where(prior.isinf(), prior, prior / max(temperature, 1.0))
        scaled = form._replace(g=form.g.double() * scale, h=form.h.double() * scale)
        noise = self.noise(batch, (self.samples, *groups.shape, choices), len(z), generator)
        drawn_types, log_weight = weighted_draws(scaled, prior, noise)
        weights = log_weight.softmax(0)
        uniform = self.noise(batch, (1, len(groups), 1, 1), len(z), generator, gumbel=False)[0, :, :, 0, 0]
        chosen = (weights.cumsum(0) < uniform).sum(0).clamp(max=len(weights) - 1)
        types = drawn_types.gather(0, chosen[None, ..., None].expand(1, *drawn_types.shape[1:]))[0]
        new = placed(types, z, groups)
        hot = F.one_hot(drawn_types, choices).to(weights.dtype)
        shares = placed((weights[..., None, None] * hot).sum(0), hot.new_zeros(*z.shape, choices), groups)
        return Move(new, new != z, torch.empty(0, device=z.device), torch.empty(0, device=z.device), shares)

    def uniform(
        self, batch: Batch, composition: Composition, z: Int[Tensor, "B S"], generator: torch.Generator
    ) -> Int[Tensor, "B S"]:
        """Structures at an infinite temperature: uniform, but for types that the prior excludes."""
        if self.prior is None:
            return batch.own(random_structure(batch.whole, composition.slots, composition.choices, generator))
        prior = self.prior if len(self.prior) == 1 else self.prior[batch.tasks]
        noise = torch.rand(
            batch.whole, composition.slots, composition.choices, generator=generator, device=generator.device
        )
        return torch.where(prior.isinf(), -torch.inf, batch.own(noise)).argmax(-1)

    def noise(
        self, batch: Batch, shape: tuple[int, ...], tasks: int, generator: torch.Generator, gumbel: bool = True
    ) -> Float[Tensor, "S B G ..."]:
        """Random numbers for S draws of every task, uniform or Gumbel."""
        rows = self.noise_rows or batch.whole
        uniform = torch.rand((rows, *shape), generator=generator, dtype=torch.float64, device=generator.device)
        uniform = uniform.repeat(tasks // rows, *[1] * len(shape)) if self.noise_rows else batch.own(uniform)
        drawn = -torch.log(-torch.log(uniform.clamp_(min=1e-300))) if gumbel else uniform
        return drawn.transpose(0, 1)

    def remember(self, batch: Batch, form: Quadratic) -> Quadratic:
        """Adds this visit to the decayed evidence of its tasks; returns the evidence, scaled to at most one track."""
        if not self.decay:
            return form
        if self.evidence is None:
            self.evidence = [values.new_zeros(self.tasks, *values.shape[1:]) for values in form[:2]]
        found = []
        for kept, new in zip(self.evidence, form[:2], strict=True):
            total = self.decay * kept[batch.tasks] + new
            kept[batch.tasks] = total
            found.append(batch.of_one_track(total, self.decay))
        return form._replace(g=found[0], h=found[1])

    def log_prior(
        self, batch: Batch, groups: Int[Tensor, "G degree"], choices: int, z: Int[Tensor, "B S"]
    ) -> Float[Tensor, "B G degree K"]:
        """Log-probabilities of the types of every slot of every group, normalised; slots that do not exist are even."""
        if self.prior is None:
            return torch.full((1, *groups.shape, choices), -math.log(choices), dtype=torch.float64, device=z.device)
        prior = self.prior if len(self.prior) == 1 else self.prior[batch.tasks]
        return F.pad(prior.double().log_softmax(-1), (0, 0, 0, 1), value=-math.log(choices))[:, groups]

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self.evidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.evidence = state["evidence"]


def weighted_draws(
    form: Quadratic, prior: Float[Tensor, "B G degree K"], noise: Float[Tensor, "S B G degree K"]
) -> tuple[Int[Tensor, "S B G degree"], Float[Tensor, "S B G"]]:
    """S draws of the edges into every group, and the logarithms of their weights; compiled on a processor."""
    if form.g.is_cuda:
        drawn = draw(form, prior, noise)
        return drawn.types, log_weights(form, prior, drawn)
    samples, b, g, degree, k = noise.shape
    every = prior.expand(b, g, degree, k).flatten(0, 1)
    types, weights = draw_and_weigh(form.g.flatten(0, 1), form.h.flatten(0, 1), every, noise.flatten(1, 2))
    return types.view(samples, b, g, degree), weights.view(samples, b, g)


def draw(form: Quadratic, prior: Float[Tensor, "B G degree K"], noise: Float[Tensor, "S B G degree K"]) -> Drawn:
    """S draws of the edges into every group, the surest edge first.

    Args:
        form: G / T and h / T in double precision; coordinates (slot, type from 1 on).
        prior: log-probabilities of types.
        noise: Gumbel noise.
    """
    samples, b, g, degree, k = noise.shape
    d = k - 1
    probability = prior.exp().clamp(min=LEAST).expand(b, g, degree, k)
    probability = (probability / probability.sum(-1, keepdim=True))[..., 1:]
    spread = torch.diag_embed(probability) - probability[..., :, None] * probability[..., None, :]
    known = torch.linalg.inv(spread)  # [B, G, degree, d, d], precision of the prior
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
        edge = torch.where(left, variance, torch.inf).argmin(-1)  # [B, G]
        left[(*rows, edge)] = False
        index = edge[..., None] * d + torch.arange(d, device=edge.device)
        columns = covariance.gather(3, index[:, :, None].expand(b, g, degree * d, d))
        own = columns.gather(2, index[..., None].expand(b, g, d, d))
        inverse = torch.linalg.inv(own)
        here = mean.gather(3, index.expand(samples, b, g, d))
        cavity = inverse - known[(*rows, edge)]
        slope = (inverse @ here[..., None])[..., 0] - pull[(*rows, edge)]
        logits = slope @ eye.T - torch.einsum("ki,bgij,kj->bgk", eye, cavity, eye) / 2
        logits = (logits + prior.expand(b, g, degree, k)[(*rows, edge)]).log_softmax(-1)
        chosen = (logits + noise[:, *rows, edge]).argmax(-1)
        types[:, *rows, edge] = chosen
        log_density += logits.gather(-1, chosen[..., None])[..., 0]
        step = columns @ inverse
        mean = mean + (step @ (eye[chosen] - here)[..., None])[..., 0]
        covariance = covariance - step @ columns.mT
    return Drawn(types, log_density)


def log_weights(form: Quadratic, prior: Float[Tensor, "B G degree K"], drawn: Drawn) -> Float[Tensor, "S B G"]:
    """exp(-L(w) / T) prior(w) / q(w) of every draw, as a logarithm."""
    w = F.one_hot(drawn.types, prior.shape[-1])[..., 1:].flatten(3).to(form.g.dtype)
    loss = ((w[..., None, :] @ form.g)[..., 0, :] * w).sum(-1) / 2 - (form.h * w).sum(-1)
    known = prior.expand(*drawn.types.shape[1:], -1).expand(len(w), *drawn.types.shape[1:], -1)
    return known.gather(-1, drawn.types[..., None])[..., 0].sum(-1) - loss - drawn.log_density


def placed(values: Tensor, whole: Tensor, groups: Int[Tensor, "G degree"]) -> Tensor:
    """What belongs to the slots of each group, put in the places of the slots."""
    padded = torch.cat([whole, whole[:, :1]], 1)
    padded[:, groups.flatten()] = values.flatten(1, 2).to(whole.dtype)
    return padded[:, :-1]
