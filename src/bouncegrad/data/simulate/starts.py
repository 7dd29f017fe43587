"""Draws the initial conditions of tasks: graphs, couplings, and the numbers of each entity at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.simulate.graphs import Graph

SPEED = 0.5  # of particles at the start, as published


class Streams(NamedTuple):
    """Independent random generators, one for each kind of quantity.

    Every draw is one array whose first axis is the task, so the first tasks do not depend on the number of tasks.
    """

    edges: np.random.Generator
    position: np.random.Generator
    motion: np.random.Generator
    noise: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> Streams:
        """Returns the random generators for a seed >= 0."""
        return cls(*(np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(4)))


class Start(NamedTuple):
    """The initial conditions of M tasks: edge types and couplings, `[source, target]`, and C numbers per entity."""

    edges: Int[np.ndarray, "M N N"]
    coupling: Float[np.ndarray, "M N N"]
    state: Float[np.ndarray, "M N C"]


def draw_particles(streams: Streams, tasks: int, entities: int, spread: float) -> Float[np.ndarray, "M N 4"]:
    """Draws positions from N(0, spread^2), and velocities of speed 0.5 in a random direction."""
    position = spread * streams.position.standard_normal((tasks, entities, 2))
    angle = 2 * np.pi * streams.motion.random((tasks, entities))
    velocity = SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.concatenate([position, velocity], axis=-1)


def start_springs(streams: Streams, tasks: int, entities: int, graph: Graph, *, stiffness: tuple[float, ...]) -> Start:
    """Draws springs of rest length 0; an edge of type k acts with the force `-stiffness[k] * (x_t - x_s)`."""
    edges = graph.draw(streams.edges, tasks, entities, len(stiffness))
    coupling = -np.asarray(stiffness)[edges]
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=0.5))


def start_charges(streams: Streams, tasks: int, entities: int, graph: Graph) -> Start:
    """Draws charges of +1 or -1; an edge has type 1 if they are equal (repulsion), else type 0 (attraction).

    If the graph is shared, all tasks have the same charges.
    """
    charge = np.where(streams.edges.random((1 if graph.shared else tasks, entities)) < 0.5, -1.0, 1.0)
    charge = np.repeat(charge, tasks, axis=0) if graph.shared else charge
    coupling = charge[:, :, None] * charge[:, None, :]
    edges = (coupling > 0).astype(np.int64) * (1 - np.eye(entities, dtype=np.int64))
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=1.0))


def start_oscillators(streams: Streams, tasks: int, entities: int, graph: Graph) -> Start:
    """Draws phases uniform in [0, 2 pi) and frequencies uniform in [1, 10); an edge of type 1 has coupling 1."""
    edges = graph.draw(streams.edges, tasks, entities, 2)
    phase = 2 * np.pi * streams.position.random((tasks, entities))
    frequency = 1 + 9 * streams.motion.random((tasks, entities))
    return Start(edges, edges.astype(np.float64), np.stack([phase, frequency], axis=-1))


Weights = Callable[[Int[np.ndarray, "M N N"]], Float[np.ndarray, "M N N"]]


def start_network(
    streams: Streams,
    tasks: int,
    entities: int,
    graph: Graph,
    *,
    weights: Weights,
    numbers: int,
    low: float,
    high: float,
) -> Start:
    """Draws `numbers` numbers for each entity, uniform in [low, high); `weights` gives the couplings of the edges."""
    edges = graph.draw(streams.edges, tasks, entities, 2)
    state = low + (high - low) * streams.position.random((tasks, entities, numbers))
    return Start(edges, weights(edges), state)


def start_neurons(streams: Streams, tasks: int, entities: int, graph: Graph) -> Start:
    """Draws activities from N(0, 1); an edge of type 1 has coupling 1."""
    edges = graph.draw(streams.edges, tasks, entities, 2)
    return Start(edges, edges.astype(np.float64), streams.position.standard_normal((tasks, entities, 1)))


# In these three, k_t is the number of sources of entity t. An entity without sources gets nothing: its sum is 0.
def mean_of_sources(edges: Int[np.ndarray, "M N N"]) -> Float[np.ndarray, "M N N"]:
    """Returns `edge / k_t`, so that the sum over sources is their mean."""
    return edges / np.maximum(edges.sum(1, keepdims=True), 1)


def mean_with_own(edges: Int[np.ndarray, "M N N"]) -> Float[np.ndarray, "M N N"]:
    """Returns `edge / (k_t + 1)`, so that the sum over sources, and one number more, is a mean."""
    return edges / (edges.sum(1, keepdims=True) + 1)


def by_both_degrees(edges: Int[np.ndarray, "M N N"]) -> Float[np.ndarray, "M N N"]:
    """Returns `edge / sqrt(k_t * l_s)`, where `l_s` is the number of targets of entity s.

    In an undirected graph `l_s = k_s`, as published.
    """
    sources, targets = edges.sum(1, keepdims=True), edges.sum(2, keepdims=True)
    return edges / np.sqrt(np.maximum(sources * targets, 1))
