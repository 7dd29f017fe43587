"""The pace of a run: how the learning rate falls, and how progress grows so that the run ends on time.

    cosine      rate(progress) = last + (1 - last) (1 + cos(π progress)) / 2
    by steps    progress <- progress + (1 - progress) · steps of this pass / steps left
    by time     progress <- progress + (1 - progress) · mean time of a pass / time left

The mean is taken over the last passes, so that the time of one slow pass is distributed over many passes.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean


def cosine(progress: float, last: float) -> float:
    """Returns the factor of a rate: it falls from 1 at progress 0 to `last` at progress 1, on half a cosine.

    Example:
        >>> [round(cosine(progress, 0.02), 2) for progress in (0.0, 0.5, 1.0)]
        [1.0, 0.51, 0.02]
    """
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * progress))


def advanced(progress: float, share: float) -> float:
    """Returns the progress after a pass that took this share of the rest of the run.

    Example:
        >>> advanced(0.5, 0.5), advanced(0.5, 7.0)
        (0.75, 1.0)
    """
    return progress + (1 - progress) * min(share, 1.0)


class Pace:
    """Computes which share of the time left one pass takes, from the mean time of the last passes.

    Args:
        remembered: the number of passes in the mean.
    """

    def __init__(self, remembered: int) -> None:
        self.recent: deque[float] = deque(maxlen=remembered)

    def share(self, took: float, left: float) -> float:
        """Records the seconds of a pass, and returns the share; it is 1 if the pass took all the time left."""
        self.recent.append(took)
        return fmean(self.recent) / left if took < left else 1.0
