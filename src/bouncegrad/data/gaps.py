"""Fills short gaps: frames in which an entity was not observed.

Up to 5 unobserved frames in a row between two observed ones are filled by a cubic spline through the observed states,
so that the entity keeps acting on others. Modules learn nothing from filled states. In longer gaps, before the first
and after the last observed frame, the entity counts as absent.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.angles import unwrapped
from bouncegrad.data.trajectories import Trajectories

LONGEST = 5  # frames in a row; across longer gaps a spline would be a guess


def filled(data: Trajectories) -> tuple[Float[np.ndarray, "M T N D"], Bool[np.ndarray, "M T N"]]:
    """Returns states with short gaps filled, and where an entity is present. Values in other gaps are unchanged.

    Values that the mask hides are never used.

    Example:
        >>> x = np.arange(6.0)[None, :, None, None].repeat(2, 2)
        >>> mask = np.ones((1, 6, 2), bool)
        >>> mask[0, 2, 0] = mask[0, 5, 1] = False
        >>> x[0, 2, 0] = 99.0
        >>> states, present = filled(Trajectories(x, mask=mask))
        >>> states[0, :, 0, 0].tolist(), present[0, :, 1].tolist()
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [True, True, True, True, True, False])
    """
    x, t, periods = np.array(data.x, np.float64), np.arange(data.shape[1]), data.periods
    if data.mask is None:
        return x, np.ones(x.shape[:3], bool)
    from scipy.interpolate import CubicSpline  # imported here, since few recordings have gaps and it is slow to load

    present = data.mask.copy()
    for task, entity in zip(*np.nonzero(~data.mask.all(1)), strict=True):
        observed = np.flatnonzero(data.mask[task, :, entity])
        gap = np.searchsorted(observed, t)
        inside = (gap > 0) & (gap < len(observed)) & ~data.mask[task, :, entity]
        wide = np.diff(observed, prepend=-1, append=len(t))
        short = inside & (wide[gap] - 1 <= LONGEST)
        if short.any():
            x[task, short, entity] = CubicSpline(observed, unwrapped(x[task, observed, entity], periods))(t[short])
            present[task, short, entity] = True
    return x, present
