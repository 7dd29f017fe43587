"""Graphs of many entities with a known answer."""

from __future__ import annotations

import networkx as nx
import numpy as np


def blocks(sizes: list[int], within: float, between: float, seed: int = 0) -> np.ndarray:
    """Undirected random graph; pairs of one block have an edge with another probability than other pairs."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.where(of[:, None] == of, within, between)
    upper = np.triu(np.random.default_rng(seed).random(chance.shape) < chance, 1)
    return (upper | upper.T).astype(int)


def random_graph(entities: int, density: float, seed: int, directed: bool = True) -> np.ndarray:
    """Random graph without communities."""
    drawn = np.random.default_rng(seed).random((entities, entities)) < density
    return (drawn if directed else np.triu(drawn) | np.triu(drawn).T).astype(int) * (1 - np.eye(entities, dtype=int))


def plain_graph(kind: str, entities: int) -> np.ndarray:
    """Graph with a structure, but without communities."""
    made = {
        "empty": nx.empty_graph,
        "one edge": lambda n: nx.Graph([(0, 1)]) if n == 2 else nx.compose(nx.empty_graph(n), nx.Graph([(0, 1)])),
        "star": lambda n: nx.star_graph(n - 1),
        "ring": nx.cycle_graph,
        "complete": nx.complete_graph,
        "two sides": lambda n: nx.complete_bipartite_graph(n // 2, n - n // 2),
    }[kind](entities)
    return nx.to_numpy_array(made, nodelist=range(entities), dtype=int)
