"""Scores of forecasts that state how uncertain they are: the share inside their intervals, and the CRPS.

    CRPS(F, y) = ∫ (F(s) - [s >= y])² ds

F is the distribution function that the forecast states, y what happened. The CRPS has the unit of y. For a forecast
without spread it is the absolute error, and no forecast has a smaller mean than the true distribution.

Source: Gneiting and Raftery 2007, "Strictly proper scoring rules, prediction, and estimation".
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bouncegrad.results.forecast import INTERVAL

TINY = 1e-100  # smaller deviations would overflow
REACH = NormalDist().inv_cdf((1 + INTERVAL) / 2)  # standard deviations to either end of an interval of 90 %


class Normal(NamedTuple):
    """A normal distribution of every number, by mean and standard deviation."""

    mean: Float[np.ndarray, "M S N D"]
    deviation: Float[np.ndarray, "M S N D"]

    def covers(self, truth: Float[np.ndarray, "M S N D"]) -> Float[np.ndarray, "M S N D"]:
        """Returns 1 where the truth lies inside the interval of 90 %, and 0 elsewhere."""
        return (np.abs(truth - self.mean) <= REACH * self.deviation).astype(float)

    def crps(self, truth: Float[np.ndarray, "M S N D"]) -> Float[np.ndarray, "M S N D"]:
        """Returns the CRPS of each number.

        `σ (u (2 Φ(u) - 1) + 2 φ(u) - 1 / sqrt(π))` with `u = (y - mean) / σ`, φ and Φ the standard normal density and
        distribution function.
        """
        from scipy.special import ndtr  # here, since scipy is slow to load

        sigma = np.maximum(self.deviation, TINY)
        u = (truth - self.mean) / sigma
        density = np.exp(-u * u / 2) / np.sqrt(2 * np.pi)
        return sigma * (u * (2 * ndtr(u) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def crps_of_samples(
    ranked: Float[np.ndarray, "samples M S N D"], truth: Float[np.ndarray, "M S N D"]
) -> Float[np.ndarray, "M S N D"]:
    """Returns the CRPS of the distribution of some samples, sorted along their first axis.

    `mean |x_i - y| - mean |x_i - x_j| / 2`, the second term from ranks: `Σ (2 i - n - 1) x_i / n²`.
    """
    n = len(ranked)
    rank = (2 * np.arange(1, n + 1) - n - 1).reshape(-1, *[1] * truth.ndim)
    return np.abs(ranked - truth).mean(0) - (rank * ranked).sum(0) / n**2
