"""Forecast protocols: where forecasts start and how far they go, by default and in the two papers.

free   The structure is inferred from the context. One rollout starts at the last frame of the context.
kipf   The structure is inferred from the first C frames. One rollout of 20 frames starts at the frame after them.
alet   The structure is inferred from the first C frames (49 in the paper, as many as in training). Rollouts of 10
       frames start at every 10th of these frames, so the search has seen the frames that are forecast. The published
       errors for "20 steps" are measured this way, not by rollouts of 20 frames.

Source: the released code of Kipf et al. 2018 and Alet et al. 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.forecasts import roll_out, starts_of
from bouncegrad.models.model import Model
from bouncegrad.results.baselines import constant_velocity, static
from bouncegrad.results.metrics import forecast_error
from bouncegrad.results.result import Result

ProtocolName = Literal["free", "kipf", "alet"]
HORIZONS = (1, 5, 10, 20, 50)
LEAST, LONGEST = 20, 50  # fewest and most frames that `free` forecasts, where the recordings are long enough
PUBLISHED = 20  # frames that `kipf` forecasts, as published
RESTARTED = 10  # frames between two starts of `alet`, as published
MODEL, ONE_STEP = "free-running", "one-step"
STATIC, CONSTANT_VELOCITY = "static", "constant velocity"


class Plan(NamedTuple):
    """What a protocol does with recordings of a given length.

    Args:
        context: number of frames that structures are inferred from.
        starts: indices of the frames that rollouts start from.
        steps: S, frames of a rollout.
        description: where rollouts start, in words.
    """

    context: int
    starts: tuple[int, ...]
    steps: int
    description: str


def plan(protocol: ProtocolName, frames: int, context: int, lags: int) -> Plan:
    """Returns the plan of a protocol for recordings of this many frames.

    If fewer than 20 frames follow the context, `free` shortens the context so that 20 frames are left to forecast.

    Args:
        protocol: its name.
        frames: T, frames of the recordings.
        context: number of frames that structures are to be inferred from.
        lags: L, frames before the present one that the modules see.

    Raises:
        InputError: the recordings are too short for the protocol.
    """
    if protocol not in get_args(ProtocolName):
        raise InputError(f"option protocol: {protocol!r} is not known; choose {', '.join(get_args(ProtocolName))}")
    if protocol == "free":
        cut = context if frames - context >= LEAST else max(2 + lags, frames - LEAST)
        return Plan(cut, (cut - 1,), min(frames - cut, LONGEST), f"free-running from the last context frame, {cut - 1}")
    if protocol == "kipf":
        if frames < (needed := context + PUBLISHED + 1):
            raise InputError(
                f"option protocol: kipf needs {needed} frames, the data has {frames}; give longer recordings "
                "or a shorter --context"
            )
        return Plan(context, (context,), PUBLISHED, f"free-running from the frame after the context, {context}")
    if context < (needed := lags + RESTARTED + 1):
        raise InputError(f"option protocol: alet needs a context of {needed} frames, not {context}; give more")
    starts = tuple(range(lags, context - RESTARTED, RESTARTED))
    return Plan(context, starts, RESTARTED, f"free-running, restarted every {RESTARTED} frames")


def forecast_errors(
    model: Model,
    data: Trajectories,
    planned: Plan,
    result: Result,
    only: Container[str] = (MODEL, ONE_STEP, STATIC, CONSTANT_VELOCITY),
) -> dict[str, Float[np.ndarray, " S"]]:
    """Returns mean squared errors by horizon, in the published normalisation, of the model and of the baselines.

    "one-step" forecasts each frame from the true frame before it; its horizon h is the same frame as for the others.

    Args:
        model: the trained model.
        data: tasks. A cell counts if it was observed both in the forecast frame and where the forecast starts.
        planned: the plan of the protocol.
        result: structures inferred from `planned.context` frames.
        only: names of the forecasts to compute.
    """
    steps, data = planned.steps, model.adopted(data)
    known = data.frames(0, planned.starts[-1] + 1 + steps).require_finite()
    mask = np.ones(known.shape[:3], bool) if known.mask is None else known.mask
    seen = data.frames(0, planned.context)

    def rolled(frames: range, steps: int) -> Float[np.ndarray, "M C S N D"]:
        return roll_out(model, starts_of(model, seen, known, frames, result), steps)

    forecasts: dict[str, Callable[[int], Float[np.ndarray, "M S N D"]]] = {
        MODEL: lambda start: rolled(range(start, start + 1), steps)[:, 0],
        ONE_STEP: lambda start: rolled(range(start, start + steps), 1)[:, :, 0],
        STATIC: lambda start: static(known, steps, start),
        CONSTANT_VELOCITY: lambda start: constant_velocity(known, steps, start),
    }
    ahead = [slice(start + 1, start + 1 + steps) for start in planned.starts]
    truth = np.concatenate([known.x[:, frames] for frames in ahead])
    there = np.concatenate([mask[:, frames] for frames in ahead])
    from_start = np.concatenate([np.repeat(mask[:, start : start + 1], steps, 1) for start in planned.starts])
    from_before = np.concatenate([mask[:, start : start + steps] for start in planned.starts])
    errors, factors = {}, model.scaling.published()
    for name, forecast in forecasts.items():
        if name not in only or (model.forecaster is None and name in (MODEL, ONE_STEP)):
            continue
        path = np.concatenate([forecast(start) for start in planned.starts])
        counts = there & (from_before if name == ONE_STEP else from_start)
        found = forecast_error(truth, path, factors, None if known.mask is None else counts, model.periods)
        assert found is not None
        errors[name] = found
    return errors
