"""Edge scores from a regression in which all edges share one law, with a strength for each edge.

    change_t = own_t(x_t) + Σ_s a_st Σ_l g_l(x_t) x_s B_l,     g = (1), or the monomials of x_t up to degree 2

The law B [L, D, D] is the same for all edges of all recordings, a_st is a number for each edge, and own_t is a
polynomial of the own state, one for each target of each graph. A regression without a common law has D² coefficients
for each edge, this one has one. With g = (1), the law is linear in the source. With monomials, the state of the target
changes what a source does, as for oscillators: sin(θ_s - θ_t) = sin θ_s cos θ_t - cos θ_s sin θ_t. This form is tried
where the linear one explains less than half of the changes, and is kept if its strengths repeat better: those of the
first half of the frames in those of the second half.

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
from bouncegrad.results.frame_pairs import monomials
from bouncegrad.results.metrics import off_diagonal

ROUNDS, SETTLED = 20, 1e-3  # rounds at most, and the relative change of the strengths at which they end
PENALTIES = 10.0 ** np.arange(-8, 3)  # in units of the mean eigenvalue
POWERS, ROWS_A_COLUMN = 3, 4  # degree of own terms; less if there are fewer frames for each of them
GATES = 2  # degree of what the state of a target multiplies the states of its sources by
RESOLUTION = 0.05  # of errors, in typical changes: a feature that is explained better does not count more
ENOUGH = 0.5  # share of the changes, without what own terms explain, that a linear law must explain
AGREES = 0.3  # cosine of the angle between the strengths of two halves; by chance, it is near 0
INDEPENDENT = 1e-9  # smallest singular value of own terms, in units of the largest
TINY = 1e-12


class Graph(NamedTuple):
    """The recordings of one graph.

    Attributes:
        z: scaled states before each change.
        gates: what the state of a target multiplies the states of its sources by.
        own: an orthonormal basis of the own terms of each target.
        left: what the own terms leave of the changes of each target.
    """

    z: Float[np.ndarray, "T N D"]
    gates: Float[np.ndarray, "T N L"]
    own: list[Float[np.ndarray, "T terms"]]
    left: Float[np.ndarray, "N T D"]


class Fit(NamedTuple):
    """A law with its strengths.

    Attributes:
        strength: of every pair of every graph.
        explained: the share by which its squared error is smaller than that of own terms alone, both by generalised
            cross-validation.
    """

    strength: Float[np.ndarray, "G N N"]
    explained: float


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
    group = np.arange(len(data.tasks)) if group is None else group
    found = _fit(_graphs(data, group))
    if found.explained < ENOUGH:
        agreement = _agreement(data, group, gated=True)
        if agreement > AGREES and agreement > _agreement(data, group, gated=False):
            found = _fit(_graphs(data, group, gated=True))
    return -found.strength if (found.strength**3).sum() < 0 else found.strength


def own_errors(data: Trajectories) -> Float[np.ndarray, " D"]:
    """Returns the error of one cubic polynomial of the own state for all entities, in typical changes."""
    z, change = _scaled(data, np.ones(len(data.tasks), bool))
    basis, left = _without_own(z.reshape(-1, z.shape[2]), change.reshape(-1, z.shape[2]), mixed=False)
    return np.sqrt(np.square(left).sum(0) / max(len(left) - basis.shape[1], 1))


def _fit(graphs: list[Graph]) -> Fit:
    """Returns the law and the strengths, each fitted in turn while the other is held.

    A feature counts the more, the larger the share of its changes that the law explains.
    """
    n, d = graphs[0].z.shape[1:]
    strength, weight = np.broadcast_to(off_diagonal(n).astype(float), (len(graphs), n, n)), np.ones(d)
    own = np.maximum(sum(_own_error(graph) for graph in graphs), TINY)
    resolution = RESOLUTION**2 * sum(graph.left[..., 0].size for graph in graphs)
    error = own
    for _ in range(ROUNDS):
        law = _common_law(graphs, strength)
        found, errors = zip(*(_strengths(graph, law, weight) for graph in graphs), strict=True)
        error = np.sum(errors, 0)
        weight = own / (error + resolution + TINY)
        moved = np.linalg.norm(np.stack(found) - strength) / max(float(np.linalg.norm(found)), TINY)
        strength = np.stack(found)
        if moved < SETTLED:
            break
    return Fit(strength, float(1 - error.sum() / own.sum()))


def _agreement(data: Trajectories, group: Int[np.ndarray, " M"], *, gated: bool) -> float:
    """Returns the cosine of the angle between the strengths of both halves of the frames, whatever their signs."""
    one, other = (_fit(_graphs(data, group, gated=gated, half=half)).strength for half in (0, 1))
    return float(abs((one * other).sum()) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), TINY))


def _graphs(
    data: Trajectories, group: Int[np.ndarray, " M"], *, gated: bool = False, half: int | None = None
) -> list[Graph]:
    """Returns the recordings of each graph; of both halves of its frames, or of one."""
    graphs = []
    for number in range(int(group.max()) + 1):
        z, change = _scaled(data, group == number)
        if half is not None:
            z, change = np.array_split(z, 2)[half], np.array_split(change, 2)[half]
        parts = [_without_own(z[:, target], change[:, target], mixed=gated) for target in range(z.shape[1])]
        gates = _gates(z) if gated else np.ones((*z.shape[:2], 1))
        graphs.append(Graph(z, gates, [basis for basis, _ in parts], np.stack([left for _, left in parts])))
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
    states: Float[np.ndarray, "T D"], changes: Float[np.ndarray, "T D"], *, mixed: bool
) -> tuple[Float[np.ndarray, "T terms"], Float[np.ndarray, "T D"]]:
    """Returns an orthonormal basis of the own terms, and what it leaves of the changes.

    The terms are a constant and powers of own states, with `mixed` all monomials, of degree 3 at most: so many that
    there are some frames for each.
    """
    most = max(1, len(states) // ROWS_A_COLUMN)
    for degree in range(POWERS, 0, -1):
        parts = [states**power for power in range(1, degree + 1)]
        columns = monomials(states, degree) if mixed else np.concatenate(parts, 1)
        if columns.shape[1] <= most:
            break
    basis, size, _ = np.linalg.svd(np.concatenate([np.ones((len(states), 1)), columns], 1), full_matrices=False)
    basis = basis[:, size > INDEPENDENT * size.max(initial=0.0)]
    return basis, changes - basis @ (basis.T @ changes)


def _gates(z: Float[np.ndarray, "T N D"]) -> Float[np.ndarray, "T N L"]:
    """Returns what the states of targets multiply the states of their sources by."""
    found = monomials(z.reshape(-1, z.shape[2]), GATES, 0)
    return found.reshape(*z.shape[:2], found.shape[1])


def _common_law(graphs: list[Graph], strength: Float[np.ndarray, "G N N"]) -> Float[np.ndarray, "L*D D"]:
    """Returns B of least squared error, given the strengths, with a norm of 1."""
    d = graphs[0].z.shape[2]
    size = graphs[0].gates.shape[2] * d
    gram, moment = np.zeros((size, size)), np.zeros((size, d))
    for graph, a in zip(graphs, strength, strict=True):
        arriving = np.einsum("tsd,sn->ntd", graph.z, a, optimize=True)
        for target, (sums, basis, left) in enumerate(zip(arriving, graph.own, graph.left, strict=True)):
            gated = (graph.gates[:, target, :, None] * sums[:, None]).reshape(len(sums), size)
            gated -= basis @ (basis.T @ gated)
            gram += gated.T @ gated
            moment += gated.T @ left
    law = np.linalg.lstsq(gram, moment, rcond=INDEPENDENT)[0]
    return law / max(float(np.linalg.norm(law)), TINY)


def _own_error(graph: Graph) -> Float[np.ndarray, " D"]:
    """Returns the squared errors of own terms alone, by generalised cross-validation."""
    rows = max(1, len(graph.z))
    free = [max(1, rows - basis.shape[1]) / rows for basis in graph.own]
    return (np.square(graph.left).sum(1) / np.square(free)[:, None]).sum(0)


def _strengths(
    graph: Graph, law: Float[np.ndarray, "L*D D"], weight: Float[np.ndarray, " D"]
) -> tuple[Float[np.ndarray, "N N"], Float[np.ndarray, " D"]]:
    """Returns the strengths of all edges, given the law and the weight of each feature, and the squared errors.

    The errors are those of generalised cross-validation.
    """
    frames, n, d = graph.z.shape
    found, error = np.zeros((n, n)), np.zeros(d)
    law = law.reshape(-1, d, d)
    for target in range(n):
        others, basis = np.delete(np.arange(n), target), graph.own[target]
        gated = np.einsum("tl,lde->tde", graph.gates[:, target], law, optimize=True)
        sent = np.moveaxis(graph.z[:, others] @ gated, 2, 0)  # [D, T, N - 1]
        sent, left = sent - basis @ (basis.T @ sent), graph.left[target].T
        root = np.sqrt(weight)[:, None]
        rows, target_rows = (root[..., None] * sent).reshape(-1, n - 1), (root * left).ravel()
        found[others, target], free = _ridge(rows, target_rows, d * (frames - basis.shape[1]))
        error += np.square(left - sent @ found[others, target]).sum(1) / (free / max(1, d * frames)) ** 2
    return found, error


def _ridge(
    rows: Float[np.ndarray, "T S"], target: Float[np.ndarray, " T"], count: int
) -> tuple[Float[np.ndarray, " S"], float]:
    """Returns the coefficients under the penalty of least generalised cross-validation, and the number of free rows.

    Args:
        rows: what the sources send.
        target: what they should explain.
        count: number of independent rows.
    """
    size, axes = np.linalg.eigh(rows.T @ rows)
    size, along = np.maximum(size, 0.0), axes.T @ (rows.T @ target)
    penalty = PENALTIES[:, None] * max(float(size.mean()), TINY)
    residual = target @ target - (np.square(along) * (size + 2 * penalty) / np.square(size + penalty)).sum(1)
    free = np.maximum(count - (size / (size + penalty)).sum(1), TINY)
    best = int((np.maximum(residual, 0) / np.square(free)).argmin())
    return axes @ (along / (size + penalty[best])), float(free[best])
