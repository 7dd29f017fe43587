"""Probabilities of edge types from strengths: a mixture of K normal distributions.

    p(a) = Σ_k w_k Normal(a; mean_k, deviation_k),     k = 0 is the component nearest to 0

The mixture is fitted by expectation maximisation from several first means; the one of the largest likelihood is kept.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bouncegrad.results.metrics import off_diagonal

ROUNDS = 300
SHARES = (0.5, 0.8, 0.95)  # of edges that belong to component 0 at first
NARROWEST = 0.01  # deviation of a component, in deviations of all strengths


def types_of_strengths(strength: Float[np.ndarray, "G N N"], types: int) -> Float[np.ndarray, "G N N K"]:
    """Returns the probability of each type for each pair; all types of an entity and itself are equally probable.

    Example:
        >>> strength = np.array([[[0.0, 1.0, 0.1], [0.0, 0.0, 0.9], [-0.1, 1.1, 0.0]]])
        >>> types_of_strengths(strength, 2)[0, ..., 1].round(2).tolist()
        [[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [0.0, 1.0, 0.5]]
    """
    pairs = off_diagonal(strength.shape[-1])
    values = strength[:, pairs]
    found = np.full((*strength.shape, types), 1 / types)
    spread = float(values.std())
    if spread > 0:
        fits = [_fitted(values.ravel() / spread, share, types) for share in SHARES]
        found[:, pairs] = max(fits, key=lambda fit: fit[1])[0].reshape(*values.shape, types)
    return found


def _fitted(values: Float[np.ndarray, " S"], share: float, types: int) -> tuple[Float[np.ndarray, "S K"], float]:
    """Returns the probabilities of the components, and the log-likelihood; `share` of the values begin in the first."""
    order = np.abs(values).argsort()
    near, far = np.split(values[order], [max(1, int(share * len(values)))])
    mean = np.array([near.mean(), *np.quantile(far if len(far) else near, (np.arange(types - 1) + 0.5) / (types - 1))])
    weight, deviation = np.full(types, 1 / types), np.full(types, max(float(near.std()), NARROWEST))
    for _ in range(ROUNDS):
        log_density = np.log(weight) - np.log(deviation) - ((values[:, None] - mean) / deviation) ** 2 / 2
        total = np.logaddexp.reduce(log_density, axis=1)
        belongs = np.exp(log_density - total[:, None])
        mass = belongs.sum(0) + 1e-9
        weight, mean = mass / mass.sum(), (belongs * values[:, None]).sum(0) / mass
        deviation = np.sqrt((belongs * (values[:, None] - mean) ** 2).sum(0) / mass)
        deviation = np.maximum(deviation, NARROWEST)
    order = np.abs(mean).argsort(kind="stable")
    return belongs[:, order], float(total.sum())
