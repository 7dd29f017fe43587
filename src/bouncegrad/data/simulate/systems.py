"""Lists the systems: the initial states of their tasks, their laws of motion, and their features.

All quantities are in the units of the published generators, which have no names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

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


@dataclass(frozen=True)
class System:
    """A family of tasks that share one law of motion.

    Args:
        description: one line for a list of systems.
        features: the observed features of an entity in each frame.
        edge_types: K, the number of edge types.
        dt: time from one frame to the next.
        directed: whether the two directions of a pair may have different types.
        start: a function `(streams, M, N, directed) -> Start`.
        follow: a function `(state, coupling, out)` that fills `out`, `Float[M, T, N, D]`; frame t is at time
            `(t + 1) * dt`.
        force: a function `(k, r)` that returns the force on the target of an edge of type k at distance r; a positive
            force pushes the target away. It is None if edges are not forces.
    """

    description: str
    features: tuple[str, ...]
    edge_types: int
    dt: float
    directed: bool
    start: Callable[[Streams, int, int, bool], Start] = field(repr=False)
    follow: Callable[[np.ndarray, np.ndarray, np.ndarray], None] = field(repr=False)
    force: Callable[[int, np.ndarray], np.ndarray] | None = field(default=None, repr=False)


def draw_edges(
    random: np.random.Generator, tasks: int, entities: int, types: int, directed: bool
) -> Int[np.ndarray, "M N N"]:
    """Draws edge types, all equally likely, for each unordered pair, or for each ordered pair if `directed`."""
    edges = (random.random((tasks, entities, entities)) * types).astype(np.int64)
    lower = np.tril(edges, -1)
    return lower + (np.triu(edges, 1) if directed else lower.transpose(0, 2, 1))


def draw_particles(streams: Streams, tasks: int, entities: int, spread: float) -> Float[np.ndarray, "M N 4"]:
    """Draws positions from N(0, spread^2), and velocities of speed 0.5 in a random direction."""
    position = spread * streams.position.standard_normal((tasks, entities, 2))
    angle = 2 * np.pi * streams.motion.random((tasks, entities))
    velocity = SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.concatenate([position, velocity], axis=-1)


def start_springs(
    streams: Streams, tasks: int, entities: int, directed: bool, *, stiffness: tuple[float, ...]
) -> Start:
    """Draws springs of rest length 0; an edge of type k acts with the force `-stiffness[k] * (x_t - x_s)`."""
    edges = draw_edges(streams.edges, tasks, entities, len(stiffness), directed)
    coupling = -np.asarray(stiffness)[edges]
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=0.5))


def start_charges(streams: Streams, tasks: int, entities: int, directed: bool) -> Start:
    """Draws charges of +1 or -1; an edge has type 1 if they are equal (repulsion), else type 0 (attraction)."""
    charge = np.where(streams.edges.random((tasks, entities)) < 0.5, -1.0, 1.0)
    coupling = charge[:, :, None] * charge[:, None, :]
    edges = (coupling > 0).astype(np.int64) * (1 - np.eye(entities, dtype=np.int64))
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=1.0))


def start_oscillators(streams: Streams, tasks: int, entities: int, directed: bool) -> Start:
    """Draws phases uniform in [0, 2 pi) and frequencies uniform in [1, 10); an edge of type 1 has coupling 1."""
    edges = draw_edges(streams.edges, tasks, entities, 2, directed)
    phase = 2 * np.pi * streams.position.random((tasks, entities))
    frequency = 1 + 9 * streams.motion.random((tasks, entities))
    return Start(edges, edges.astype(np.float64), np.stack([phase, frequency], axis=-1))


# The laws are imported when they are first needed, since loading the compiler takes longer than everything else here.
def follow_particles(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, charges: bool) -> None:
    """Fills `out` with positions and velocities in the box."""
    from bouncegrad.data.simulate import particles

    particles.follow(state, coupling, charges, out)


def follow_oscillators(state: np.ndarray, coupling: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` with phase rates, sines of phases, and frequencies."""
    from bouncegrad.data.simulate import oscillators

    oscillators.follow(state, coupling, out)


PARTICLE = ("x", "y", "vx", "vy")

SYSTEMS: dict[str, System] = {
    "springs": System(
        description="particles in a box; half of the pairs are linked by a spring of stiffness 0.1",
        features=PARTICLE,
        edge_types=2,
        dt=0.1,
        directed=True,
        start=partial(start_springs, stiffness=(0.0, 0.1)),
        follow=partial(follow_particles, charges=False),
        force=lambda k, r: -(0.0, 0.1)[k] * r,
    ),
    "springs3": System(
        description="particles in a box; each pair has no spring, a weak one (stiffness 0.3) or a strong one (1.5)",
        features=PARTICLE,
        edge_types=3,
        dt=0.1,
        directed=True,
        start=partial(start_springs, stiffness=(0.0, 0.3, 1.5)),
        follow=partial(follow_particles, charges=False),
        force=lambda k, r: -(0.0, 0.3, 1.5)[k] * r,
    ),
    "charged": System(
        description="charged particles in a box; type 0 attracts (unlike charges), type 1 repels (like charges)",
        features=PARTICLE,
        edge_types=2,
        dt=0.1,
        directed=False,
        start=start_charges,
        follow=partial(follow_particles, charges=True),
        force=lambda k, r: (-1.0, 1.0)[k] / r**2,
    ),
    "kuramoto": System(
        description="phase oscillators, half of the pairs coupled; observed are phase rate, sine and own frequency",
        features=("rate", "sin_phase", "frequency"),
        edge_types=2,
        dt=0.1,
        directed=True,
        start=start_oscillators,
        follow=follow_oscillators,
    ),
}
"""The known systems by name."""
