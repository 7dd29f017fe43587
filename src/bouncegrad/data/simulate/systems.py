"""The table of systems: what each task starts from, which law it follows, and what is observed.

Quantities are in the units of the published generators, which name none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

SPEED = 0.5


class Streams(NamedTuple):
    """Independent random streams, one for each kind of quantity.

    Every draw is one array whose first axis is the task, so the first tasks do not depend on how many follow.
    """

    edges: np.random.Generator
    place: np.random.Generator
    motion: np.random.Generator
    noise: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> Streams:
        """The streams of a seed >= 0."""
        return cls(*(np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(4)))


class Start(NamedTuple):
    """What M tasks start from: edge types and couplings, `[source, target]`, and C hidden numbers per entity."""

    edges: Int[np.ndarray, "M N N"]
    coupling: Float[np.ndarray, "M N N"]
    state: Float[np.ndarray, "M N C"]


@dataclass(frozen=True)
class System:
    """A family of tasks that share one law of motion.

    Args:
        description: one sentence for a list of systems.
        features: what is observed of an entity in each frame.
        edge_types: K, the number of edge types.
        dt: time from one frame to the next.
        directed: whether the two directions of a pair may differ.
        start: `(streams, M, N, directed) -> Start`.
        follow: `(state, coupling, out)` fills `out`, `Float[M, T, N, D]`; frame t is at time `(t + 1) * dt`.
        force: `(k, r)`, on the target of an edge of type k at distance r; positive pushes it away. None: not a force.
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
    """Edge types, all equally likely; each unordered pair drawn once, or each ordered pair if `directed`."""
    edges = (random.random((tasks, entities, entities)) * types).astype(np.int64)
    lower = np.tril(edges, -1)
    return lower + (np.triu(edges, 1) if directed else lower.transpose(0, 2, 1))


def draw_particles(streams: Streams, tasks: int, entities: int, spread: float) -> Float[np.ndarray, "M N 4"]:
    """Positions N(0, spread^2) and velocities of speed 0.5 in a random direction."""
    position = spread * streams.place.standard_normal((tasks, entities, 2))
    angle = 2 * np.pi * streams.motion.random((tasks, entities))
    velocity = SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.concatenate([position, velocity], axis=-1)


def start_springs(
    streams: Streams, tasks: int, entities: int, directed: bool, *, stiffness: tuple[float, ...]
) -> Start:
    """Springs of rest length 0; an edge of type k pulls its target with the force `-stiffness[k] * (x_t - x_s)`."""
    edges = draw_edges(streams.edges, tasks, entities, len(stiffness), directed)
    coupling = -np.asarray(stiffness)[edges]
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=0.5))


def start_charges(streams: Streams, tasks: int, entities: int, directed: bool) -> Start:
    """Charges of +1 or -1; type 1 where they are equal (repulsion) and type 0 where they differ (attraction)."""
    charge = np.where(streams.edges.random((tasks, entities)) < 0.5, -1.0, 1.0)
    coupling = charge[:, :, None] * charge[:, None, :]
    edges = (coupling > 0).astype(np.int64) * (1 - np.eye(entities, dtype=np.int64))
    return Start(edges, coupling, draw_particles(streams, tasks, entities, spread=1.0))


def start_oscillators(streams: Streams, tasks: int, entities: int, directed: bool) -> Start:
    """Phases uniform in [0, 2 pi), frequencies uniform in [1, 10); an edge of type 1 couples with strength 1."""
    edges = draw_edges(streams.edges, tasks, entities, 2, directed)
    phase = 2 * np.pi * streams.place.random((tasks, entities))
    frequency = 1 + 9 * streams.motion.random((tasks, entities))
    return Start(edges, edges.astype(np.float64), np.stack([phase, frequency], axis=-1))


# The laws are imported when first needed: loading the compiler takes longer than everything else here.
def follow_particles(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, charges: bool) -> None:
    """Positions and velocities in the box, filled into `out`."""
    from bouncegrad.data.simulate import particles

    particles.follow(state, coupling, charges, out)


def follow_oscillators(state: np.ndarray, coupling: np.ndarray, out: np.ndarray) -> None:
    """Phase rates, sines and frequencies, filled into `out`."""
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
