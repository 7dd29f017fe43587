"""Inference by joint draws, for entities whose incoming edges have too many fillings to enumerate.

    1  for temperature falling to τ:   z <- joint draw around z (`joint_draws.py`)
                                       for each unit the structure of least exact loss is kept
    2  from the best structure:        edges are changed one by one where that lowers the form, again around what is
                                       found as long as the exact loss falls; then where that lowers the exact loss
    3  for joint draws w at τ around the best structure:
                                       p(edge) ∝ Σ_w [edge as in w] p(w) / q(w),   p by the exact loss, q their density;
                                       where all other edges of w are as in the best structure, p(edge | other edges)
                                       stands for [edge as in w]

The quadratic form is only local, so the last draw can be worse than the best one; structures and probabilities follow
the exact loss. A unit is what is drawn at once (`tied_slots.py`): the edges into one entity, or all pairs of a graph.
If the messages of all frames do not fit into memory, step 1 reads some of the frames, evenly spaced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.form_descent import descended_form
from bouncegrad.core.inferred import Inference, InferenceEffort, Interrupted
from bouncegrad.core.joint_draws import JointDraws, tempered_form
from bouncegrad.core.priors import Prior, of_tasks
from bouncegrad.core.seams import Coupling, Linear, Linearized, Quadratic, Relational
from bouncegrad.core.structures import random_structure
from bouncegrad.core.tied_slots import Slots, spread, tied_form, tied_loss, tied_prior, tied_slots, types_of


class LinearizedGraph(Relational, Linearized, Protocol):
    """A composition whose slots are edges, and which gives its loss as a quadratic form."""


@torch.no_grad()
def infer_jointly(
    composition: LinearizedGraph,
    tracks: Float[Tensor, "B C N D"],
    seed: int,
    coupling: Coupling,
    prior: Prior | None,
    shared: Int[Tensor, " B"] | None,
    stop: Callable[[], bool],
    effort: InferenceEffort,
) -> Inference:
    """Returns structures and edge probabilities of tasks.

    Args:
        composition: trained modules, with the capability `Linearized`.
        tracks: scaled states, all finite; every frame counts as evidence.
        seed: seed of the draws.
        coupling, prior: restrictions and knowledge about edges, see `JointDraws`.
        shared: the group of each task; None: every task has its own graph.
        stop: called before every sweep; if it returns true, inference stops.
        effort: how much work is done.

    Raises:
        Interrupted: `stop` returned true.
    """
    generator = torch.Generator(tracks.device).manual_seed(seed)
    numbers = torch.arange(len(tracks), device=tracks.device)
    batch = whole_tracks(tracks, numbers, composition.lags)
    which = numbers if shared is None else shared
    search = JointDraws(len(tracks), 0.0, effort.samples, 1, prior, coupling, shared, effort.first)
    rows = Batch(numbers[: search.tasks], tracks[:0], tracks[:0])
    slots = tied_slots(coupling, composition)
    known = tied_prior(of_tasks(search.prior, rows.tasks), slots, composition.choices)
    steps = Steps(composition, search, rows, slots, known, generator, effort, stop)
    z = random_structure(1, composition.slots, composition.choices, generator).repeat(search.tasks, 1)
    z = z if effort.first is None else effort.first.argmax(-1)
    linear, tau = composition.linearized(batch, which), float(composition.temperature)
    every = math.ceil(linear.excess)
    some = composition.linearized(batch._replace(segments=batch.segments[:, ::every]), which) if every > 1 else linear
    hottest = effort.joint_start * float(torch.bincount(which).max())
    z = steps.lowered(linear, steps.annealed(some, z, hottest / every, tau / every), tau)
    shares = steps.averaged(linear, steps.descended(linear, steps.survey(linear, z, tau), tau), tau)
    everywhere = shares.new_zeros(search.tasks, composition.slots, composition.choices)
    probability = spread(shares, everywhere, slots).float()[which]
    found = probability.argmax(-1)
    return Inference(found, probability, composition.loss(batch, found))


class Survey(NamedTuple):
    """What is known exactly about a structure: costs of its units, and of changes of single variables.

    `form` holds the quadratic forms around it. `groups` and `loss` are the form and the exact losses of the groups of
    slots, from which the others are made.
    """

    z: Int[Tensor, "rows E"]
    groups: Quadratic
    loss: Float[Tensor, "rows N degree K"]
    types: Int[Tensor, "rows U V"]
    form: Quadratic
    cost: Float[Tensor, "rows U"]
    change: Float[Tensor, "rows U V K"]


@dataclass(frozen=True)
class Steps:
    """Steps 1 to 3, for rows of structures: those of tasks, or of groups of tasks.

    A structure has the probability exp(-cost); its cost is the exact loss, divided by the temperature, minus the
    log-prior.
    """

    composition: LinearizedGraph
    search: JointDraws
    rows: Batch
    slots: Slots
    prior: Float[Tensor, "M U V K"]
    generator: torch.Generator
    effort: InferenceEffort
    stop: Callable[[], bool]

    def annealed(self, linear: Linear, z: Int[Tensor, "rows E"], hottest: float, end: float) -> Int[Tensor, "rows E"]:
        """Step 1: for each unit the structure of least cost that was met while the temperature fell."""
        start, last = max(hottest, end), self.effort.joint_sweeps - 1
        best, least = z, self.prior.new_full((len(z), len(self.slots)), torch.inf)
        for sweep in range(last + 2):
            if self.stop():
                raise Interrupted
            form = linear.around(z)
            cost = self.cost(form.loss, types_of(z, self.slots), end)
            best, least = self.by_slot(cost < least, z, best), torch.minimum(cost, least)
            if sweep <= last:
                temperature = start * (end / start) ** min(1.25 * sweep / max(last, 1), 1.0)
                z, _ = self.search.structures(form, self.composition, self.rows, z, temperature, self.generator)
        return best

    def lowered(self, linear: Linear, z: Int[Tensor, "rows E"], temperature: float) -> Int[Tensor, "rows E"]:
        """Step 2: for each unit the structure of least cost among those that descents on the form lead to."""
        best, least = z, self.prior.new_full((len(z), len(self.slots)), torch.inf)
        for _ in range(self.effort.descents):
            if self.stop():
                raise Interrupted
            form, types = linear.around(z), types_of(z, self.slots)
            cost = self.cost(form.loss, types, temperature)
            better = cost < least
            best, least = self.by_slot(better, z, best), torch.minimum(cost, least)
            tied = tempered_form(tied_form(form, self.slots, self.composition.groups), temperature)
            found = torch.where(better[..., None], descended_form(tied, types, self.prior), types_of(best, self.slots))
            z = spread(found, best, self.slots)
            if torch.equal(z, best):
                break
        return best

    def descended(self, linear: Linear, survey: Survey, temperature: float) -> Survey:
        """The end of step 2: the structure after changes of single edges that lower the exact cost.

        An edge is changed if this lowers the cost more than changing any other edge into the same entities.
        """
        entities = self.composition.entities
        targets = F.pad(self.composition.pairs[1], (0, 1), value=entities)[self.slots]  # [U, V, copies]
        for _ in range(self.effort.descents):
            least, types = survey.change.min(-1)
            best = least.new_zeros(len(survey.z), entities + 1)
            for copy in targets.unbind(-1):
                best.scatter_reduce_(1, copy.flatten().expand(len(best), -1), least.flatten(1), "amin")
            lowest = (least[..., None] <= best[:, targets]).all(-1) & (least < 0)
            if not lowest.any():
                break
            z = spread(torch.where(lowest, types, survey.types), survey.z, self.slots)
            survey = self.survey(linear, z, temperature, survey)
        return survey

    def averaged(self, linear: Linear, best: Survey, temperature: float) -> Float[Tensor, "rows U V K"]:
        """Step 3: the probabilities of the types of every variable."""
        types, cost, log_density = self.weighed(linear, best, temperature)
        for _ in range(self.effort.final_rounds - 1):
            lowest, which = cost.min(0)
            met = types.gather(0, which[None, ..., None].expand(-1, -1, -1, types.shape[-1]))[0]
            better = (lowest < best.cost) & (met != best.types).any(-1)  # rounding can make a draw better than itself
            if not better.any():
                break
            found = spread(met, best.z, self.slots)
            best = self.survey(linear, self.by_slot(better, found, best.z), temperature, best)
            new = self.weighed(linear, best, temperature, better)
            types, cost, log_density = (
                taken(better[None], values, old) for values, old in zip(new, (types, cost, log_density), strict=True)
            )
        samples, least = len(types), -torch.inf
        is_best = (types == best.types).all(-1)
        # The best structure is one more draw, which is certain. Every draw has the density of both ways to be drawn.
        types, cost = torch.cat([types, best.types[None]]), torch.cat([cost, best.cost[None]])
        own = log_density.masked_fill(~is_best, least).max(0, keepdim=True).values
        log_density = torch.cat([log_density, own]) + math.log(samples)
        is_best = torch.cat([is_best, torch.ones_like(is_best[:1])])
        log_density = torch.where(is_best, log_density.logaddexp(torch.zeros_like(log_density)), log_density)
        weight = (-cost - log_density).softmax(0)
        differs = types != best.types
        only = differs.sum(-1, keepdim=True) == differs  # all other variables are as in the best structure
        shares = torch.where(only[..., None], (-best.change).softmax(-1), F.one_hot(types, self.composition.choices))
        return (weight[..., None, None] * shares).sum(0)

    def weighed(
        self, linear: Linear, survey: Survey, temperature: float, some: Bool[Tensor, "rows U"] | None = None
    ) -> tuple[Int[Tensor, "S rows U V"], Float[Tensor, "S rows U"], Float[Tensor, "S rows U"]]:
        """Returns draws around a structure, their exact costs, and the logarithms of their densities.

        With `some`, only the costs of these units are right.
        """
        search, effort = self.search, self.effort
        drawn = search.drawn(survey.form, self.prior, self.rows, temperature, self.generator, effort.final_samples)
        z = torch.stack([spread(types, survey.z, self.slots) for types in drawn.types], -1)
        if some is not None:
            some = some.expand(-1, len(self.composition.groups))  # a unit is a group, or all groups
        losses = zip(linear.losses(z, some).unbind(-1), drawn.types, strict=True)
        cost = torch.stack([self.cost(loss, types, temperature) for loss, types in losses])
        return drawn.types, cost, drawn.log_density

    def survey(
        self, linear: Linear, z: Int[Tensor, "rows E"], temperature: float, last: Survey | None = None
    ) -> Survey:
        """Returns what is known exactly about `z`; groups that are filled as in the last survey are not looked at."""
        if self.stop():
            raise Interrupted
        groups, slots = self.composition.groups, self.composition.slots
        now = F.pad(z, (0, 1))[:, groups]
        if last is None:
            form, loss = linear.surveyed(z)
        else:
            other = (now != F.pad(last.z, (0, 1))[:, groups]).any(-1)
            found, new = linear.surveyed(z, other)
            merged = [taken(other, *values) for values in zip(found, last.groups, strict=True)]
            form, loss = Quadratic(*merged), taken(other, new, last.loss)
        types, tied = types_of(z, self.slots), tied_form(form, self.slots, groups)
        of_slot = loss.new_zeros(len(z), slots + 1, loss.shape[-1])
        of_slot[:, groups.flatten()] = (loss - loss.gather(3, now[..., None])).flatten(1, 2)
        of_slot[:, -1] = 0.0  # the padding
        change = of_slot[:, self.slots].sum(3) / temperature - self.prior
        cost = self.cost(form.loss, types, temperature)
        return Survey(z, form, loss, types, tied, cost, change - change.gather(3, types[..., None]))

    def cost(
        self, loss: Float[Tensor, "rows N"], types: Int[Tensor, "rows U V"], temperature: float
    ) -> Float[Tensor, "rows U"]:
        """Returns the cost of each unit, from the exact losses of the groups."""
        known = self.prior.expand(len(types), -1, -1, -1).gather(3, types[..., None])[..., 0]
        return tied_loss(loss, self.slots) / temperature - known.sum(2)

    def by_slot(
        self, which: Bool[Tensor, "rows U"], new: Int[Tensor, "rows E"], old: Int[Tensor, "rows E"]
    ) -> Int[Tensor, "rows E"]:
        """Returns the new types of the slots of some units, and the old types of the others."""
        of_variable = which[..., None].expand(-1, -1, self.slots.shape[1])
        return torch.where(spread(of_variable, torch.zeros_like(old, dtype=torch.bool), self.slots), new, old)


def taken(which: Bool[Tensor, "*rows N"], new: Tensor, old: Tensor) -> Tensor:
    """Returns the new values of some groups or units, and the old values of the others."""
    return torch.where(which.view(*which.shape, *[1] * (new.dim() - which.dim())), new, old)
