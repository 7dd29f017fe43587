"""Edge scores from a regression in which all edges share one linear law, with a strength for each edge.

    change_t = own_t(x_t) + Σ_s a_st x_s B

The law B [D, D] is the same for all edges of all recordings, a_st is a number for each edge, and own_t is a polynomial
of the own state, one for each target of each graph. A regression without a common law has D² coefficients for each
edge, this one has one.

    1  a_st = 1 for all edges
    2  B by least squares, given a
    3  a by ridge regression for each target, given B; each target has the penalty of least generalised cross-validation
    4  back to 2, until the strengths hardly change
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.metrics import off_diagonal

ROUNDS, SETTLED = 20, 1e-3  # rounds at most, and the relative change of the strengths at which they end
PENALTIES = 10.0 ** np.arange(-8, 3)  # in units of the mean eigenvalue
POWERS, ROWS_A_COLUMN = 3, 4  # powers of the own state; fewer if there are fewer frames for each of its columns
RESOLUTION = 0.05  # of errors, in typical changes: a feature that is explained better does not count more
INDEPENDENT = 1e-9  # smallest singular value of own terms, in units of the largest
TINY = 1e-12


class Graph(NamedTuple):
    """The recordings of one graph.

    Attributes:
        z: scaled states before each change.
        own: an orthonormal basis of the own terms of each target.
        left: what the own terms leave of the changes of each target.
    """

    z: Float[np.ndarray, "T N D"]
    own: list[Float[np.ndarray, "T terms"]]
    left: Float[np.ndarray, "N T D"]


def one_law(data: Trajectories, group: Int[np.ndarray, " M"] | None = None) -> Float[np.ndarray, "G N N"]:
    """Strength a_st of every pair (source, target) of every graph; its sign is such that the largest are positive.

    Changes from or to a frame in which any entity was not observed are left out.

    Args:
        data: the recordings.
        group: the graph of each recording, numbered from 0; None: each recording has its own graph.

    Source: the penalty: Golub, Heath and Wahba, Generalized cross-validation as a method for choosing a good ridge
    parameter, 1979.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> true = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
        >>> x = np.empty((1, 200, 3, 1))
        >>> x[0, 0] = 0
        >>> for frame in range(1, 200):
        ...     x[0, frame, :, 0] = 0.5 * x[0, frame - 1, :, 0] @ (np.eye(3) + true) + rng.normal(size=3)
        >>> (one_law(Trajectories(x))[0] > 0.2).astype(int).tolist()
        [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    m, _, n, d = data.shape
    graphs = _graphs(data, np.arange(m) if group is None else group)
    strength = np.broadcast_to(off_diagonal(n).astype(float), (len(graphs), n, n))
    weight = np.ones(d)
    for _ in range(ROUNDS):
        law = _common_law(graphs, strength)
        found = np.stack([_strengths(graph, law, weight) for graph in graphs])
        weight = 1 / (_error(graphs, found, law) + RESOLUTION**2)
        moved = np.linalg.norm(found - strength) / max(float(np.linalg.norm(found)), TINY)
        strength = found
        if moved < SETTLED:
            break
    return -strength if (strength**3).sum() < 0 else strength


def own_errors(data: Trajectories) -> Float[np.ndarray, " D"]:
    """Returns the error of one cubic polynomial of the own state for all entities, in typical changes."""
    z, change = _scaled(data, np.ones(len(data.tasks), bool))
    basis, left = _without_own(z.reshape(-1, z.shape[2]), change.reshape(-1, z.shape[2]))
    return np.sqrt(np.square(left).sum(0) / max(len(left) - basis.shape[1], 1))


def _graphs(data: Trajectories, group: Int[np.ndarray, " M"]) -> list[Graph]:
    """Returns the recordings of each graph."""
    graphs = []
    for number in range(int(group.max()) + 1):
        z, change = _scaled(data, group == number)
        parts = [_without_own(z[:, target], change[:, target]) for target in range(z.shape[1])]
        graphs.append(Graph(z, [basis for basis, _ in parts], np.stack([left for _, left in parts])))
    return graphs


def _scaled(data: Trajectories, tasks: np.ndarray) -> tuple[Float[np.ndarray, "T N D"], Float[np.ndarray, "T N D"]]:
    """Returns the states before each change of some tasks, in standard deviations, and the changes, in typical ones."""
    x = np.asarray(data.x, np.float64)
    seen = np.ones(x.shape[:2], bool) if data.mask is None else np.logical_and.reduce(data.mask, axis=2)
    both, change = seen[:, 1:] & seen[:, :-1], np.diff(x, axis=1)
    if not both.any():
        return change[both], change[both]
    there = x[seen]
    mean, size = there.mean((0, 1)), there.std((0, 1))
    typical = np.sqrt(np.square(change[both]).mean((0, 1)))
    z = np.divide(x[:, :-1] - mean, size, out=np.zeros_like(change), where=size > TINY * np.abs(mean))
    change = np.divide(change, typical, out=np.zeros_like(change), where=typical > 0)
    rows = both & tasks[:, None]
    return z[rows], change[rows]


def _without_own(
    states: Float[np.ndarray, "T D"], changes: Float[np.ndarray, "T D"]
) -> tuple[Float[np.ndarray, "T terms"], Float[np.ndarray, "T D"]]:
    """Returns an orthonormal basis of a constant and the powers of own states, and what it leaves of the changes."""
    powers = max(1, min(POWERS, len(states) // (ROWS_A_COLUMN * states.shape[1])))
    columns = np.concatenate([np.ones((len(states), 1)), *(states**power for power in range(1, powers + 1))], 1)
    basis, size, _ = np.linalg.svd(columns, full_matrices=False)
    basis = basis[:, size > INDEPENDENT * size.max(initial=0.0)]
    return basis, changes - basis @ (basis.T @ changes)


def _arriving(graph: Graph, strength: Float[np.ndarray, "N N"]) -> Float[np.ndarray, "N T D"]:
    """Returns the weighted sum of the states of all sources of each target, without what its own terms explain."""
    sums = np.einsum("tsd,sn->ntd", graph.z, strength, optimize=True)
    return np.stack([part - basis @ (basis.T @ part) for part, basis in zip(sums, graph.own, strict=True)])


def _common_law(graphs: list[Graph], strength: Float[np.ndarray, "G N N"]) -> Float[np.ndarray, "D D"]:
    """Returns B of least squared error, given the strengths, with a norm of 1."""
    d = graphs[0].z.shape[2]
    gram, moment = np.zeros((d, d)), np.zeros((d, d))
    for graph, a in zip(graphs, strength, strict=True):
        sums = _arriving(graph, a)
        gram += np.einsum("ntd,nte->de", sums, sums, optimize=True)
        moment += np.einsum("ntd,nte->de", sums, graph.left, optimize=True)
    law = np.linalg.lstsq(gram, moment, rcond=INDEPENDENT)[0]
    return law / max(float(np.linalg.norm(law)), TINY)


def _error(
    graphs: list[Graph], strength: Float[np.ndarray, "G N N"], law: Float[np.ndarray, "D D"]
) -> Float[np.ndarray, " D"]:
    """Returns the mean squared error of each feature."""
    errors = [graph.left - _arriving(graph, a) @ law for graph, a in zip(graphs, strength, strict=True)]
    return np.sum([np.square(error).sum((0, 1)) for error in errors], 0) / max(1, sum(e[..., 0].size for e in errors))


def _strengths(
    graph: Graph, law: Float[np.ndarray, "D D"], weight: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "N N"]:
    """Returns the strengths of all edges of a graph, given the law and the weights of the features."""
    sent = np.moveaxis(graph.z @ law * np.sqrt(weight), 2, 0)  # [D, T, N]
    d, frames, n = sent.shape
    products, found = np.einsum("dts,dtu->su", sent, sent, optimize=True), np.zeros((n, n))
    for target in range(n):
        others, basis = np.delete(np.arange(n), target), graph.own[target]
        own = np.einsum("tq,dts->dqs", basis, sent, optimize=True).reshape(-1, n)  # what own terms explain
        gram = (products - own.T @ own)[np.ix_(others, others)]
        left = graph.left[target] * np.sqrt(weight)
        moment = np.einsum("dts,td->s", sent, left, optimize=True)[others]
        rows = d * (frames - basis.shape[1])
        found[others, target] = _ridge(gram, moment, float(np.square(left).sum()), rows)
    return found


def _ridge(
    gram: Float[np.ndarray, "S S"], moment: Float[np.ndarray, " S"], total: float, rows: int
) -> Float[np.ndarray, " S"]:
    """Returns the coefficients under the penalty of least generalised cross-validation."""
    size, axes = np.linalg.eigh(gram)
    size, along = np.maximum(size, 0.0), axes.T @ moment
    penalty = PENALTIES[:, None] * max(float(size.mean()), TINY)
    residual = total - (np.square(along) * (size + 2 * penalty) / np.square(size + penalty)).sum(1)
    free = np.maximum(rows - (size / (size + penalty)).sum(1), TINY)
    best = int((np.maximum(residual, 0) / np.square(free)).argmin())
    return axes @ (along / (size + penalty[best]))
