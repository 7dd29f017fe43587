"""Unseen entities: the search holds structures, the optimizer holds the tracks of entities that were not recorded.

    for slack falling from 0.5 to 0.1, temperature from 30 to 1:
        z      <-  heat bath on all edges, the unseen track taken as seen
        track  <-  Gauss-Newton step, see `track_fit.py`
        now and then the worst starts are given up
    the best start;  then its track as exactly as the law is known, and edges into it anew, see `refitting.py`
    all of it once more, from other starts, where recordings are explained worse than the law is known

Variances are widened by `slack`² (in units of the training part's changes) while tracks are far from right: a law that
is known to a thousandth finds every wrong track impossible, and tells nothing of which is better.

Source: Alet et al. 2019, section 5.2, which optimizes the track by gradient steps under the true edges.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.couplings import Coupling, Independent
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import ENUMERATED
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.refitting import into_unseen, refit
from bouncegrad.core.structures import random_structure
from bouncegrad.core.track_fit import Residuals, TrackFit
from bouncegrad.core.unseen_starts import best_rows, first_tracks

STARTS, SWEEPS, POLISH = 48, 48, 8
KEPT = {
    8: 3,
    24: 8,
}  # after so many sweeps one start in so many goes on: as much work as 16 throughout, from more places
REFITS = 2
SLACK, LEAST_SLACK, POLISHED = 0.5, 0.1, 0.03
HOTTEST = 30.0
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
    find = partial(_find, on, count=count, starts=starts, coupling=coupling)
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
    count: int,
    seed: int,
    starts: int,
    coupling: Coupling | None,
    report: Callable[[float], None],
) -> tuple[Explanation, Float[Tensor, " M"], Float[Tensor, " M"]]:
    """What is found, its cost, and the misfit that the law's own variance would leave."""
    tasks = len(visible)
    generator = torch.Generator().manual_seed(seed)
    z = random_structure(starts, composition.slots, composition.choices, generator).repeat(tasks, 1)
    each = visible.repeat_interleave(starts, 0)
    fit = TrackFit(composition, each, first_tracks(composition, visible, z, count, starts, generator))
    proposal = Uniform(composition.groups, composition.choices)

    def drawn(z: Tensor, temperature: float, shared_noise: bool = False) -> tuple[Tensor, Tensor]:
        search = HeatBath(len(z), 0.0, ENUMERATED, shared_noise=shared_noise, coupling=coupling)
        batch = whole_tracks(fit.tracks, torch.arange(len(z)))
        move = search(composition, proposal, batch, z, temperature, generator)
        assert move.probability is not None
        return move.z, move.probability

    for sweep in range(SWEEPS):
        progress = sweep / (SWEEPS - 1)
        composition.slack = SLACK * (LEAST_SLACK / SLACK) ** progress
        z, _ = drawn(z, 1 + (HOTTEST - 1) * (1 - progress))
        fit.step(z)
        report(progress)
        if sweep + 1 in KEPT:
            kept = min(starts, KEPT[sweep + 1])
            rows = best_rows(fit.residuals(fit.hidden, z).cost.view(tasks, starts), kept)
            fit, z, starts = fit.only(rows), z[rows], kept
    loss = fit.residuals(fit.hidden, z).cost.view(tasks, starts)
    rows = best_rows(loss, 1)
    paths = fit.hidden.view(tasks, starts, *fit.hidden.shape[1:])
    as_good = loss - loss.min(1, keepdim=True).values < AS_GOOD * composition.temperature
    square = (paths - fit.hidden[rows][:, None]).square().mean((2, 3, 4))
    apart = torch.where(as_good, square, 0.0).amax(1).sqrt()
    fit, z = TrackFit(composition, visible, fit.hidden[rows]), z[rows]
    for step in range(POLISH):
        composition.slack = LEAST_SLACK * (POLISHED / LEAST_SLACK) ** ((step + 1) / POLISH)
        fit.step(z)
    _, probability = drawn(z, 1.0, shared_noise=True)
    if coupling is None or isinstance(coupling, Independent):  # else edges out of the unseen tell of those into it
        for _ in range(REFITS):
            fit.hidden, z, of_into = refit(composition, visible, fit.hidden, probability.argmax(-1), generator)
            _, probability = drawn(z, 1.0, shared_noise=True)
            probability[:, into_unseen(composition, visible.shape[2])] = of_into
    best_z = probability.argmax(-1)
    v = visible.shape[2]
    whole = fit.residuals(fit.hidden, best_z)
    loss_of_visible = Residuals(whole.error[:, :, :v], whole.log_variance[:, :, :v]).loss
    composition.slack = LEAST_SLACK
    left = fit.residuals(fit.hidden, best_z)
    return (
        Explanation(fit.hidden, probability, loss_of_visible, apart, left.misfit),
        left.cost,
        left.allowed(LEAST_SLACK),
    )
