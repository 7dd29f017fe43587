"""Between which values a forecast lies: sampled futures, widened until they hold what they say.

    low  = x̂ - f_h (x̂ - q05),     high = x̂ + f_h (q95 - x̂)            q: quantiles of the sampled futures

Samples know the error of one step, drawn anew in every frame; errors of a law last from frame to frame. What they miss
of a feature at each horizon h is made up by f_h, chosen so that 90 % of the true values of tasks that were not trained
on lie between. Nothing is assumed of how errors are distributed.

Source: split conformal prediction (Vovk et al. 2005), with the sampled quantiles as its score.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.marks import counted

SHARE, SAMPLES = 0.9, 64
HORIZONS, TASKS_AT_ONCE = 20, 20
APART = 4  # frames between starts
LEAST = 0.2
TINY = 1e-12


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
    """R = `steps` frames from the states `x`: without noise under `best`, and quantiles of samples, each under its `z`.

    Every task gets the same random numbers, so that its forecast does not depend on the tasks it is made with.
    """
    samples, (b, c, n, _) = len(z), x.shape
    point = forecaster.rollout(x, best, steps)
    noise = torch.randn(samples, 1, 1, steps, n, forecaster.graph.features, generator=generator)
    noise = noise.expand(-1, b, -1, -1, -1, -1).flatten(0, 1)
    paths = forecaster.sample(x.expand(samples, *x.shape).flatten(0, 1), z.flatten(0, 1), noise)
    ranked = torch.nan_to_num(paths.view(samples, b, c, steps, n, -1)).sort(0).values
    low, high = (ranked[round(share * (samples - 1))] for share in ((1 - SHARE) / 2, (1 + SHARE) / 2))
    # The point need not lie between; it keeps a part of the width on either side.
    least = LEAST * (high - low)
    return Futures(point, torch.minimum(low, point - least), torch.maximum(high, point + least))


def widened(found: Futures, widening: Float[Tensor, "horizons D"]) -> Futures:
    """The same, with what samples miss at each horizon made up; beyond the last horizon as there."""
    steps = found.x.shape[2]
    factor = widening[torch.arange(steps).clamp(max=len(widening) - 1)][:, None]
    return Futures(found.x, found.x - factor * (found.x - found.low), found.x + factor * (found.high - found.x))


@torch.no_grad()
def widening(
    forecaster: Forecaster, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, "horizons D"]:
    """f_h of every feature, for each of 20 horizons; those beyond the length of the tracks are as the last.

    Errors drift as a recording goes on, and forecasts begin at its end: each horizon is judged by the two latest of a
    few starts that it can be seen from.

    Args:
        tracks: scaled states of tasks that were not trained on, where there are enough.
        z: their structures.
    """
    lags = forecaster.graph.lags
    steps = min(HORIZONS, tracks.shape[1] - 1 - lags)
    seen = sorted({*range(1, steps + 1, APART), steps})
    missed = {ahead: misses(forecaster, tracks[:, -1 - lags - ahead :], z, generator) for ahead in seen}
    found = []
    for h in range(steps):
        judges = [ahead for ahead in seen if ahead > h][:2]
        found.append(torch.cat([missed[ahead][:, h] for ahead in judges]).flatten(0, 1).nanquantile(SHARE, dim=0))
    return torch.stack(found).nan_to_num(1.0).clamp(min=TINY)[torch.arange(HORIZONS).clamp(max=steps - 1)]


def misses(
    forecaster: Forecaster, tracks: Float[Tensor, "M L+R+1 N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, "M R N D"]:
    """By what factor each of the last R frames lies farther from the forecast than the samples say.

    NaN where it was not observed, or not observed where the forecast starts.
    """
    graph = forecaster.graph
    states, counts = graph.with_history(tracks), counted(tracks, graph.features, graph.lags, rolled=True)
    parts = [
        futures(forecaster, states[part, :1], z[part].expand(SAMPLES, -1, -1), z[part], states.shape[1] - 1, generator)
        for part in torch.arange(len(states)).split(TASKS_AT_ONCE)
    ]
    x, low, high = (torch.cat(field)[:, 0] for field in zip(*parts, strict=True))
    truth = states[:, 1:, :, : graph.features]
    above, below = (truth - x) / (high - x).clamp(min=TINY), (x - truth) / (x - low).clamp(min=TINY)
    missed = torch.maximum(above, below)
    return missed if counts is None else missed.masked_fill(counts[..., None] == 0, torch.nan)
