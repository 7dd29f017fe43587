"""Communities of a graph, and the order in which figures show many entities.

A community is a group of entities with more edges among each other than their numbers of edges explain. Let `w` be the
weights of the edges, the same in both directions, and `d` the sums of its rows. The matrix

    m[i, j] = (w[i, j] - d[i] d[j] / sum(d)) / sqrt((d[i] + mean(d)) (d[j] + mean(d)))

is the excess of edges over a random graph with the same numbers of edges, in units in which all entities have about
equal noise. The eigenvalues of noise alone lie below a known bound (the semicircle law). Each eigenvalue above the
bound is one more community. So a random graph has none, and the result does not depend on random numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.results.metrics import off_diagonal

# The largest eigenvalue of noise varies around the bound, by about N^(-2/3) of it. Measured on random graphs of 13 to
# 100 entities: fewer than 0.1 % are above this margin.
MARGIN = 1.2
SMALLEST = 3  # entities for each community, on average; smaller groups cannot be told from chance
PRESENT = 0.5  # an edge counts as present from this weight on
ROUNDS = 100  # of moves between communities; a few are enough


class Arrangement(NamedTuple):
    """Communities of the entities, and the order in which entities are shown.

    Args:
        order: entity at each place: community by community, the largest one first. In a community, the entities with
            the most edges come first. Entities without edges are last. Without communities: the order of the data.
        community: community of each entity, 0, 1, ...; -1 for an entity without edges, if there are communities.
    """

    order: Int[np.ndarray, " N"]
    community: Int[np.ndarray, " N"]

    @property
    def sizes(self) -> list[int]:
        """The numbers of entities of the communities; a single number if no communities were found."""
        return np.bincount(self.community[self.community >= 0]).tolist()

    @property
    def borders(self) -> list[int]:
        """The places at which another community begins, or the entities without edges begin."""
        return (np.flatnonzero(np.diff(self.community[self.order])) + 1).tolist()

    def among(self, kept: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " n"]]:
        """Returns the entities of each community in their order, without those that are not in `kept`."""
        order = self.order[np.isin(self.order, kept)]
        return [order[self.community[order] == c] for c in range(len(self.sizes))]


def background(edges: Int[np.ndarray, "*M N N"], without_type: int | None) -> int:
    """Returns the type that counts as the absence of an edge: the most frequent one, if none means "no interaction"."""
    if without_type is not None:
        return without_type
    known = edges[np.broadcast_to(off_diagonal(edges.shape[-1]), edges.shape) & (edges >= 0)]
    return int(np.bincount(known).argmax()) if len(known) else 0


def edge_weights(
    edges: Int[np.ndarray, "N N"], probability: Float[np.ndarray, "N N K"] | None, without_type: int
) -> Float[np.ndarray, "N N"]:
    """Returns the probability that a pair has an edge, in [0, 1]: of any type but `without_type`.

    Without probabilities, it is 1 or 0. It is 0 on the diagonal, and where the type is -1, unknown.
    """
    weight = (edges != without_type).astype(float) if probability is None else 1 - probability[..., without_type]
    return np.where(off_diagonal(len(edges)) & (edges >= 0), weight, 0.0)


def connected(weight: Float[np.ndarray, "N N"]) -> Bool[np.ndarray, " N"]:
    """Returns which entities have an edge, in any direction."""
    return (np.maximum(weight, weight.T) >= PRESENT).any(1)


def arrange(weight: Float[np.ndarray, "N N"]) -> Arrangement:
    """Finds communities and the order in which a figure shows the entities.

    Args:
        weight: weights in [0, 1], `[source, target]`, see `edge_weights`. Both directions count alike.

    Example:
        >>> arrange(np.kron(np.ones((4, 4)), np.eye(2)) - np.eye(8)).community.tolist()  # even and odd numbers
        [0, 1, 0, 1, 0, 1, 0, 1]
    """
    n = len(weight)
    present = connected(weight)
    found = _communities((weight + weight.T)[np.ix_(present, present)] / 2)
    if found.max(initial=0) == 0:
        return Arrangement(np.arange(n), np.zeros(n, dtype=int))
    # The largest community is 0; of equally large ones, that of the first entity comes first.
    first = np.array([np.flatnonzero(found == c)[0] for c in range(found.max() + 1)])
    by_size = np.lexsort((first, -np.bincount(found)))
    community = np.full(n, -1)
    community[present] = np.argsort(by_size)[found]
    strength = (weight + weight.T).sum(1).round(6)  # equal strengths must not differ by rounding errors
    return Arrangement(np.lexsort((np.arange(n), -strength, np.where(present, community, n))), community)


def _communities(weight: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Returns the community of each entity, 0, 1, ...; `weight` is symmetric, and each entity has an edge."""
    n = len(weight)
    if n < 2 * SMALLEST:
        return np.zeros(n, dtype=int)
    degree = weight.sum(1)
    excess = weight - np.outer(degree, degree) / degree.sum()
    scale = np.sqrt(degree + degree.mean())
    values, vectors = np.linalg.eigh(excess / np.outer(scale, scale))
    values, vectors = values[::-1], vectors[:, ::-1]
    count = _count(values)
    if count == 1:
        return np.zeros(n, dtype=int)
    from scipy.cluster.hierarchy import fcluster, linkage  # slow to load, and needed only here

    # Entities of one community have about the same coordinates. Rounded, so that exact ties do not depend on numbering.
    places = (vectors[:, : count - 1] * values[: count - 1]).round(9)
    found = fcluster(linkage(places, method="ward"), count, criterion="maxclust") - 1
    return _improved(found, excess)


def _count(values: Float[np.ndarray, " n"]) -> int:
    """Returns the number of communities, given the eigenvalues in descending order.

    The bound for noise is computed from the eigenvalues that are not explained by communities.
    """
    n, count = len(values), 1
    for communities in range(2, n // SMALLEST + 1):
        rest = values[communities - 1 :]
        bound = 2 * np.sqrt(np.square(rest).mean()) * (1 + MARGIN * n ** (-2 / 3))
        if values[communities - 2] > max(bound, 1e-9):
            count = communities
    return count


def _improved(community: Int[np.ndarray, " n"], excess: Float[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Moves entities one by one to where they have the largest excess of edges, as long as the modularity increases."""
    community = community.copy()
    count = int(community.max()) + 1
    here = np.arange(len(community))
    off = np.where(np.eye(len(community), dtype=bool), 0.0, excess)
    for _ in range(ROUNDS):
        member: Bool[np.ndarray, "n C"] = community[:, None] == np.arange(count)
        toward = off @ member
        gain = toward - toward[here, community][:, None]
        gain[member.sum(0)[community] == 1] = 0.0  # no community is emptied
        who, to = np.unravel_index(int(gain.round(9).argmax()), gain.shape)
        if gain[who, to] <= 1e-9:
            break
        community[who] = to
    return community
