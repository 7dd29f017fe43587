"""Computes with features that have the same meaning after a period: angles, and positions in a periodic box.

    wrapped    differences in [-half a turn, half a turn), the shorter way round
    unwrapped  tracks in which every step is the shorter way round, so that splines and changes see no jump

Users state which features are angles, `phase` in radians or `heading:deg` in degrees. They also state which positions
wrap at periodic walls, and the size of the box: `x:10`. Nothing is guessed from names or values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.errors import InputError

TURNS = {"rad": 2 * math.pi, "deg": 360.0}


def periods_of(
    angles: Sequence[str], features: Sequence[str], units: Sequence[str], source: str, periodic: Sequence[str] = ()
) -> Float[np.ndarray, " D"]:
    """Returns the period of each feature in its own unit; 0 for a feature that does not wrap.

    It is a full turn for an angle, and the size of the box for a periodic position.

    Raises:
        InputError: there is no such feature or unit, or the feature has another unit; or the size is no positive
            number.

    Example:
        >>> periods_of(("heading:deg",), ("x", "heading"), ("m", ""), "array", ("x:8",)).tolist()
        [8.0, 360.0]
    """
    periods = box_sizes(periodic, features, source)
    for angle in angles:
        name, _, unit = angle.partition(":")
        if name not in features:
            raise InputError(f"{source}: angle {name!r} is no feature; it has {', '.join(features)}")
        at = list(features).index(name)
        if periods[at]:
            raise InputError(f"{source}: {name!r} is stated twice, as an angle and as a periodic position; give one")
        stated = units[at] if units[at] in TURNS else ""
        if (unit or "rad") not in TURNS or (stated and stated != (unit or "rad")):
            found = f"has the unit {stated}" if stated else "is in radians or degrees"
            raise InputError(f"{source}: angle {angle!r} {found}; name it {name} or {name}:deg")
        periods[at] = TURNS[unit or "rad"]
    return periods


def box_sizes(periodic: Sequence[str], features: Sequence[str], source: str) -> Float[np.ndarray, " D"]:
    """Returns the size of the periodic box along each feature; 0 for a feature that does not wrap there.

    Raises:
        InputError: there is no such feature, it is stated twice, or its size is no positive number.

    Example:
        >>> box_sizes(("y:2.5",), ("x", "y"), "array").tolist()
        [0.0, 2.5]
    """
    sizes = np.zeros(len(features))
    for stated in periodic:
        name, _, text = stated.rpartition(":")
        try:
            size = float(text)
        except ValueError:
            size = 0.0
        if not (name and math.isfinite(size) and size > 0):
            raise InputError(f"{source}: option periodic: {stated!r} has no size of the box; give it as x:10")
        if name not in features:
            raise InputError(f"{source}: option periodic: {name!r} is no feature; it has {', '.join(features)}")
        at = list(features).index(name)
        if sizes[at]:
            raise InputError(f"{source}: option periodic: {name!r} is stated twice; give one size")
        sizes[at] = size
    return sizes


def as_stated(sizes: Sequence[float] | Float[np.ndarray, " D"], features: Sequence[str]) -> tuple[str, ...]:
    """Returns the notation of periodic positions, in the order of the features; `box_sizes` reads it back exactly.

    Example:
        >>> as_stated((0.0, 10.0), ("x", "y"))
        ('y:10',)
    """
    pairs = zip(features, sizes, strict=False)
    return tuple(f"{name}:{float(size)!r}".removesuffix(".0") for name, size in pairs if size)


def wrapped(difference: Float[np.ndarray, "*S D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "*S D"]:
    """Returns differences the shorter way round, in [-half a period, half a period); others are unchanged."""
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


def continued(track: Float[np.ndarray, "T N D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "T N D"]:
    """Returns tracks to draw, which start where they are and go on over periodic walls; NaN stays.

    Example:
        >>> continued(np.array([2.0, np.nan, 3.5, 0.5])[:, None, None], np.array([4.0]))[:, 0, 0].tolist()
        [2.0, nan, 3.5, 4.5]
    """
    if not periods.any():
        return track
    there = np.isfinite(track).all(-1)
    made = without_seams(track[None], there[None], periods)[0]
    first = there.argmax(0)[None, :, None]
    start = np.take_along_axis(track, first, 0) - np.take_along_axis(made, first, 0)
    return np.where(there[..., None], made + start, np.nan)


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
