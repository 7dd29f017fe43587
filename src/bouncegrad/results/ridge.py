"""Ridge regression with exact leave-one-out errors, and its refits without one group of regressors.

With standardised regressors X and n rows, `H = (X'X / n + penalty)^-1` and the coefficients are `b = H X'y / n`. A row
x has leverage `1 / n + x'Hx / n`, and its leave-one-out error is `residual / (1 - leverage)` (Allen, 1974).

Without the columns s, the same penalty gives, by the inverse of a block matrix,

    prediction - x' H_s (H_ss)^-1 b_s    and    leverage - x' H_s (H_ss)^-1 H_s' x / n

so a refit costs a product with a small block instead of a new decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

PENALTIES = 10.0 ** np.arange(-9, 2)  # per row; regressors have unit variance
LEAST_FREE = 1e-9  # 1 - leverage of a row that is fitted exactly


class Refits(NamedTuple):
    """Fits without one group of regressors each.

    Args:
        predictions: of new rows.
        left_out: leave-one-out errors of the rows of the fit.
        size: of the group's coefficients over their standard errors: `sqrt(n b_s' (H_ss)^-1 b_s / variance)`. For one
            column it is the size of its t-value.
    """

    predictions: Float[np.ndarray, "S new Y"]
    left_out: Float[np.ndarray, "S n Y"]
    size: Float[np.ndarray, "S Y"]

    @property
    def variance(self) -> Float[np.ndarray, "S Y"]:
        """The mean squared leave-one-out error."""
        return np.asarray(np.square(self.left_out).mean(1))


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fit of Y outputs, each with the penalty that has the least leave-one-out error.

    Args:
        mean: of each regressor in the rows of the fit.
        scale: from the deviation of a regressor to its scaled value; 0 for a constant regressor.
        centre: mean of each output.
        penalty: of each output.
        weights: of scaled regressors.
        spread, axes: eigenvalues and eigenvectors of X'X / n.
        rows: scaled regressors of the fit.
        residual: of each row and output.
        left_out: leave-one-out error of each row and output.
    """

    mean: Float[np.ndarray, " F"]
    scale: Float[np.ndarray, " F"]
    centre: Float[np.ndarray, " Y"]
    penalty: Float[np.ndarray, " Y"]
    weights: Float[np.ndarray, "F Y"]
    spread: Float[np.ndarray, " F"]
    axes: Float[np.ndarray, "F F"]
    rows: Float[np.ndarray, "n F"]
    residual: Float[np.ndarray, "n Y"]
    left_out: Float[np.ndarray, "n Y"]

    @property
    def variance(self) -> Float[np.ndarray, " Y"]:
        """The mean squared leave-one-out error of each output."""
        return np.asarray(np.square(self.left_out).mean(0))

    def predict(self, x: Float[np.ndarray, "new F"]) -> Float[np.ndarray, "new Y"]:
        """Returns the outputs of new rows."""
        return self.centre + ((x - self.mean) * self.scale) @ self.weights

    def without(self, x: Float[np.ndarray, "new F"], groups: Int[np.ndarray, "S G"]) -> Refits:
        """Returns the fits with the same penalties that lack one group of columns each.

        Args:
            x: new rows.
            groups: the columns of each group.
        """
        new, n, y = (x - self.mean) * self.scale, len(self.rows), len(self.centre)
        found = Refits(np.empty((len(groups), len(x), y)), np.empty((len(groups), n, y)), np.empty((len(groups), y)))
        for penalty in np.unique(self.penalty):
            at = np.flatnonzero(self.penalty == penalty)
            h = (self.axes / (self.spread + penalty)) @ self.axes.T
            full, along, ahead = self.centre[at] + new @ self.weights[:, at], self.rows @ h, new @ h
            free = 1 - 1 / n - (along * self.rows).sum(1) / n
            for s, group in enumerate(groups):
                inverse, own, z = (
                    np.linalg.inv(h[np.ix_(group, group)]),
                    self.weights[np.ix_(group, at)],
                    along[:, group],
                )
                lost = inverse @ own
                found.predictions[s][:, at] = full - ahead[:, group] @ lost
                freer = np.maximum(free + ((z @ inverse) * z).sum(1) / n, LEAST_FREE)
                found.left_out[s][:, at] = (self.residual[:, at] + z @ lost) / freer[:, None]
                variance = np.maximum(self.variance[at], np.finfo(float).tiny)
                found.size[s, at] = np.sqrt(np.maximum((own * lost).sum(0), 0) * n / variance)
        return found


def fit(x: Float[np.ndarray, "n F"], y: Float[np.ndarray, "n Y"], size: Float[np.ndarray, " F"] | float = 1.0) -> Ridge:
    """Returns the fit of each output with its best penalty of `PENALTIES`.

    Args:
        x: regressors.
        y: outputs.
        size: standard deviation to which a regressor is scaled. The smaller it is, the more its coefficient is shrunk.
    """
    n, mean, centre = len(x), x.mean(0), y.mean(0)
    rows, out = x - mean, y - centre
    deviation = np.sqrt(np.square(rows).mean(0))
    # A constant column differs from its mean by rounding only.
    changes = deviation > 1e-12 * np.abs(x).max(0, initial=0)
    scale = size * np.divide(1.0, deviation, out=np.zeros_like(deviation), where=changes)
    rows *= scale
    spread, axes = np.linalg.eigh(rows.T @ rows / n)
    spread = np.maximum(spread, 0)
    scores = rows @ axes
    along, kept = scores.T @ out / n, 1 / (spread + PENALTIES[:, None])
    free = np.maximum(1 - 1 / n - np.square(scores) @ kept.T / n, LEAST_FREE)
    fitted = scores @ (along[:, None] * kept.T[:, :, None]).reshape(len(along), -1)
    residual = out[:, None] - fitted.reshape(n, len(PENALTIES), -1)
    left_out = residual / free[:, :, None]
    best, outputs = np.square(left_out).mean(0).argmin(0), np.arange(out.shape[1])
    return Ridge(
        mean=mean,
        scale=scale,
        centre=centre,
        penalty=PENALTIES[best],
        weights=axes @ (along * kept[best].T),
        spread=spread,
        axes=axes,
        rows=rows,
        residual=residual[:, best, outputs],
        left_out=left_out[:, best, outputs],
    )
