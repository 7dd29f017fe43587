"""States that a tracker writes where it lost an entity, such as (0, 0): they become missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories, plural


def without_lost(values: Float[np.ndarray, "*S D"], lost: Sequence[float], source: str) -> Float[np.ndarray, "*S D"]:
    """Returns states with NaN where the first features have the values of a lost state.

    Args:
        values: the states.
        lost: a number for each of the first features; empty if there is no such state.
        source: the file, for messages.

    Raises:
        InputError: there are more numbers than features.

    Example:
        >>> without_lost(np.array([[0.0, 0.0], [0.0, 3.0]]), (0, 0), "array").tolist()
        [[nan, nan], [0.0, 3.0]]
    """
    if not lost:
        return values
    count = values.shape[-1]
    if len(lost) > count:
        raise InputError(f"{source}: option missing has {len(lost)} numbers for {count} {plural('feature', count)}")
    same = (values[..., : len(lost)] == np.array(lost)).all(-1)
    return np.where(same[..., None], np.nan, values)


def with_lost_missing(data: Trajectories, lost: Sequence[float]) -> Trajectories:
    """Returns the same recordings, in which the lost states are missing."""
    return replace(data, x=without_lost(data.x, lost, data.source)) if lost else data
