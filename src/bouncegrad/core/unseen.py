"""Unseen entities: the search holds structures, the optimizer holds the tracks of entities that were not recorded.

    starts  <-  particles that went through all frames, see `particle_filter.py`
    for temperature falling from 5 to 1:
        track  <-  Gauss-Newton step, see `track_fit.py`
        z      <-  heat bath on all edges, the unseen track taken as seen
        now and then the worst starts are given up
    the best start;  then its track as exactly as the law is known, and edges into it anew, see `refitting.py`
    all of it once more, from other particles, where recordings are explained worse than the law is known

Variances are widened by `slack`² (in units of the training part's changes) while tracks are far from right: a law that
is known to a thousandth finds every wrong track impossible, and tells nothing of which is better.

Source: Alet et al. 2019, section 5.2, which optimizes the track by gradient steps under the true edges.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.couplings import Independent
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import ENUMERATED
from bouncegrad.core.particle_filter import first_explanations
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.refitting import into_unseen, refit
from bouncegrad.core.seams import Coupling
from bouncegrad.core.track_fit import Residuals, TrackFit

STARTS, SWEEPS, POLISH = 48, 16, 8
KEPT = {4: 16, 10: 6}  # of the starts, after so many sweeps those that explain best go on
FILTERED = 0.5  # share of the time
REFITS = 2
SLACK, POLISHED = 0.1, 0.03
HOTTEST = 5.0
AS_GOOD = 10.0  # nats, at the calibrated temperature, that a start may be worse than the best and explain as well
APART = 0.5  # of a feature's spread: starts as good that lie farther apart leave the track undetermined
MISFIT = 2.0
UNEXPLAINED = 3.0  # times the misfit that the law's variance alone would leave
STATES_AT_ONCE = 2**17


class Explanation(NamedTuple):
    """What was found of H entities that were not recorded, which stand behind the N - H visible ones.

    `loss` is the mean loss per number of the visible entities' changes. `apart` is how far the tracks of starts that
    explain as well lie from each other, in units of the features' spread. `misfit` is the mean square of what is left
    unexplained in units of its standard deviation: about 1 or less where the track is right.
    """

    tracks: Float[Tensor, "M T H D"]
    probability: Float[Tensor, "M E K"]
    loss: Float[Tensor, " M"]
    apart: Float[Tensor, " M"]
    misfit: Float[Tensor, " M"]

    @property
    def determined(self) -> Bool[Tensor, " M"]:
        """Whether the recordings tell where the unseen ones were."""
        return (self.apart < APART) & (self.misfit < MISFIT)


@torch.no_grad()
def find_unseen(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    count: int = 1,
    seed: int = 0,
    starts: int | None = None,
    coupling: Coupling | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Explanation:
    """Tracks and edges of `count` = H unseen entities in every task.

    Args:
        composition: trained modules, without lags.
        visible: scaled states of the V entities that were recorded.
        count: H.
        seed: of starts and search.
        starts: side by side, the best is kept; 48 by default.
        coupling: what ties edges to each other.
        report: called after every sweep with the share that is done.
    """
    on, starts = composition.on(visible.shape[2] + count), starts or STARTS  # a copy: its slack is its own
    at_once = max(1, STATES_AT_ONCE // (starts * visible.shape[1] * on.entities))
    find = partial(_find, on, starts=starts, coupling=coupling)
    parts: list[Explanation] = []
    for part in visible.split(at_once):
        before, share = at_once * len(parts) / len(visible), len(part) / len(visible)

        def swept(progress: float, before: float = before, share: float = share) -> None:
            report(before + share * progress)

        parts.append(_twice(find, part, seed, swept))
    return Explanation(*(torch.cat(field) for field in zip(*parts, strict=True)))


def _twice(
    find: Callable[..., tuple[Explanation, Tensor, Tensor]],
    visible: Float[Tensor, "M T V D"],
    seed: int,
    report: Callable[[float], None],
) -> Explanation:
    """Once more, from other starts, where recordings are badly explained; the better explanation is kept."""
    found, cost, allowed = find(visible, seed=seed, report=lambda share: report(share / 2))
    rows = (found.misfit > UNEXPLAINED * allowed).nonzero()[:, 0]
    if len(rows):
        other, its_cost, _ = find(visible[rows], seed=seed + 1, report=lambda share: report(0.5 + share / 2))
        better = its_cost < cost[rows]
        for field, new in zip(found, other, strict=True):
            field[rows[better]] = new[better]
    report(1.0)
    return found


def _find(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    seed: int,
    starts: int,
    coupling: Coupling | None,
    report: Callable[[float], None],
) -> tuple[Explanation, Float[Tensor, " M"], Float[Tensor, " M"]]:
    """What is found, its cost, and the misfit that the law's own variance would leave."""
    tasks = len(visible)
    generator = torch.Generator(visible.device).manual_seed(seed)
    composition.slack, as_good = SLACK, AS_GOOD * composition.temperature
    first, z = first_explanations(composition, visible, starts, seed, lambda share: report(FILTERED * share))
    fit = TrackFit(composition, visible.repeat_interleave(starts, 0), first)
    proposal = Uniform(composition.groups, composition.choices)

    def drawn(z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        search = HeatBath(len(z), 0.0, ENUMERATED, shared_noise=len(z) // tasks, coupling=coupling)
        batch = whole_tracks(fit.tracks, torch.arange(len(z)))
        move = search(composition, proposal, batch, z, temperature, generator)
        assert move.probability is not None
        return move.z, move.probability

    for sweep in range(SWEEPS):
        fit.step(z)
        z, _ = drawn(z, 1 + (HOTTEST - 1) * (1 - sweep / (SWEEPS - 1)))
        report(FILTERED + (1 - FILTERED) * sweep / SWEEPS)
        if sweep + 1 in KEPT:
            kept = min(starts, KEPT[sweep + 1])
            cost = fit.residuals(fit.hidden, z).cost.view(tasks, starts)
            # Those that explain as well are alike, or all that go on would lie where the last digits are best.
            rows = best_rows(cost.clamp(min=cost.min(1, keepdim=True).values + as_good), kept)
            fit, z, starts = fit.only(rows), z[rows], kept
    loss = fit.residuals(fit.hidden, z).cost.view(tasks, starts)
    rows = best_rows(loss, 1)
    paths = fit.hidden.view(tasks, starts, *fit.hidden.shape[1:])
    alike = loss - loss.min(1, keepdim=True).values < as_good
    square = (paths - fit.hidden[rows][:, None]).square().mean((2, 3, 4))
    apart = torch.where(alike, square, 0.0).amax(1).sqrt()
    fit, z = TrackFit(composition, visible, fit.hidden[rows]), z[rows]
    for step in range(POLISH):
        composition.slack = SLACK * (POLISHED / SLACK) ** ((step + 1) / POLISH)
        fit.step(z)
    _, probability = drawn(z, 1.0)
    if coupling is None or isinstance(coupling, Independent):  # else edges out of the unseen tell of those into it
        for _ in range(REFITS):
            fit.hidden, z, of_into = refit(composition, visible, fit.hidden, probability.argmax(-1), generator)
            _, probability = drawn(z, 1.0)
            probability[:, into_unseen(composition, visible.shape[2])] = of_into
    best_z = probability.argmax(-1)
    v = visible.shape[2]
    whole = fit.residuals(fit.hidden, best_z)
    loss_of_visible = Residuals(whole.error[:, :, :v], whole.log_variance[:, :, :v]).loss
    composition.slack = SLACK
    left = fit.residuals(fit.hidden, best_z)
    return (
        Explanation(fit.hidden, probability, loss_of_visible, apart, left.misfit),
        left.cost,
        left.allowed(SLACK),
    )


def best_rows(cost: Float[Tensor, "M starts"], count: int) -> Int[Tensor, " M*count"]:
    """The starts of least cost of every task, as rows of all."""
    tasks, starts = cost.shape
    return (torch.arange(tasks)[:, None] * starts + cost.topk(count, largest=False).indices).flatten()
