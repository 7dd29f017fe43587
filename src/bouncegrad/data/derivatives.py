"""Derivatives by time of recorded positions, on arrays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

METHOD = (
    "central differences, one-sided second-order differences at the ends and beside gaps, "
    "first-order ones where only two frames are at hand"
)

# Weights of x at frames t + offset, for the derivative at t times dt; the first whose frames are all there is used.
_STENCILS = (
    {-1: -0.5, 1: 0.5},
    {0: -1.5, 1: 2.0, 2: -0.5},
    {0: 1.5, -1: -2.0, -2: 0.5},
    {0: -1.0, 1: 1.0},
    {0: 1.0, -1: -1.0},
)


def velocities(
    place: Float[np.ndarray, "M T N P"], mask: Bool[np.ndarray, "M T N"] | None, dt: float
) -> tuple[Float[np.ndarray, "M T N P"], Bool[np.ndarray, "M T N"] | None]:
    """Returns the velocities of positions, and where both are known.

    A frame between two unobserved ones has no velocity: it becomes unobserved too, and its velocity is 0.

    Args:
        place: positions, in the user's units.
        mask: true where an entity was observed; None: everywhere.
        dt: time between two frames.
    """
    if mask is None:
        return derivative(place, dt).astype(place.dtype), None
    velocity = derivative(np.where(mask[..., None], place, np.nan), dt)
    mask = mask & np.isfinite(velocity).all(-1)
    return np.where(mask[..., None], velocity, 0.0).astype(place.dtype), mask


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
