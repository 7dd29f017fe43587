"""Forward selection: a linear regression that takes one column after the other, always the most useful one.

For columns X and an output y, both centred, with the Gram matrix `G = X'X / n` and `c = X'y / n`. Let S be the columns
that were taken. The next one is

    argmax_j  c_j² / G_jj    given S

where both are what is left of them after a fit by S: its square is the mean squared error that the column would save.
Each step makes one more row of the Cholesky factor of G, so a path of k columns out of L costs k² L operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.results.ridge import standardised

JITTER = 1e-8  # of unit variance; keeps the Gram matrix positive
COPY = 1e-6  # a column of which less is left is a copy of those that were taken
EXACT = 1e-12  # of an output's mean square: less is rounding


@dataclass(frozen=True, eq=False)
class Moments:
    """What a regression needs to know of n rows: means, and mean products, of L columns and Y outputs.

    Args:
        rows: their number.
        mean, scale: of the columns; scaled ones have unit variance.
        centre: mean of the outputs.
        gram: of scaled columns.
        along: mean products of scaled columns and centred outputs.
        power: mean squares of centred outputs.
    """

    rows: int
    mean: Float[np.ndarray, " L"]
    scale: Float[np.ndarray, " L"]
    centre: Float[np.ndarray, " Y"]
    gram: Float[np.ndarray, "L L"]
    along: Float[np.ndarray, "L Y"]
    power: Float[np.ndarray, " Y"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "n L"], y: Float[np.ndarray, "n Y"]) -> Moments:
        """Returns the moments of rows."""
        n, centre = len(x), y.mean(0)
        mean, scale = standardised(x)
        scaled, out = (x - mean) * scale, y - centre
        gram = scaled.T @ scaled / n
        gram[np.diag_indices_from(gram)] += JITTER
        return cls(n, mean, scale, centre, gram, scaled.T @ out / n, np.square(out).mean(0))

    def saved_by_one_more(self, output: int, taken: Int[np.ndarray, " k"]) -> Float[np.ndarray, " L"]:
        """Returns the mean squared error that each column would save beside those that were taken."""
        right = np.c_[self.gram[taken], self.along[taken, output]]
        by_taken = np.linalg.solve(self.gram[np.ix_(taken, taken)], right)
        along = self.along[:, output] - self.gram[:, taken] @ by_taken[:, -1]
        variance = np.diag(self.gram) - (self.gram[taken] * by_taken[:, :-1]).sum(0)
        return np.where(variance > COPY, np.square(along) / np.maximum(variance, COPY), 0.0)


class Path(NamedTuple):
    """The columns of a regression in the order in which they were taken.

    Args:
        columns: their numbers; the first `start` were given.
        start: number of given columns.
        factor: upper Cholesky factor of their Gram matrix.
        weights: of the columns after each is freed of those before it.
        left: mean squared error with the given columns, and after each further one.
    """

    columns: Int[np.ndarray, " k"]
    start: int
    factor: Float[np.ndarray, "k k"]
    weights: Float[np.ndarray, " k"]
    left: Float[np.ndarray, " steps+1"]

    def variance(self, rows: int) -> Float[np.ndarray, " steps+1"]:
        """Returns the variance of an error after each step: the mean square, corrected for what was fitted."""
        fitted = self.start + 1 + np.arange(len(self.left))
        return self.left * rows / np.maximum(rows - fitted, 1)

    def predictions(
        self, moments: Moments, output: int, x: Float[np.ndarray, "new L"]
    ) -> Float[np.ndarray, "new steps+1"]:
        """Returns predictions of an output after each step."""
        from scipy.linalg import solve_triangular  # here, since scipy is slow to load

        k = len(self.columns)
        scaled = (x[:, self.columns] - moments.mean[self.columns]) * moments.scale[self.columns]
        free = solve_triangular(self.factor, scaled.T, trans="T", check_finite=False).T if k else scaled
        sums = np.cumsum(free * self.weights, 1)
        first = np.zeros((len(x), 1))
        return moments.centre[output] + np.concatenate([first, sums], 1)[:, self.start :]


def forward(
    moments: Moments,
    output: int,
    given: Bool[np.ndarray, " L"],
    allowed: Bool[np.ndarray, " L"],
    steps: int,
) -> Path:
    """Returns the regression of an output that takes the given columns, and then up to `steps` of the allowed ones."""
    at = np.flatnonzero(given | allowed)
    variance = np.diag(moments.gram)[at]
    left, along, power = variance.copy(), moments.along[at, output], moments.power[output]
    most = min(len(at), int(given.sum()) + steps)
    factor, weights, taken = np.empty((most, len(at))), np.empty(most), np.empty(most, int)
    free, k, error = np.ones(len(at), bool), 0, [power]

    def take(j: int) -> None:
        nonlocal left, along, k
        free[j] = False
        if left[j] <= COPY * variance[j]:
            return
        row = (moments.gram[at[j], at] - factor[:k, j] @ factor[:k]) / np.sqrt(left[j])
        weights[k], factor[k], taken[k] = along[j] / np.sqrt(left[j]), row, j
        along, left = along - row * weights[k], left - row * row
        error.append(max(error[-1] - weights[k] ** 2, EXACT * power))
        k += 1

    for j in np.flatnonzero(given[at]):
        take(int(j))
    start = k
    for _ in range(steps):
        useful = free & (left > COPY * variance)
        if not useful.any():
            break
        saved = np.where(useful, along * along / np.where(useful, left, 1.0), 0.0)
        if saved.max() <= EXACT * power:
            break
        take(int(saved.argmax()))
    return Path(at[taken[:k]], start, factor[:k][:, taken[:k]], weights[:k], np.array(error[start:]))
