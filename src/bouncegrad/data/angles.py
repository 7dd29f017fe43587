"""Angles: features that come back to where they were after a whole turn.

    wrapped    differences go the shorter way round, -half a turn to half a turn
    unwrapped  a track in which every step is the shorter way: a spline, or a change, then knows no seam

An angle is named as one, `phase` in radians or `heading:deg` in degrees; nothing is guessed from names or values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.errors import InputError

TURNS = {"rad": 2 * math.pi, "deg": 360.0}


def periods_of(
    angles: Sequence[str], features: Sequence[str], units: Sequence[str], source: str
) -> Float[np.ndarray, " D"]:
    """A whole turn of each feature in its own unit; 0 for features that are no angles.

    Raises:
        InputError: no such feature, no such unit, or another unit than the feature has.

    Example:
        >>> periods_of(("heading:deg",), ("x", "heading"), ("m", ""), "array").tolist()
        [0.0, 360.0]
    """
    periods = np.zeros(len(features))
    for angle in angles:
        name, _, unit = angle.partition(":")
        if name not in features:
            raise InputError(f"{source}: angle {name!r} is no feature; it has {', '.join(features)}")
        at = list(features).index(name)
        stated = units[at] if units[at] in TURNS else ""
        if (unit or "rad") not in TURNS or (stated and stated != (unit or "rad")):
            found = f"has the unit {stated}" if stated else "is in radians or degrees"
            raise InputError(f"{source}: angle {angle!r} {found}; name it {name} or {name}:deg")
        periods[at] = TURNS[unit or "rad"]
    return periods


def wrapped(difference: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "*S D"]:
    """Differences of angles the shorter way round, in [-half a turn, half a turn); of other features as they are."""
    return from_start(difference, periods, -periods / 2)


def from_start(
    x: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"], start: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "*S D"]:
    """Angles as numbers from `start` to a turn further; other features as they are."""
    if not periods.any():
        return x
    turn = np.where(periods > 0, periods, 1.0)
    x = np.asarray(x, np.float64)
    around = np.mod(x - start, turn)
    # The remainder of a tiny negative number is rounded up to a whole turn.
    return np.where(periods > 0, start + np.where(around < turn, around, 0.0), x)


def unwrapped(
    track: Float[np.ndarray, "T *rest D"], periods: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "T *rest D"]:
    """Tracks along the first axis, angles from the first, within half a turn of 0, on by the shorter way each step."""
    if not periods.any():
        return track
    first = wrapped(track[:1], periods)
    return np.concatenate([first, first + wrapped(np.diff(track, axis=0), periods).cumsum(0)])


def with_breaks(
    time: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"], period: float
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """A line to draw, with a NaN wherever an angle passes its seam; as it is where `period` is 0.

    Example:
        >>> with_breaks(np.arange(3.0), np.array([170.0, -170.0, -150.0]), 360.0)[1].tolist()
        [170.0, nan, -170.0, -150.0]
    """
    if not period:
        return time, values
    seams = np.flatnonzero(np.abs(np.diff(values)) > period / 2) + 1
    return np.insert(time, seams, time[seams]), np.insert(values, seams, np.nan)


def as_sines(x: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "*S D+angles"]:
    """States with the sine of every angle in its place, and the cosines behind all features."""
    at = np.flatnonzero(periods)
    if not at.size:
        return x
    angle = 2 * np.pi * np.asarray(x, np.float64)[..., at] / periods[at]
    made = np.array(x, np.float64)
    made[..., at] = np.sin(angle)
    return np.concatenate([made, np.cos(angle)], -1)


def without_seams(
    x: Float[np.ndarray, "M T N D"], there: Bool[np.ndarray, "M T N"] | None, periods: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "M T N D"]:
    """Tracks in which angles are unwrapped; where nobody is, what stands there is left out."""
    if not periods.any():
        return x
    if there is not None:  # the last state that there is stands for those that are not
        frame = np.maximum.accumulate(np.where(there, np.arange(x.shape[1])[:, None], 0), axis=1)
        x = np.take_along_axis(x, frame[..., None], axis=1)
        x = np.where(np.logical_or.accumulate(there, axis=1)[..., None], x, 0.0)
    return unwrapped(x.swapaxes(0, 1), periods).swapaxes(0, 1)
