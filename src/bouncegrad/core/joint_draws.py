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
of the edges into one entity cost degree³ operations, and edges that hold each other in place move together. If both
directions of a pair have one type, all pairs of a task are drawn like the edges into one entity (`tied_slots.py`), or
those of one entity after the other (`star_draws.py`). If tasks share a graph, their forms are added up, and each task
gets a draw of its own: modules then learn from many probable graphs at once, and not from one that is wrong in places.

If first probabilities of the types are given, such as those of a regression, the temperature leads from them to the
posterior distribution, where they no longer count:

    p_T(w) ∝ exp(-L(w) / T) prior(w)^(1 / T) first(w)^(1 - 1 / T)
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch
from bouncegrad.core.couplings import Independent, Symmetric
from bouncegrad.core.priors import Prior, of_tasks, tempered
from bouncegrad.core.seams import Composition, Coupling, Linearized, Move, Proposal, Quadratic, Relational
from bouncegrad.core.shared_graph import Together, mean_by
from bouncegrad.core.star_draws import star_draws
from bouncegrad.core.structures import structure_to_adjacency
from bouncegrad.core.tied_slots import spread, tied_form, tied_prior, tied_slots
from bouncegrad.core.weighted_draws import Drawn, weighted_draws

NUMBERS_AT_ONCE = 2**24  # in the matrices of the tasks that are drawn together
SAMPLES, SHARED_SAMPLES = 8, 32
LARGEST_UNIT = 64  # coordinates of a unit that is drawn at once; larger symmetric ones are drawn star by star


class JointDraws:
    """Draws all edges into every entity jointly, from a quadratic form of the loss; every move is accepted.

    Args:
        tasks: M, the tasks that evidence is kept for.
        decay: the share of old evidence that is kept, in [0, 1).
        samples: S, draws of the edges into one entity, of which one is chosen by weight; None: 8, or 32 if tasks share
            graphs, since their tasks choose from the same draws.
        noise_rows: repeat the noise every so many tasks; 0: independent.
        prior: log-probability of every type of every slot (see `priors.py`); None: all types are equally probable.
        coupling: `Independent` or `Symmetric`; None: independent.
        group: the group of each task, 0, 1, ...; tasks of a group share a graph, and the prior of a task holds for its
            whole group. None: each task has its own graph.
        first: log-probability of every type of every slot of every task, or of every group, at high temperatures; None:
            all types that the prior allows are equally probable.
    """

    def __init__(
        self,
        tasks: int,
        decay: float = 0.7,
        samples: int | None = None,
        noise_rows: int = 0,
        prior: Prior | None = None,
        coupling: Coupling | None = None,
        group: Int[Tensor, " M"] | None = None,
        first: Prior | None = None,
    ) -> None:
        self.first = first
        self.group, self.tasks = group, tasks if group is None else int(group.max()) + 1
        if prior is not None and group is not None and len(prior) > 1:
            prior = mean_by(group.to(prior.device), prior, self.tasks)
        self.decay, self.noise_rows, self.prior = decay, noise_rows, prior
        self.samples = samples or (SAMPLES if group is None else SHARED_SAMPLES)
        self.coupling: Coupling = coupling or Independent()
        self.evidence: list[Tensor] | None = None  # G and h of every task, or of every group
        self.z: Int[Tensor, "groups S"] | None = None  # structures of the groups; -1: not drawn yet

    def group_of(self, tasks: Int[Tensor, " B"]) -> Int[Tensor, " B"] | None:
        """Returns the group of each task; None: each task has its own graph."""
        return None if self.group is None else self.group[tasks]

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
        if self.group is None:
            return self.move(composition, batch, z, temperature, generator)
        if self.z is None:
            self.z = z.new_full((self.tasks, z.shape[1]), -1)
        pooled = Together.of(batch, z, self.group[batch.tasks], self.z)
        move = self.move(composition, batch, z, temperature, generator, pooled)
        self.z[pooled.batch.tasks] = move.z[pooled.first]
        return move

    def move(
        self,
        composition: Composition,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
        pooled: Together | None = None,
    ) -> Move:
        """Returns the move of these tasks; with `pooled`, tasks of a group draw from the sum of their forms."""
        nothing = torch.empty(0, device=z.device)
        if math.isinf(temperature):
            new = self.uniform_structures(composition, batch, z, generator)
            return Move(new, new != z, nothing, nothing)
        rows, now, which = (batch, z, None) if pooled is None else (pooled.batch, pooled.z, pooled.which)
        form = self.remember(rows, cast(Linearized, composition).linearized(batch, which).around(now))
        new, shares = self.structures(form, composition, rows, now, temperature, generator, which)
        return Move(new, new != z, nothing, nothing, shares if which is None else shares[which])

    def structures(
        self,
        form: Quadratic,
        composition: Composition,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
        which: Int[Tensor, " tasks"] | None = None,
    ) -> tuple[Int[Tensor, "tasks S"], Float[Tensor, "B S K"]]:
        """Returns drawn structures, and the shares of the types among the weighted draws.

        Args:
            form: of every group of slots.
            composition, batch, generator: as for a move.
            z: the present structures.
            temperature: T, finite.
            which: the row of `form` that each task draws its structure from; None: each row is drawn from once.
        """
        slots, choices = tied_slots(self.coupling, composition), composition.choices
        prior = tempered(tied_prior(of_tasks(self.prior, batch.tasks), slots, choices), temperature)
        if self.first is not None:
            first = tied_prior(of_tasks(self.first, batch.tasks), slots, choices)
            prior = (prior + (1 - 1 / max(temperature, 1.0)) * first).log_softmax(-1)
        if isinstance(self.coupling, Symmetric) and slots.shape[1] * (choices - 1) > LARGEST_UNIT:
            pairs, n = cast(Relational, composition).pairs, len(composition.groups)
            uniform = self.uniform(batch, (self.samples + 1, n, n - 1), len(z), generator)
            order = torch.randperm(n, generator=generator, device=generator.device)
            of_slots = spread(prior, prior.new_zeros(len(prior), composition.slots, choices), slots)
            of_pairs = structure_to_adjacency(of_slots, pairs, n)
            present = structure_to_adjacency(z, pairs, n)
            types, shares = star_draws(tempered_form(form, temperature), of_pairs, present, uniform, order)
            types = types if which is None else types[which]  # a whole graph is drawn once
            return types[:, *pairs], shares[:, *pairs]
        drawn = self.drawn(tied_form(form, slots, composition.groups), prior, batch, temperature, generator)
        types, shares = self.chosen(drawn, choices, batch, generator, which)
        z, none = z if which is None else z[which], shares.new_zeros(*z.shape, choices)
        return spread(types, z, slots), spread(shares, none, slots)

    def uniform_structures(
        self, composition: Composition, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator
    ) -> Int[Tensor, "B S"]:
        """Returns structures at an infinite temperature, from the first probabilities, without excluded types."""
        slots, choices = tied_slots(self.coupling, composition), composition.choices
        group = self.group_of(batch.tasks)
        rows = batch.tasks if group is None else group
        prior = tied_prior(of_tasks(self.prior, rows), slots, choices)
        score = self.uniform(batch, (choices, *slots.shape[:2]), len(z), generator).movedim(0, -1)
        if self.first is not None:
            # The largest of log p + g, with g from a Gumbel distribution, has the probabilities p.
            score = tied_prior(of_tasks(self.first, rows), slots, choices) - torch.log(-torch.log(score))
        return spread(torch.where(prior.isinf(), -torch.inf, score).argmax(-1), z, slots)

    def drawn(
        self,
        form: Quadratic,
        prior: Float[Tensor, "B U V K"],
        batch: Batch,
        temperature: float,
        generator: torch.Generator,
        samples: int | None = None,
    ) -> Drawn:
        """Returns weighted draws from the forms of some units: S, or another number."""
        tasks, units, variables, _ = prior.expand(len(form.h), -1, -1, -1).shape
        uniform = self.uniform(batch, (samples or self.samples, units, variables), tasks, generator)
        at_once = max(1, NUMBERS_AT_ONCE // form.g[0].numel())
        parts = []
        for rows in torch.arange(tasks, device=form.h.device).split(at_once):
            scaled = tempered_form(Quadratic(*(values[rows] for values in form)), temperature)
            known = prior if len(prior) == 1 else prior[rows]
            parts.append(weighted_draws(scaled, known, uniform[:, rows]))
        return Drawn(*(torch.cat(values, 1) for values in zip(*parts, strict=True)))

    def chosen(
        self,
        drawn: Drawn,
        choices: int,
        batch: Batch,
        generator: torch.Generator,
        which: Int[Tensor, " tasks"] | None = None,
    ) -> tuple[Int[Tensor, "tasks U V"], Float[Tensor, "B U V K"]]:
        """Returns one of the draws of each unit, chosen by weight, and the weighted shares of the types.

        With `which`, every task chooses one, from the draws of its row.
        """
        weights, units = drawn.log_weight.softmax(0), drawn.types.shape[2]
        if which is None:
            which = torch.arange(weights.shape[1], device=weights.device)
            uniform = self.uniform(batch, (1, units), len(which), generator)[0]
        else:
            shape, device = (len(which), units), generator.device
            uniform = torch.rand(shape, generator=generator, dtype=weights.dtype, device=device)
        number = (weights.cumsum(0)[:, which] < uniform).sum(0).clamp(max=len(weights) - 1)
        types = drawn.types[number, which[:, None], torch.arange(units, device=which.device)]
        return types, (weights[..., None, None] * F.one_hot(drawn.types, choices)).sum(0)

    def uniform(
        self, batch: Batch, shape: tuple[int, ...], tasks: int, generator: torch.Generator
    ) -> Float[Tensor, "S B ..."]:
        """Returns uniform random numbers of the shape [S, ...] for every task."""
        rows = self.noise_rows or batch.whole
        uniform = torch.rand((rows, *shape), generator=generator, dtype=torch.float64, device=generator.device)
        uniform = uniform.repeat(tasks // rows, *[1] * len(shape)) if self.noise_rows else batch.own(uniform)
        return uniform.transpose(0, 1)

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

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self.evidence, "z": self.z}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.evidence, self.z = state["evidence"], state.get("z")


def tempered_form(form: Quadratic, temperature: float) -> Quadratic:
    """Returns G / T and h / T in double precision; G is made symmetric, since rounding has made it slightly uneven."""
    g = form.g.double()
    return form._replace(g=(g + g.mT) / (2 * temperature), h=form.h.double() / temperature)
