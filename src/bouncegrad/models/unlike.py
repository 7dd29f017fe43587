"""Recordings that are unlike those of training: their edges are inferred, but none of them is called sure.

    range    the median of a feature lies outside of what was seen in training, or it is much wider or narrower
    loss     the median loss of the recordings is more than 1 nat per number above the loss at the end of training
    frames   there are less than a quarter of the frames of training

The usual causes are another unit, another origin, or another system.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.units import remedy
from bouncegrad.results.blocks import RESOLUTION

WIDER = 5.0  # times as wide as in training, or as narrow
LOSS = 1.0  # nats per number
FLOOR = 0.5 * math.log(2 * math.pi * math.e * RESOLUTION**2)  # loss of errors of a twentieth of a typical change
FEWER = 0.25  # of the frames of training


def out_of_range(data: Trajectories, scaling: Scaling) -> list[str]:
    """Returns a line for each feature that lies elsewhere, or is spread otherwise, than in training."""
    found, wraps, other = [], data.periods > 0, []
    x = np.asarray(data.x, np.float64)[np.ones(data.x.shape[:3], bool) if data.mask is None else data.mask]
    for d, name in enumerate(data.features):
        if wraps[d] or not len(x):
            continue
        low, middle, high = np.quantile(x[:, d], [0.25, 0.5, 0.75])
        # The middle half of a normal distribution is 1.35 standard deviations wide; that of rare bursts is narrower,
        # and the deviation of a few lost frames is wider. So both must be.
        (least, most), usual = sorted(((high - low) / 1.35, float(x[:, d].std()))), scaling.scale[d]
        elsewhere = not scaling.low[d] <= middle <= scaling.high[d]
        if elsewhere or least >= usual * WIDER or 0 < most <= usual / WIDER:
            other.append(d)
            found.append(
                f"{name} is {low:.4g} to {high:.4g} in half of the frames, and was {scaling.low[d]:.4g} to "
                f"{scaling.high[d]:.4g} in training; check its unit and its origin"
            )
    options = remedy(data, scaling.shift, scaling.scale, other)
    return [f"{line}: {options}" if options else line for line in found[:1]] + found[1:]


def unlike_training(
    data: Trajectories, scaling: Scaling, frames: int, loss: Float[np.ndarray, " M"], trained: float | None
) -> list[str]:
    """Returns lines that say how recordings differ from those of training; none if they do not.

    Args:
        data: the recordings.
        scaling: of the training part.
        frames: T of the training part.
        loss: of each recording, in nats per number.
        trained: loss at the end of training; None: not known.
    """
    found = out_of_range(data, scaling)
    middle = float(np.median(loss))
    # Below the floor, differences of losses are large and mean nothing.
    if trained is not None and middle > max(trained, FLOOR) + LOSS:
        found.append(f"the loss is {middle:.2f}, at the end of training it was {trained:.2f}: unlike what was learned")
    if data.shape[1] < FEWER * frames:
        found.append(f"{data.shape[1]} frames, in training there were {frames}: few edges can be told")
    return found
