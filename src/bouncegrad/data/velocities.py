"""Velocities derived from positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories

METHOD = (
    "central differences, one-sided second-order differences at the ends and beside gaps, "
    "first-order ones where only two frames are at hand"
)

AXES = ("x", "y", "z")

# Weights of x at frames t + offset, for the derivative at t times dt; the first whose frames are all there is used.
_STENCILS = (
    {-1: -0.5, 1: 0.5},
    {0: -1.5, 1: 2.0, 2: -0.5},
    {0: 1.5, -1: -2.0, -2: 0.5},
    {0: -1.0, 1: 1.0},
    {0: 1.0, -1: -1.0},
)


def with_velocities(data: Trajectories) -> Trajectories:
    """The same recordings with features vx, vy (vz) behind the others, one for each of x, y, z.

    `vx(t) = (x(t + dt) - x(t - dt)) / (2 dt)` inside; at the first frame
    `vx(t) = (-3 x(t) + 4 x(t + dt) - x(t + 2 dt)) / (2 dt)`, mirrored at the last; with two frames only, their
    difference over dt. A frame beside an unobserved one counts as an end, and a frame between two unobserved ones has
    no velocity: it becomes unobserved too.

    Units of time are not recorded, so positions in `m` give velocities in `m/time`, time being in the unit of dt.

    Raises:
        InputError: there is no feature x, or there are velocities already.

    Example:
        >>> track = np.array([0.0, 1.0, 4.0])[None, :, None, None].repeat(2, axis=2)
        >>> with_velocities(Trajectories(track, features=("x",))).x[0, :, 0, 1].tolist()
        [0.0, 2.0, 4.0]
    """
    axes = [axis for axis in AXES if axis in data.features]
    if "x" not in axes:
        raise InputError(
            f"{data.source}: velocities come from the features x, y, z, found {', '.join(data.features)}; rename them"
        )
    if there := [f"v{axis}" for axis in AXES if f"v{axis}" in data.features]:
        raise InputError(f"{data.source}: has {' and '.join(there)} already; do not ask for velocities, or remove them")
    index = [data.features.index(axis) for axis in axes]
    place = data.x[..., index]
    if data.mask is not None:
        place = np.where(data.mask[..., None], place, np.nan)
    velocity = derivative(place, data.dt)
    mask = data.mask
    if mask is not None:
        mask = mask & np.isfinite(velocity).all(-1)
        velocity = np.where(mask[..., None], velocity, 0.0)
    return replace(
        data,
        x=np.concatenate([data.x, velocity.astype(data.x.dtype)], axis=-1),
        mask=mask,
        features=data.features + tuple(f"v{axis}" for axis in axes),
        units=data.units + tuple(f"{data.units[i]}/time" if data.units[i] else "" for i in index),
        derived=tuple(f"v{axis}" for axis in axes),
    )


def derived_anew(data: Trajectories) -> Trajectories:
    """The same recordings, velocities derived from the frames that are there: after a cut, none knows later frames."""
    kept = [i for i, name in enumerate(data.features) if name not in data.derived]
    names, units = (tuple(field[i] for i in kept) for field in (data.features, data.units))
    return with_velocities(replace(data, x=data.x[..., kept], features=names, units=units, derived=()))


def derivative(place: Float[np.ndarray, "M T N D"], dt: float) -> Float[np.ndarray, "M T N D"]:
    """The derivative by time by `METHOD`; NaN marks frames that are not there, and frames with no neighbour."""
    result = np.full(place.shape, np.nan)
    frames = place.shape[1]
    for stencil in _STENCILS:
        reach = range(max(0, -min(stencil)), frames - max(0, *stencil))
        if not reach:
            continue
        here = slice(reach.start, reach.stop)
        slope = sum(weight * place[:, reach.start + k : reach.stop + k] for k, weight in stencil.items()) / dt
        # A central difference skips its own frame, which must be there all the same.
        empty = np.isnan(result[:, here]) & ~np.isnan(place[:, here])
        result[:, here] = np.where(empty, slope, result[:, here])
    return result
