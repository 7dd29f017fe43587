"""How strongly forecasts are damped: the weights with the least squared error on tasks that were kept out of training.

    (a, b, c)_h = argmin  Σ (x_h - x̂_h(a, b, c))²  +  κ ((a - 1)² s_1 + b² s_2 + c² s_3)

s: mean squares of what the weights stand before, κ: the number of observations that the forecast of the modules counts
as. A clean law is not damped, since its errors are small. In a chaotic system the errors of a free run exceed those of
standing still after a while; the damped forecast goes over to the mean instead. Weights are those of a linear
combination of forecasts.

Source: Bates and Granger 1969, "The combination of forecasts"; Breiman 1996, "Stacked regressions".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.compositions.damped import PARTS, parts_of, undamped
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.marks import counted

PRIOR = 20.0  # κ
EVENLY = 6  # evenly spaced lengths of the forecasts that are judged
NEAR = 0.25  # equations of horizons this share away are added, so that weights change smoothly
TASKS_AT_ONCE = 100  # limits memory


class Shrinkage(NamedTuple):
    """Which features have weights of their own.

    Args:
        groups: features with common weights, as indices; x and y, for example.
        returns: whether a feature may be drawn to its mean; features that wrap may not.
    """

    groups: Sequence[Sequence[int]]
    returns: Bool[Tensor, " D"]


class Equations(NamedTuple):
    """Normal equations of each horizon and feature, and their number of observations."""

    square: Float[Tensor, "horizons D parts parts"]
    right: Float[Tensor, "horizons D parts"]
    observed: Float[Tensor, " horizons"]


def lengths_to(steps: int) -> list[int]:
    """Returns the lengths of the forecasts that are judged: `steps` and five evenly spaced shorter ones, then halves.

    Example:
        >>> lengths_to(48)
        [1, 2, 4, 8, 16, 24, 32, 40, 48]
    """
    even = {round(steps * k / EVENLY) for k in range(1, EVENLY + 1)}
    short = steps // EVENLY
    return sorted((even | {short >> k for k in range(short.bit_length())} | {1}) - {0})


def judges(steps: int, ahead: int) -> list[int]:
    """Returns the lengths of the forecasts that judge a horizon: the two shortest ones that reach it.

    Errors change as a recording goes on, and forecasts of users start at its end. A short forecast starts near the end.
    """
    return [length for length in lengths_to(steps) if length >= ahead][:2]


@torch.no_grad()
def damping(
    forecaster: Forecaster,
    tracks: Float[Tensor, "M T N D"],
    z: Int[Tensor, "M E"],
    shrinkage: Shrinkage,
) -> Float[Tensor, "horizons D parts"]:
    """Returns the weights of each horizon, for as many horizons as the forecaster has; the last ones are repeated.

    Args:
        forecaster: it is not damped itself; its region confines the forecasts.
        tracks: scaled states of held-out tasks.
        z: their structures.
        shrinkage: which features share weights.
    """
    graph, horizons = forecaster.graph, len(forecaster.damping)
    steps = min(horizons, tracks.shape[1] - 1 - graph.lags)
    lengths = lengths_to(steps)
    of_length = {length: _equations(forecaster, tracks[:, -1 - graph.lags - length :], z) for length in lengths}
    found = undamped(horizons, graph.features, tracks.device)
    for h in range(steps):
        near = range(max(0, h - int(NEAR * h)), min(steps, h + int(NEAR * h) + 1))
        judging = [(of_length[length], other) for other in near for length in judges(steps, other + 1)]
        square = sum(equations.square[other] for equations, other in judging)
        right = sum(equations.right[other] for equations, other in judging)
        count = sum(float(equations.observed[other]) for equations, other in judging)
        assert isinstance(square, Tensor)
        assert isinstance(right, Tensor)
        for group in map(list, shrinkage.groups):
            together, returns = (square[group].sum(0), right[group].sum(0)), bool(shrinkage.returns[group].all())
            found[h:, group] = _solved(*together, count * len(group), returns).float()
    return found


def _solved(
    square: Float[Tensor, "parts parts"], right: Float[Tensor, " parts"], count: float, returns: bool
) -> Float[Tensor, " parts"]:
    """Returns the weights; without observations those of the forecast of the modules."""
    start = square.new_tensor([1.0, 0.0, 0.0])
    if not count or not square.isfinite().all() or not right.isfinite().all():
        return start
    used = PARTS if returns else PARTS - 1
    kept = square[:used, :used]
    size = kept.diagonal() * (PRIOR / count)
    prior = torch.diag(size + 1e-12 * size.max().clamp(min=1e-300))
    change = torch.linalg.lstsq(kept + prior, (right - square @ start)[:used]).solution
    start[:used] += change
    return start


def _equations(forecaster: Forecaster, tracks: Float[Tensor, "M L+R+1 N D"], z: Int[Tensor, "M E"]) -> Equations:
    """Returns the normal equations of forecasts from the first state, for each of R horizons."""
    graph = forecaster.graph
    steps, d = tracks.shape[1] - 1 - graph.lags, graph.features
    square = torch.zeros(steps, d, PARTS, PARTS, dtype=torch.float64, device=tracks.device)
    right, count = square[..., 0].clone(), square[:, 0, 0, 0].clone()
    for part in torch.arange(len(tracks), device=tracks.device).split(TASKS_AT_ONCE):
        states, counts = graph.with_history(tracks[part]), counted(tracks[part], d, graph.lags, rolled=True)
        start = states[:, :1, :, :d]
        path = forecaster.rollout(states[:, :1], z[part], steps)
        parts = parts_of(start, path, len(forecaster.damping))[:, 0].double()
        truth = (states[:, 1:, :, :d] - start).double()
        weight = torch.ones_like(truth[..., 0]) if counts is None else counts.double()
        square += torch.einsum("brn,brndi,brndj->rdij", weight, parts, parts)
        right += torch.einsum("brn,brndi,brnd->rdi", weight, parts, truth)
        count += weight.sum((0, 2))
    return Equations(square, right, count)
