"""Draws the graphs of simulated tasks: pairs that are independent of each other, hubs, and a ring with shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError

GRAPHS = {
    "random": "all edge types are equally likely, also 0: with two types, half of the pairs are linked",
    "er": "Erdos-Renyi: each pair is linked with the probability --density",
    "ba": "Barabasi-Albert: each new entity is linked to 2 others, with probabilities proportional to their links",
    "ws": "Newman-Watts-Strogatz: a ring; each of its links adds a random link with probability 0.1",
}
"""The kinds of graphs by name."""

DENSITY = 0.1  # of er, as published
NEW_LINKS = 2  # of each new entity in ba, as published
SHORTCUT = 0.1  # probability with which a link of the ring of ws adds another link, as published
FEWEST = 3  # entities of ba and ws


@dataclass(frozen=True)
class Graph:
    """How the graphs of the tasks are drawn.

    `random` has an edge of each type 0, ..., K-1 with the same probability. The other kinds first draw which pairs are
    linked; then the type of each link is one of 1, ..., K-1, all equally likely.

    Without `directed`, both directions of a pair have the same type. With it, `random` and `er` draw each ordered pair
    independently, and each link of `ba` and `ws` acts in one of its two directions, drawn at random.

    Args:
        kind: one of `GRAPHS`: random, er, ba or ws.
        density: the probability of a link in er, in (0, 1]; None: 0.1.
        shared: whether all tasks have one graph, instead of one for each task.
        directed: whether the two directions of a pair may differ.
    """

    kind: str = "random"
    density: float | None = None
    shared: bool = False
    directed: bool = False

    def check(self, where: str, entities: int) -> None:
        """Refuses what cannot be drawn.

        Raises:
            InputError: the kind is unknown, it needs more entities, or the density is out of range or of no use.
        """
        if self.kind not in GRAPHS:
            raise InputError(f"{where}: unknown graph {self.kind!r}; choose one of {', '.join(GRAPHS)}")
        if self.kind in LINKS and entities < FEWEST:
            raise InputError(f"{where}: entities is {entities}; a graph {self.kind} needs {FEWEST} or more")
        if self.density is not None and self.kind != "er":
            raise InputError(f"{where}: density is only for the graph er, not for {self.kind}; drop one of the two")
        if self.density is not None and not 0 < self.density <= 1:
            raise InputError(f"{where}: density is {self.density}; give a probability above 0, at most 1")

    def draw(self, random: np.random.Generator, tasks: int, entities: int, types: int) -> Int[np.ndarray, "M N N"]:
        """Returns edge types `[task, source, target]`; the first tasks do not depend on the number of tasks."""
        count = 1 if self.shared else tasks
        if self.kind == "random":
            edges = (random.random((count, entities, entities)) * types).astype(np.int64)
            edges = without_diagonal(edges, self.directed)
        elif self.kind == "er":
            share = random.random((count, entities, entities)) / (DENSITY if self.density is None else self.density)
            kinds = np.minimum(1 + np.floor(share * (types - 1)), types - 1)  # at most K-1, in spite of rounding
            edges = without_diagonal(np.where(share < 1, kinds, 0).astype(np.int64), self.directed)
        else:
            edges = np.zeros((count, entities, entities), np.int64)
            for one, alone in zip(edges, random.spawn(count), strict=True):  # a generator for each task
                lay(LINKS[self.kind](alone, entities), one, alone, types, self.directed)
        return np.repeat(edges, tasks, axis=0) if self.shared else edges


def without_diagonal(edges: Int[np.ndarray, "M N N"], directed: bool) -> Int[np.ndarray, "M N N"]:
    """Returns the edges with a diagonal of 0; unless `directed`, both directions have the type below the diagonal."""
    lower = np.tril(edges, -1)
    return lower + (np.triu(edges, 1) if directed else lower.transpose(0, 2, 1))


def hubs(random: np.random.Generator, entities: int) -> Int[np.ndarray, "links 2"]:
    """Draws `2 (N - 2)` links: from a star of three entities on, each new entity is linked to two different others.

    The probability of an entity is proportional to the number of its links.

    Source: Barabasi and Albert, Emergence of scaling in random networks, 1999.
    """
    links = [(0, other) for other in range(1, NEW_LINKS + 1)]
    ends = [entity for link in links for entity in link]  # each entity as often as it has links
    for new in range(NEW_LINKS + 1, entities):
        others: dict[int, None] = {}  # in the order of the draws
        while len(others) < NEW_LINKS:
            others[ends[random.integers(len(ends))]] = None
        for other in others:
            links.append((other, new))
            ends += [other, new]
    return np.array(links)


def ring(random: np.random.Generator, entities: int) -> Int[np.ndarray, "links 2"]:
    """Draws a ring of N links, and with probability 0.1 for each entity a link to one that it is not linked to.

    Source: Newman and Watts, Renormalization group analysis of the small-world network model, 1999.
    """
    links = [(entity, (entity + 1) % entities) for entity in range(entities)]
    free = ~np.eye(entities, dtype=bool)
    for one, other in links:
        free[one, other] = free[other, one] = False
    for one in range(entities):
        if random.random() < SHORTCUT and len(others := np.flatnonzero(free[one])):
            other = int(random.choice(others))
            free[one, other] = free[other, one] = False
            links.append((one, other))
    return np.array(links)


LINKS: dict[str, Callable[[np.random.Generator, int], Int[np.ndarray, "links 2"]]] = {"ba": hubs, "ws": ring}


def lay(
    links: Int[np.ndarray, "links 2"],
    edges: Int[np.ndarray, "N N"],
    random: np.random.Generator,
    types: int,
    directed: bool,
) -> None:
    """Writes a type 1, ..., K-1 for each link into `edges`: both ways, or if `directed` one way, drawn at random."""
    kinds = random.integers(1, types, len(links))
    if directed:
        links = np.where(random.random((len(links), 1)) < 0.5, links, links[:, ::-1])
    source, target = links.T
    edges[source, target] = kinds
    if not directed:
        edges[target, source] = kinds
