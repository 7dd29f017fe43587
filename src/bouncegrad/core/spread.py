"""Between which values a forecast lies: sampled futures, widened until they hold what they say.

    low  = x̂ - f_h (x̂ - q05),     high = x̂ + f_h (q95 - x̂)            q: quantiles of the sampled futures

Samples know the error of one step, drawn anew in every frame; errors of a law last from frame to frame. What they miss
at each horizon h is made up by f_h, chosen so that 90 % of the true values of tasks that were not trained on lie
between. Nothing is assumed of how errors are distributed.

Source: split conformal prediction (Vovk et al. 2005), with the sampled quantiles as its score.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.forecaster import Forecaster

SHARE, SAMPLES = 0.9, 64
HORIZONS, STARTS, TASKS_AT_ONCE = 20, 4, 20
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


def widened(found: Futures, widening: Float[Tensor, " horizons"]) -> Futures:
    """The same, with what samples miss at each horizon made up; beyond the last horizon as there."""
    steps = found.x.shape[2]
    factor = widening[torch.arange(steps).clamp(max=len(widening) - 1)][:, None, None]
    return Futures(found.x, found.x - factor * (found.x - found.low), found.x + factor * (found.high - found.x))


@torch.no_grad()
def widening(
    forecaster: Forecaster, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> Float[Tensor, " horizons"]:
    """f_h for each of 20 horizons; those beyond the length of the tracks are as the last.

    Args:
        tracks: scaled states of tasks that were not trained on, where there are enough.
        z: their structures.
    """
    states = forecaster.graph.with_history(tracks)
    steps = min(HORIZONS, states.shape[1] - 1)
    start = torch.linspace(0, states.shape[1] - 1 - steps, STARTS).long().unique()
    x = states[:, start]
    parts = [
        futures(forecaster, x[part], z[part].expand(SAMPLES, -1, -1), z[part], steps, generator)
        for part in torch.arange(len(x)).split(TASKS_AT_ONCE)
    ]
    found = Futures(*(torch.cat(field) for field in zip(*parts, strict=True)))
    truth = states[:, start[:, None] + torch.arange(1, steps + 1), :, : forecaster.graph.features]
    above = (truth - found.x) / (found.high - found.x).clamp(min=TINY)
    below = (found.x - truth) / (found.x - found.low).clamp(min=TINY)
    missed = torch.maximum(above, below).movedim(2, 0).flatten(1)
    found_for = missed.quantile(SHARE, dim=1).clamp(min=TINY)
    return found_for[torch.arange(HORIZONS).clamp(max=steps - 1)]
