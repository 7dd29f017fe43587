"""Gaps: frames in which an entity was not recorded.

Between two frames in which it was, up to 5 in a row are filled in by a cubic spline through what was recorded, so that
others go on being acted on; nothing is learned from them. Where more are missing, and before the first and after the
last, the entity counts as away.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.angles import unwrapped
from bouncegrad.data.trajectories import Trajectories

LONGEST = 5  # frames in a row


def filled(data: Trajectories) -> tuple[Float[np.ndarray, "M T N D"], Bool[np.ndarray, "M T N"]]:
    """States with short gaps filled in, and where there is one; the values in other gaps are as they were.

    What a mask hides is never read.

    Example:
        >>> x = np.arange(6.0)[None, :, None, None].repeat(2, 2)
        >>> mask = np.ones((1, 6, 2), bool)
        >>> mask[0, 2, 0] = mask[0, 5, 1] = False
        >>> x[0, 2, 0] = 99.0
        >>> states, there = filled(Trajectories(x, mask=mask))
        >>> states[0, :, 0, 0].tolist(), there[0, :, 1].tolist()
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [True, True, True, True, True, False])
    """
    x, t, periods = np.array(data.x, np.float64), np.arange(data.shape[1]), data.periods
    if data.mask is None:
        return x, np.ones(x.shape[:3], bool)
    from scipy.interpolate import CubicSpline  # here, since few recordings have gaps and it is slow to load

    there = data.mask.copy()
    for task, entity in zip(*np.nonzero(~data.mask.all(1)), strict=True):
        seen = np.flatnonzero(data.mask[task, :, entity])
        gap = np.searchsorted(seen, t)
        inside = (gap > 0) & (gap < len(seen)) & ~data.mask[task, :, entity]
        wide = np.diff(seen, prepend=-1, append=len(t))
        short = inside & (wide[gap] - 1 <= LONGEST)
        if short.any():
            x[task, short, entity] = CubicSpline(seen, unwrapped(x[task, seen, entity], periods))(t[short])
            there[task, short, entity] = True
    return x, there
