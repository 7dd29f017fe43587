"""Computes time derivatives of recorded positions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

METHOD = (
    "central differences, one-sided second-order differences at the ends and beside gaps, "
    "first-order differences where there are only two frames"
)

# Each entry has the weights of x at the frames t + offset that give dt times the derivative at t. The first entry whose
# frames were all observed is used.
_STENCILS = (
    {-1: -0.5, 1: 0.5},
    {0: -1.5, 1: 2.0, 2: -0.5},
    {0: 1.5, -1: -2.0, -2: 0.5},
    {0: -1.0, 1: 1.0},
    {0: 1.0, -1: -1.0},
)


def velocities(
    position: Float[np.ndarray, "M T N P"], mask: Bool[np.ndarray, "M T N"] | None, dt: float
) -> tuple[Float[np.ndarray, "M T N P"], Bool[np.ndarray, "M T N"] | None]:
    """Returns the velocities of positions, and the mask of the cells where both are known.

    A frame between two unobserved ones has no velocity: it becomes unobserved too, and its velocity is 0.

    Args:
        position: positions, in the user's units.
        mask: true where an entity was observed; None if it was everywhere.
        dt: time between two frames.
    """
    if mask is None:
        return derivative(position, dt).astype(position.dtype), None
    velocity = derivative(np.where(mask[..., None], position, np.nan), dt)
    mask = mask & np.isfinite(velocity).all(-1)
    return np.where(mask[..., None], velocity, 0.0).astype(position.dtype), mask


def derivative(position: Float[np.ndarray, "M T N D"], dt: float) -> Float[np.ndarray, "M T N D"]:
    """Returns the time derivative by `METHOD`; it is NaN in unobserved frames and in frames without a neighbour."""
    result = np.full(position.shape, np.nan)
    frames = position.shape[1]
    for stencil in _STENCILS:
        reach = range(max(0, -min(stencil)), frames - max(0, *stencil))
        if not reach:
            continue
        inside = slice(reach.start, reach.stop)
        slope = sum(weight * position[:, reach.start + k : reach.stop + k] for k, weight in stencil.items()) / dt
        # A central difference does not use the position at t, but only observed frames may have a derivative.
        empty = np.isnan(result[:, inside]) & ~np.isnan(position[:, inside])
        result[:, inside] = np.where(empty, slope, result[:, inside])
    return result
