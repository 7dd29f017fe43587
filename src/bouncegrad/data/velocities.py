"""Adds velocities that are derived from positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bouncegrad.data.angles import without_seams
from bouncegrad.data.derivatives import velocities
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import POSITIONS, Trajectories


def with_velocities(data: Trajectories) -> Trajectories:
    """Returns the same recordings with the features vx, vy (vz) after the others, one for each of x, y, z.

    Inside a recording `vx(t) = (x(t + dt) - x(t - dt)) / (2 dt)`. At the first frame
    `vx(t) = (-3 x(t) + 4 x(t + dt) - x(t + 2 dt)) / (2 dt)`, and mirrored in time at the last frame. With only two
    frames, it is their difference divided by dt. A frame beside an unobserved one is treated as an end. A frame between
    two unobserved ones has no velocity, so it becomes unobserved too.

    The unit of time is not known, so positions in `m` give velocities in `m/time`, where time has the unit of dt.

    Raises:
        InputError: there is no feature x, or there are velocities already.

    Example:
        >>> track = np.array([0.0, 1.0, 4.0])[None, :, None, None].repeat(2, axis=2)
        >>> with_velocities(Trajectories(track, features=("x",))).x[0, :, 0, 1].tolist()
        [0.0, 2.0, 4.0]
    """
    axes = [axis for axis in POSITIONS if axis in data.features]
    if "x" not in axes:
        raise InputError(
            f"{data.source}: velocities come from the features x, y, z, found {', '.join(data.features)}; rename them"
        )
    if present := [f"v{axis}" for axis in POSITIONS if f"v{axis}" in data.features]:
        found = " and ".join(present)
        raise InputError(f"{data.source}: has {found} already; do not ask for velocities, or remove them")
    index = [data.features.index(axis) for axis in axes]
    position = without_seams(data.x[..., index], data.mask, data.periods[index]).astype(data.x.dtype, copy=False)
    velocity, mask = velocities(position, data.mask, data.dt)
    return replace(
        data,
        x=np.concatenate([data.x, velocity], axis=-1),
        mask=mask,
        features=data.features + tuple(f"v{axis}" for axis in axes),
        units=data.units + tuple(f"{data.units[i]}/time" if data.units[i] else "" for i in index),
        derived=tuple(f"v{axis}" for axis in axes),
    )
