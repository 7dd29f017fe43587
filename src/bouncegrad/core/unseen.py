"""Unseen entities: finds the tracks of entities that were not recorded, and the edges of all entities.

    trials  <-  tracks of particles through all frames, see `particle_filter.py`
    for temperature falling from 5 to 1:
        track  <-  Gauss-Newton step, see `track_fit.py`
        z      <-  heat bath on all edges, with the track of the unseen entity taken as observed
        after some sweeps the worst trials are dropped
    the track of the best trial is fitted with smaller and smaller slack, then the edges into it (`refitting.py`)
    if this explains the recordings worse than the law allows: all of it again, from other particles

While tracks are far from right, `slack`² is added to every variance (in units of typical changes in training). Without
slack, modules that know a law to a thousandth give every wrong track a probability of almost 0, so that wrong tracks
cannot be compared.

Source: Alet et al. 2019, section 5.2, which optimizes the track by gradient steps under the true edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.couplings import Independent
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.inference import InferenceEffort
from bouncegrad.core.particle_filter import Particles, first_explanations
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.refitting import into_unseen, refit
from bouncegrad.core.seams import Coupling
from bouncegrad.core.track_fit import Residuals, TrackFit

FILTERED = 0.5  # share of the time that the particle filter takes; only the progress bar reads it
APART = 0.5  # of a feature's spread: if the tracks of near-ties lie farther apart, the track is undetermined
MISFIT = 2.0  # a track with a larger mean square misfit is wrong


@dataclass(frozen=True)
class UnseenEffort:
    """How much work a search for unseen entities does.

    Args:
        trials: tracks that are improved side by side; the best one is kept.
        sweeps: sweeps of the heat bath while the temperature falls.
        kept: pairs (sweeps, trials): after so many sweeps, so many trials continue.
        polish: Gauss-Newton steps on the best trial, with smaller and smaller slack.
        refits: rounds in which the track and the edges into it change together.
        slack, polished: the first slack and the last one, in typical changes.
        hottest: the first temperature.
        near_tie: trials count as equally good if their costs differ by less than this, in nats at the calibrated
            temperature.
        unexplained: if the misfit is so many times what the law's own variance allows, the search is repeated.
        states_at_once: states of all trials that fit into memory together.
        particles: settings of the filter that finds the first tracks.
    """

    trials: int = 48
    sweeps: int = 16
    kept: tuple[tuple[int, int], ...] = ((4, 16), (10, 6))
    polish: int = 8
    refits: int = 2
    slack: float = 0.1
    polished: float = 0.03
    hottest: float = 5.0
    near_tie: float = 10.0
    unexplained: float = 3.0
    states_at_once: int = 2**17
    particles: Particles = field(default_factory=Particles)


class Explanation(NamedTuple):
    """Tracks of H entities that were not recorded, and edges of all N entities; the H unseen ones come last.

    `loss` is the mean loss per number of the changes of visible entities. `apart` is the distance between the tracks of
    near-ties, in units of the features' spread. `misfit` is the mean square of the residuals in units of their standard
    deviation: about 1 or less if the track is right.
    """

    tracks: Float[Tensor, "M T H D"]
    probability: Float[Tensor, "M E K"]
    loss: Float[Tensor, " M"]
    apart: Float[Tensor, " M"]
    misfit: Float[Tensor, " M"]

    @property
    def determined(self) -> Bool[Tensor, " M"]:
        """Whether the recordings determine the tracks of the unseen entities."""
        return (self.apart < APART) & (self.misfit < MISFIT)


class Found(NamedTuple):
    """An explanation, its cost, and the misfit that the law's own variance allows."""

    explanation: Explanation
    cost: Float[Tensor, " M"]
    allowed: Float[Tensor, " M"]


@torch.no_grad()
def find_unseen(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    count: int = 1,
    seed: int = 0,
    coupling: Coupling | None = None,
    effort: UnseenEffort = UnseenEffort(),
    report: Callable[[float], None] = lambda share: None,
) -> Explanation:
    """Returns the tracks of `count` = H unseen entities in every task, and the edges of all entities.

    Args:
        composition: trained modules, without lags.
        visible: scaled states of the V entities that were recorded.
        count: H.
        seed: seed of particles and search.
        coupling: restricts which edge types go together.
        effort: how much work is done.
        report: called after every sweep with the share of the work that is done.
    """
    on = composition.on(visible.shape[2] + count)
    at_once = max(1, effort.states_at_once // (effort.trials * visible.shape[1] * on.entities))
    find = partial(_find, on, coupling=coupling, effort=effort)
    parts: list[Explanation] = []
    for part in visible.split(at_once):
        before, share = at_once * len(parts) / len(visible), len(part) / len(visible)

        def swept(progress: float, before: float = before, share: float = share) -> None:
            report(before + share * progress)

        parts.append(_twice(find, part, seed, effort.unexplained, swept))
    return Explanation(*(torch.cat(parts_of) for parts_of in zip(*parts, strict=True)))


def _twice(
    find: Callable[..., Found],
    visible: Float[Tensor, "M T V D"],
    seed: int,
    unexplained: float,
    report: Callable[[float], None],
) -> Explanation:
    """Repeats the search from other particles for tasks that are badly explained; returns the better explanations."""
    found, cost, allowed = find(visible, seed=seed, report=lambda share: report(share / 2))
    rows = (found.misfit > unexplained * allowed).nonzero()[:, 0]
    if len(rows):
        other, its_cost, _ = find(visible[rows], seed=seed + 1, report=lambda share: report(0.5 + share / 2))
        better = its_cost < cost[rows]
        for values, new in zip(found, other, strict=True):
            values[rows[better]] = new[better]
    report(1.0)
    return found


def _find(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    seed: int,
    coupling: Coupling | None,
    effort: UnseenEffort,
    report: Callable[[float], None],
) -> Found:
    tasks, v, trials = len(visible), visible.shape[2], effort.trials
    generator = torch.Generator(visible.device).manual_seed(seed)
    wide, near_tie = composition.widened(effort.slack), effort.near_tie * composition.temperature
    first, z = first_explanations(wide, visible, trials, seed, effort.particles, lambda share: report(FILTERED * share))
    fit = TrackFit(wide, visible.repeat_interleave(trials, 0), first)
    proposal = Uniform(composition.groups, composition.choices)
    limits = Enumeration(InferenceEffort().enumerated)

    def drawn(fit: TrackFit, z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        search = HeatBath(len(z), 0.0, limits, noise_rows=len(z) // tasks, coupling=coupling)
        batch = whole_tracks(fit.tracks, torch.arange(len(z), device=z.device))
        move = search(fit.composition, proposal, batch, z, temperature, generator)
        assert move.probability is not None
        return move.z, move.probability

    for sweep in range(effort.sweeps):
        fit.step(z)
        z, _ = drawn(fit, z, 1 + (effort.hottest - 1) * (1 - sweep / (effort.sweeps - 1)))
        report(FILTERED + (1 - FILTERED) * sweep / effort.sweeps)
        if kept := dict(effort.kept).get(sweep + 1):
            kept = min(trials, kept)
            cost = fit.residuals(fit.hidden, z).cost.view(tasks, trials)
            # Near-ties count as equal, so that survivors stay diverse.
            rows = best_rows(cost.clamp(min=cost.min(1, keepdim=True).values + near_tie), kept)
            fit, z, trials = fit.only(rows), z[rows], kept
    cost = fit.residuals(fit.hidden, z).cost.view(tasks, trials)
    rows = best_rows(cost, 1)
    paths = fit.hidden.view(tasks, trials, *fit.hidden.shape[1:])
    alike = cost - cost.min(1, keepdim=True).values < near_tie
    square = composition.view.shorter(paths - fit.hidden[rows][:, None]).square().mean((2, 3, 4))
    apart = torch.where(alike, square, 0.0).amax(1).sqrt()
    fit, z = TrackFit(wide, visible, fit.hidden[rows]), z[rows]
    for step in range(effort.polish):
        slack = effort.slack * (effort.polished / effort.slack) ** ((step + 1) / effort.polish)
        fit.composition = composition.widened(slack)
        fit.step(z)
    sharp = fit.composition
    _, probability = drawn(fit, z, 1.0)
    if coupling is None or isinstance(coupling, Independent):  # a coupling ties edges into unseen ones to those out
        for _ in range(effort.refits):
            fit.hidden, z, of_into = refit(sharp, visible, fit.hidden, probability.argmax(-1), generator)
            _, probability = drawn(fit, z, 1.0)
            probability[:, into_unseen(composition, v)] = of_into
    best_z = probability.argmax(-1)
    whole = fit.residuals(fit.hidden, best_z)
    loss_of_visible = Residuals(whole.error[:, :, :v], whole.log_variance[:, :, :v]).loss
    rest = TrackFit(wide, visible, fit.hidden).residuals(fit.hidden, best_z)
    found = Explanation(fit.hidden, probability, loss_of_visible, apart, rest.misfit)
    return Found(found, rest.cost, rest.allowed(effort.slack))


def best_rows(cost: Float[Tensor, "M trials"], count: int) -> Int[Tensor, " M*count"]:
    """Returns the trials of least cost of every task, as row numbers among the trials of all tasks."""
    tasks, trials = cost.shape
    best = cost.topk(count, largest=False).indices
    return (torch.arange(tasks, device=cost.device)[:, None] * trials + best).flatten()
