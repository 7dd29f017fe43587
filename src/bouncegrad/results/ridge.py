"""Ridge regression with exact leave-one-out errors.

With standardised regressors X and n rows, `H = (X'X / n + penalty)^-1` and the coefficients are `b = H X'y / n`. A row
x has leverage `1 / n + x'Hx / n`, and its leave-one-out error is `residual / (1 - leverage)` (Allen, 1974).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

PENALTIES = 10.0 ** np.arange(-9, 2)  # per row; regressors have unit variance
LEAST_FREE = 1e-9  # 1 - leverage of a row that is fitted exactly


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fit of Y outputs, each with the penalty that has the least leave-one-out error.

    Args:
        mean: of each regressor in the rows of the fit.
        scale: from the deviation of a regressor to its scaled value; 0 for a constant regressor.
        centre: mean of each output.
        penalty: of each output.
        weights: of scaled regressors.
        left_out: leave-one-out error of each row and output.
    """

    mean: Float[np.ndarray, " F"]
    scale: Float[np.ndarray, " F"]
    centre: Float[np.ndarray, " Y"]
    penalty: Float[np.ndarray, " Y"]
    weights: Float[np.ndarray, "F Y"]
    left_out: Float[np.ndarray, "n Y"]

    @property
    def variance(self) -> Float[np.ndarray, " Y"]:
        """The mean squared leave-one-out error of each output."""
        return np.asarray(np.square(self.left_out).mean(0))

    def predict(self, x: Float[np.ndarray, "new F"]) -> Float[np.ndarray, "new Y"]:
        """Returns the outputs of new rows."""
        return self.centre + ((x - self.mean) * self.scale) @ self.weights


def standardised(x: Float[np.ndarray, "n F"]) -> tuple[Float[np.ndarray, " F"], Float[np.ndarray, " F"]]:
    """Returns the mean of each column, and 1 over its standard deviation; the latter is 0 for a constant column."""
    mean, deviation = x.mean(0), x.std(0)
    # A constant column differs from its mean by rounding only.
    changes = deviation > 1e-12 * np.abs(x).max(0, initial=0)
    return mean, np.divide(1.0, deviation, out=np.zeros_like(deviation), where=changes)


def fit(
    x: Float[np.ndarray, "n F"],
    y: Float[np.ndarray, "n Y"],
    penalties: Float[np.ndarray, " P"] = PENALTIES,
    together: int = 1,
) -> Ridge:
    """Returns the fit of each output with its best penalty.

    Args:
        x: regressors.
        y: outputs.
        penalties: those that are tried.
        together: so many successive outputs share a penalty, such as the features of an entity.
    """
    n, centre = len(x), y.mean(0)
    mean, scale = standardised(x)
    rows, out = (x - mean) * scale, y - centre
    spread, axes = np.linalg.eigh(rows.T @ rows / n)
    scores = rows @ axes
    along, kept = scores.T @ out / n, 1 / (np.maximum(spread, 0) + penalties[:, None])
    free = np.maximum(1 - 1 / n - np.square(scores) @ kept.T / n, LEAST_FREE)

    def left_out(k: int) -> Float[np.ndarray, "n Y"]:
        return (out - scores @ (kept[k][:, None] * along)) / free[:, [k]]

    errors = np.stack([np.square(left_out(k)).mean(0) for k in range(len(penalties))])
    best = np.repeat(errors.reshape(len(penalties), -1, together).sum(2).argmin(0), together)
    found = np.empty_like(out)
    for k in np.unique(best):
        found[:, best == k] = left_out(k)[:, best == k]
    return Ridge(mean, scale, centre, penalties[best], axes @ (along * kept[best].T), found)
