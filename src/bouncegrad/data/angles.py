"""Computes with angles: features that have the same meaning after a full turn.

    wrapped    differences in [-half a turn, half a turn), the shorter way round
    unwrapped  tracks in which every step is the shorter way round, so that splines and changes see no jump

Users state which features are angles, `phase` in radians or `heading:deg` in degrees. Nothing is guessed from names or
values.
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
    """Returns the period of each feature in its own unit: a full turn for angles, 0 for other features.

    Raises:
        InputError: there is no such feature or unit, or the feature has another unit.

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
    """Returns differences of angles the shorter way round, in [-half a turn, half a turn); others are unchanged."""
    return from_start(difference, periods, -periods / 2)


def from_start(
    x: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"], start: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "*S D"]:
    """Returns angles as numbers in [start, start + a full turn); other features are unchanged."""
    if not periods.any():
        return x
    turn = np.where(periods > 0, periods, 1.0)
    x = np.asarray(x, np.float64)
    around = np.mod(x - start, turn)
    # The remainder of a tiny negative number is rounded up to a full turn.
    return np.where(periods > 0, start + np.where(around < turn, around, 0.0), x)


def unwrapped(
    track: Float[np.ndarray, "T *rest D"], periods: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "T *rest D"]:
    """Returns tracks along the first axis in which angles do not jump.

    The first angle is in [-half a turn, half a turn). Each next one is reached by the shorter way round.
    """
    if not periods.any():
        return track
    first = wrapped(track[:1], periods)
    return np.concatenate([first, first + wrapped(np.diff(track, axis=0), periods).cumsum(0)])


def with_breaks(
    time: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"], period: float
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """Returns a line to draw, with a NaN wherever an angle jumps by a full turn; unchanged if `period` is 0.

    Example:
        >>> with_breaks(np.arange(3.0), np.array([170.0, -170.0, -150.0]), 360.0)[1].tolist()
        [170.0, nan, -170.0, -150.0]
    """
    if not period:
        return time, values
    jumps = np.flatnonzero(np.abs(np.diff(values)) > period / 2) + 1
    return np.insert(time, jumps, time[jumps]), np.insert(values, jumps, np.nan)


def as_sines(x: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "*S D+angles"]:
    """Returns states in which every angle is replaced by its sine; the cosines follow after all features."""
    at = np.flatnonzero(periods)
    if not at.size:
        return x
    angle = 2 * np.pi * np.asarray(x, np.float64)[..., at] / periods[at]
    made = np.array(x, np.float64)
    made[..., at] = np.sin(angle)
    return np.concatenate([made, np.cos(angle)], -1)


def without_seams(
    x: Float[np.ndarray, "M T N D"], present: Bool[np.ndarray, "M T N"] | None, periods: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "M T N D"]:
    """Returns tracks in which angles are unwrapped. States where `present` is false are not used.

    There the last present state of the entity is repeated; before its first one, states are 0.
    """
    if not periods.any():
        return x
    if present is not None:
        frame = np.maximum.accumulate(np.where(present, np.arange(x.shape[1])[:, None], 0), axis=1)
        x = np.take_along_axis(x, frame[..., None], axis=1)
        x = np.where(np.logical_or.accumulate(present, axis=1)[..., None], x, 0.0)
    return unwrapped(x.swapaxes(0, 1), periods).swapaxes(0, 1)
