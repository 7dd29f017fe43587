"""Intervals of forecasts: sampled futures, widened until the intervals contain 90 % of the true values.

    low  = x̂ - f_h (x̂ - q05),     high = x̂ + f_h (q95 - x̂)            q: quantiles of the sampled futures

Samples add an independent error in every frame, but errors of a learned law last from frame to frame. So the intervals
of samples are too narrow. The factor f_h corrects this for each feature and each horizon h: it is chosen so that 90 %
of the true values of held-out tasks lie in the interval. This holds for any distribution of the errors.

Source: split conformal prediction (Vovk et al. 2005), with the sampled quantiles as its score.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.marks import counted

SHARE = 0.9  # of the true values, which an interval should contain
SAMPLES = 64  # sampled futures, so that three of them lie beyond either end of an interval
HORIZONS = 20  # frames ahead, as in published tables
TASKS_AT_ONCE = 20  # limits the memory of samples
APART = 4  # frames between the starts of judged forecasts; a start at every frame would take three times as long
LEAST = 0.2  # the point forecast keeps at least this share of the interval's width on either side
TINY = 1e-12  # avoids division by 0


class Futures(NamedTuple):
    """Point forecast and sampled 5 % and 95 % quantiles, each `Float[B, C, R, N, D]`, scaled."""

    x: Float[Tensor, "B C R N D"]
    low: Float[Tensor, "B C R N D"]
    high: Float[Tensor, "B C R N D"]


@torch.no_grad()
def futures(
    forecaster: Forecaster,
    x: Float[Tensor, "B C N D+H"],
    z: Int[Tensor, "samples B E"],
    best: Int[Tensor, "B E"],
    steps: int,
    generator: torch.Generator,
) -> Futures:
    """Returns R = `steps` frames from the states `x`: without noise under `best`, and quantiles of samples under `z`.

    Every task gets the same random numbers, so that its forecast does not depend on the other tasks.
    """
    samples, (b, c, n, _) = len(z), x.shape
    point = forecaster.rollout(x, best, steps)
    shape = (samples, 1, 1, steps, n, forecaster.graph.features)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    noise = noise.expand(-1, b, -1, -1, -1, -1).flatten(0, 1)
    paths = forecaster.sample(x.expand(samples, *x.shape).flatten(0, 1), z.flatten(0, 1), noise)
    ranked = torch.nan_to_num(paths.view(samples, b, c, steps, n, -1)).sort(0).values
    low, high = (ranked[round(share * (samples - 1))] for share in ((1 - SHARE) / 2, (1 + SHARE) / 2))
    # The point forecast may lie outside of the quantiles; the interval is then extended around it.
    least = LEAST * (high - low)
    return Futures(point, torch.minimum(low, point - least), torch.maximum(high, point + least))


def widened(found: Futures, widening: Float[Tensor, "horizons D"]) -> Futures:
    """Returns the futures with widened intervals; beyond the last horizon, the last factors are used."""
    steps = found.x.shape[2]
    factor = widening[torch.arange(steps, device=widening.device).clamp(max=len(widening) - 1)][:, None]
    return Futures(found.x, found.x - factor * (found.x - found.low), found.x + factor * (found.high - found.x))


@torch.no_grad()
def widening(
    forecaster: Forecaster, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, "horizons D"]:
    """Returns f_h of every feature, for each of 20 horizons; beyond the length of the tracks the last f_h is repeated.

    Errors drift as a recording goes on, and forecasts begin at its end. So each horizon is judged by the two latest
    starts after which the recording is long enough.

    Args:
        tracks: scaled states of held-out tasks, or of training tasks if there are too few.
        z: their structures.
    """
    lags = forecaster.graph.lags
    steps = min(HORIZONS, tracks.shape[1] - 1 - lags)
    lengths = sorted({*range(1, steps + 1, APART), steps})
    missed = {ahead: misses(forecaster, tracks[:, -1 - lags - ahead :], z, generator) for ahead in lengths}
    found = []
    for h in range(steps):
        judges = [ahead for ahead in lengths if ahead > h][:2]
        found.append(torch.cat([missed[ahead][:, h] for ahead in judges]).flatten(0, 1).nanquantile(SHARE, dim=0))
    horizons = torch.arange(HORIZONS, device=tracks.device).clamp(max=steps - 1)
    return torch.stack(found).nan_to_num(1.0).clamp(min=TINY)[horizons]


def misses(
    forecaster: Forecaster, tracks: Float[Tensor, "M L+R+1 N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, "M R N D"]:
    """Returns the factor by which each of the last R frames lies farther from the forecast than the samples say.

    It is NaN if the frame, or the start of the forecast, was not observed.
    """
    graph = forecaster.graph
    states, counts = graph.with_history(tracks), counted(tracks, graph.features, graph.lags, rolled=True)
    parts = [
        futures(forecaster, states[part, :1], z[part].expand(SAMPLES, -1, -1), z[part], states.shape[1] - 1, generator)
        for part in torch.arange(len(states), device=states.device).split(TASKS_AT_ONCE)
    ]
    x, low, high = (torch.cat(field)[:, 0] for field in zip(*parts, strict=True))
    truth = states[:, 1:, :, : graph.features]
    above, below = (truth - x) / (high - x).clamp(min=TINY), (x - truth) / (x - low).clamp(min=TINY)
    missed = torch.maximum(above, below)
    return missed if counts is None else missed.masked_fill(counts[..., None] == 0, torch.nan)
