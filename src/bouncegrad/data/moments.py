"""Computes mean and variance of more rows than fit in memory."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


class Moments:
    """Count, mean and variance of rows of numbers that are added in blocks (Chan et al. 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.variance = np.zeros(0)

    def add(self, rows: Float[np.ndarray, "rows D"]) -> None:
        """Adds a block of rows."""
        if not len(rows):
            return
        mean = rows.mean(0)
        away = rows - mean
        variance = np.square(away, out=away).mean(0)
        if not self.count:
            self.count, self.mean, self.variance = len(rows), mean, variance
            return
        share, apart = len(rows) / (self.count + len(rows)), mean - self.mean
        self.variance = (1 - share) * self.variance + share * variance + share * (1 - share) * apart**2
        self.mean = self.mean + share * apart
        self.count += len(rows)
