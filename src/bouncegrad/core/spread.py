"""Intervals of forecasts: sampled futures, widened until the intervals contain 90 % of the true values.

    low  = x̂ - f_h (x̂ - q05),     high = x̂ + f_h (q95 - x̂)            q: quantiles of the sampled futures

Samples add an independent error in every frame, but errors of a learned law last from frame to frame. So the intervals
of samples are too narrow. The factor f_h corrects this for each feature and each horizon h: it is chosen so that 90 %
of the true values of held-out tasks lie in the interval. This holds for any distribution of the errors. The damping of
the forecasts is found from held-out tasks, too; so each half of them is judged with the damping of the other half.

Forecasts of users start where the recordings of training end. As a recording goes on, states may leave what was seen
most: errors grow, and samples do not show it. So f_h is carried on to the end along its trend, which all tasks show.

Source: split conformal prediction (Vovk et al. 2005), with the sampled quantiles as its score; cross-conformal
prediction (Vovk 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isfinite, log, sqrt
from statistics import fmean, stdev
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.damping import EVENLY, Shrinkage, damping, judges, lengths_to
from bouncegrad.core.marks import counted

SHARE = 0.9  # of the true values, which an interval should contain
SAMPLES = 64  # sampled futures, so that three of them lie beyond either end of an interval
HORIZONS = 50  # frames ahead, as far as `evaluate` goes
TASKS_AT_ONCE = 20  # limits the memory of samples
JUDGED, FEWEST = 128, 8  # tasks by which intervals are widened, at most and at least
MESSAGES = 2**25  # messages of their samples; sampling takes long, and this bounds the time
LEAST = 0.2  # the point forecast keeps at least this share of the interval's width on either side
TINY = 1e-12  # avoids division by 0
LATE = 3  # starts that show the trend: at 3/6, 4/6 and 5/6 of the recordings
SURE, PARTS = 3.0, 8  # standard errors that a trend must exceed, and parts of the tasks that give them
MOST_CARRIED = 2.5  # the trend changes f_h by this factor at most
Misses: TypeAlias = Mapping[int, Float[Tensor, "M R N D"]]  # see `misses`; by the length or the start of forecasts
Tasks: TypeAlias = tuple[Float[Tensor, "M T N D"], Int[Tensor, "M E"]]  # scaled states, structures


class Futures(NamedTuple):
    """Point forecast and sampled 5 % and 95 % quantiles, each `Float[B, C, R, N, D]`, scaled."""

    x: Float[Tensor, "B C R N D"]
    low: Float[Tensor, "B C R N D"]
    high: Float[Tensor, "B C R N D"]


class Ensemble(NamedTuple):
    """Point forecast, and sampled futures in the order of their values, scaled."""

    x: Float[Tensor, "B C R N D"]
    ranked: Float[Tensor, "samples B C R N D"]

    def futures(self) -> Futures:
        """Returns the quantiles of the samples."""
        ends = ((1 - SHARE) / 2, (1 + SHARE) / 2)
        low, high = (self.ranked[round(share * (len(self.ranked) - 1))] for share in ends)
        # The point forecast may lie outside of the quantiles; the interval is then extended around it.
        least = LEAST * (high - low)
        return Futures(self.x, torch.minimum(low, self.x - least), torch.maximum(high, self.x + least))

    def widened(self, widening: Float[Tensor, "horizons D"]) -> Ensemble:
        """Returns the samples, moved away from the point forecast as the ends of the intervals are."""
        return self._replace(ranked=self.x + factors_of(widening, self.x) * (self.ranked - self.x))


@torch.no_grad()
def ensemble(
    forecaster: Forecaster,
    x: Float[Tensor, "B C N D+H"],
    z: Int[Tensor, "samples B E"],
    best: Int[Tensor, "B E"],
    steps: int,
    generator: torch.Generator,
) -> Ensemble:
    """Returns R = `steps` frames from the states `x`: damped and without noise under `best`, and samples under `z`.

    Every task gets the same random numbers, so that its forecast does not depend on the other tasks.
    """
    samples, (b, c, n, _) = len(z), x.shape
    point = forecaster.forecast(x, best, steps)
    shape = (samples, 1, 1, steps, n, forecaster.graph.features)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    noise = noise.expand(-1, b, -1, -1, -1, -1).flatten(0, 1)
    paths = forecaster.sample(x.expand(samples, *x.shape).flatten(0, 1), z.flatten(0, 1), noise)
    return Ensemble(point, torch.nan_to_num(paths.view(samples, b, c, steps, n, -1)).sort(0).values)


def widened(found: Futures, widening: Float[Tensor, "horizons D"]) -> Futures:
    """Returns the futures with widened intervals; beyond the last horizon, the last factors are used."""
    factor = factors_of(widening, found.x)
    return Futures(found.x, found.x - factor * (found.x - found.low), found.x + factor * (found.high - found.x))


def factors_of(widening: Float[Tensor, "horizons D"], x: Float[Tensor, "B C R N D"]) -> Float[Tensor, "R 1 D"]:
    """Returns the factor of each of R frames."""
    return widening[torch.arange(x.shape[2], device=widening.device).clamp(max=len(widening) - 1)][:, None]


class Calibrated(NamedTuple):
    """How forecasts are damped, and how their intervals are widened, at each horizon."""

    damping: Float[Tensor, "horizons D parts"]
    widening: Float[Tensor, "horizons D"]


@torch.no_grad()
def calibrated(
    forecaster: Forecaster, held: Tasks, every: Tasks, shrinkage: Shrinkage, generator: torch.Generator
) -> Calibrated:
    """Returns the damping and the widening for a forecaster that has none yet.

    Args:
        forecaster: its region confines the forecasts.
        held: tasks that were kept out of training, or training tasks if there are too few.
        every: all tasks; they show how errors grow in the course of a recording.
        shrinkage: which features share weights.
        generator: draws the noise of the samples.
    """
    (tracks, z), count = held, judged(forecaster, held[0])
    halves = [torch.arange(part, len(tracks), 2, device=tracks.device) for part in range(2)]
    missed: list[Misses] = []
    for these, others in (halves, halves[::-1]):
        if not len(these):
            continue
        rest = others if len(others) else these
        half = forecaster.damped_by(damping(forecaster, tracks[rest], z[rest], shrinkage))
        some = these[: -(-count // 2)]
        missed.append(misses_of(half, tracks[some], z[some], generator))
    together = {length: torch.cat([part[length] for part in missed]) for length in missed[0]}
    whole = damping(forecaster, tracks, z, shrinkage)
    slope = trend(late_misses(forecaster.damped_by(whole), every, generator), shrinkage.groups)
    return Calibrated(whole, widening(together, len(forecaster.widening), shrinkage.groups, slope))


def judged(forecaster: Forecaster, tracks: Float[Tensor, "M T N D"]) -> int:
    """Returns by how many tasks intervals are widened: fewer if there are many entities, or long recordings."""
    steps = min(len(forecaster.widening), tracks.shape[1] - 1 - forecaster.graph.lags)
    of_each = SAMPLES * forecaster.slots * forecaster.substeps * sum(lengths_to(steps))
    return min(JUDGED, max(FEWEST, MESSAGES // of_each))


def misses_of(
    forecaster: Forecaster, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Misses:
    """Returns the misses of forecasts of each length, all up to the end of the recordings."""
    lags = forecaster.graph.lags
    steps = min(len(forecaster.widening), tracks.shape[1] - 1 - lags)
    return {length: misses(forecaster, tracks[:, -1 - lags - length :], z, generator) for length in lengths_to(steps)}


def late_misses(forecaster: Forecaster, every: Tasks, generator: torch.Generator) -> Misses:
    """Returns the misses of short forecasts by their start, for three starts in the second half of the recordings."""
    (tracks, z), lags = every, forecaster.graph.lags
    last = tracks.shape[1] - 1 - lags
    ahead = max(1, min(last, len(forecaster.widening)) // EVENLY)
    starts = {last - ahead - last * k // EVENLY for k in range(LATE)}
    of_each = SAMPLES * forecaster.slots * forecaster.substeps * ahead * LATE
    count = min(len(tracks), 2 * JUDGED, max(FEWEST, MESSAGES // 4 // of_each))
    some = torch.arange(count, device=tracks.device) * len(tracks) // count
    return {
        start: misses(forecaster, tracks[some, start : start + lags + ahead + 1], z[some], generator)
        for start in sorted(starts)
        if start >= 0
    }


def widening(
    missed: Misses, horizons: int, groups: Sequence[Sequence[int]], slope: float = 0.0
) -> Float[Tensor, "horizons D"]:
    """Returns f_h of every feature, the same for a group; beyond the length of the recordings the last is repeated.

    Each horizon is judged by the forecasts that `judges` names. They start some frames before the end of the
    recordings, and forecasts of users start at the end; so f_h is carried on along its trend.

    Args:
        missed: the misses by the length of the forecasts.
        horizons: the number of horizons.
        groups: features with common factors.
        slope: the trend, by how much log f_h grows with every frame by which a forecast starts later.
    """
    steps = max(missed)
    found = missed[steps].new_ones(steps, missed[steps].shape[-1])
    for h in range(steps):
        lengths = judges(steps, h + 1)
        carried = min(slope * fmean(lengths), log(MOST_CARRIED))
        of_horizon = torch.cat([missed[length][:, h] for length in lengths])
        for group in map(list, groups):
            found[h, group] = quantile(of_horizon[..., group]) * exp(carried)
    rows = torch.arange(horizons, device=found.device).clamp(max=steps - 1)
    return found.clamp(min=TINY)[rows]


def trend(missed: Misses, groups: Sequence[Sequence[int]]) -> float:
    """Returns by how much log f_h grows with every frame by which a forecast starts later, for all horizons alike.

    The trend is the least-squares slope of log f_h against the start, within each horizon and group. It counts if it is
    three standard errors above 0, which slopes of eight parts of the tasks give. It is then taken one standard error
    larger, since intervals that are too narrow mislead more than intervals that are too wide; so a fall does not count.

    Args:
        missed: the misses by the start of the forecasts, see `late_misses`.
        groups: features with common factors.
    """
    if len(missed) < 2:
        return 0.0
    some = next(iter(missed.values()))
    tasks = torch.arange(len(some), device=some.device)
    parts = [slope_of({start: of[part] for start, of in missed.items()}, groups) for part in tasks.chunk(PARTS)]
    if len(parts) < PARTS:
        return 0.0
    whole, error = slope_of(missed, groups), stdev(parts) / sqrt(len(parts))
    return whole + error if whole > SURE * error else 0.0


def slope_of(missed: Misses, groups: Sequence[Sequence[int]]) -> float:
    """Returns the slope of log f_h against the start."""
    starts = torch.tensor(list(missed), dtype=torch.float64, device=next(iter(missed.values())).device)
    size = torch.stack(
        [
            torch.stack([quantile(of[:, h][..., list(group)]) for h in range(of.shape[1]) for group in groups])
            for of in missed.values()
        ]
    )
    log_size, away = size.double().clamp(min=TINY).log(), (starts - starts.mean())[:, None]
    slope = float((away * log_size).sum() / (away.square().sum() * log_size.shape[1]))
    return slope if isfinite(slope) else 0.0


def quantile(missed: Float[Tensor, "M N D"]) -> Float[Tensor, ""]:
    """Returns the quantile of split conformal prediction for so many values, a little above 90 %; 1 without any."""
    values = missed.flatten()
    return values.nanquantile(min(1.0, SHARE * (1 + 1 / len(values)))).nan_to_num(1.0)


@torch.no_grad()
def misses(
    forecaster: Forecaster, tracks: Float[Tensor, "M L+R+1 N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, "M R N D"]:
    """Returns the factor by which each of the last R frames lies farther from the forecast than the samples say.

    It is NaN if the frame, or the start of the forecast, was not observed.
    """
    graph = forecaster.graph
    states, counts = graph.with_history(tracks), counted(tracks, graph.features, graph.lags, rolled=True)
    parts = [
        ensemble(
            forecaster, states[part, :1], z[part].expand(SAMPLES, -1, -1), z[part], states.shape[1] - 1, generator
        ).futures()
        for part in torch.arange(len(states), device=states.device).split(TASKS_AT_ONCE)
    ]
    x, low, high = (torch.cat(field)[:, 0] for field in zip(*parts, strict=True))
    truth = states[:, 1:, :, : graph.features]
    above, below = (truth - x) / (high - x).clamp(min=TINY), (x - truth) / (x - low).clamp(min=TINY)
    missed = torch.maximum(above, below)
    return missed if counts is None else missed.masked_fill(counts[..., None] == 0, torch.nan)
