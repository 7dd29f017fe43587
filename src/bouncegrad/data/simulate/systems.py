"""Lists the systems: the initial conditions of their tasks, their laws of motion, and their features.

All quantities are in the units of the published generators, which have no names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bouncegrad.data.simulate.graphs import Graph
from bouncegrad.data.simulate.starts import (
    Start,
    Streams,
    by_both_degrees,
    mean_of_sources,
    mean_with_own,
    start_charges,
    start_network,
    start_neurons,
    start_oscillators,
    start_springs,
)


@dataclass(frozen=True)
class System:
    """A family of tasks that share one law of motion.

    Args:
        description: one line for a list of systems.
        features: the observed features of an entity in each frame.
        edge_types: K, the number of edge types.
        dt: time from one frame to the next.
        start: a function `(streams, M, N, graph) -> Start`.
        follow: a function `(state, coupling, out)` that fills `out`, `Float[M, T, N, D]`.
        any_graph: whether graphs of any kind are possible; otherwise edges follow from other draws, and both directions
            of a pair have one type.
        force: a function `(k, r)` that returns the force on the target of an edge of type k at distance r; a positive
            force pushes the target away. It is None if edges are not forces.
    """

    description: str
    features: tuple[str, ...]
    edge_types: int
    dt: float
    start: Callable[[Streams, int, int, Graph], Start] = field(repr=False)
    follow: Callable[[np.ndarray, np.ndarray, np.ndarray], None] = field(repr=False)
    any_graph: bool = True
    force: Callable[[int, np.ndarray], np.ndarray] | None = field(default=None, repr=False)


# The laws are imported when they are first needed, since loading the compiler takes longer than everything else here.
def follow_particles(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, charges: bool) -> None:
    """Fills `out` with positions and velocities in the box."""
    from bouncegrad.data.simulate import particles

    particles.follow(state, coupling, charges, out)


def follow_oscillators(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, phases: bool) -> None:
    """Fills `out` with phase rates, sines of phases, perhaps phases, and frequencies."""
    from bouncegrad.data.simulate import oscillators

    oscillators.follow(state, coupling, phases, out)


def follow_flow(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, saturates: bool, dt: float) -> None:
    """Fills `out` with the numbers of a network in continuous time."""
    from bouncegrad.data.simulate import flows

    flows.follow(state, coupling, saturates, round(dt / flows.STEP), out)


def follow_map(state: np.ndarray, coupling: np.ndarray, out: np.ndarray, *, name: str) -> None:
    """Fills `out` with the numbers of a network that moves in steps."""
    from bouncegrad.data.simulate import maps

    getattr(maps, name)(state, coupling, out)


PARTICLE = ("x", "y", "vx", "vy")

SYSTEMS: dict[str, System] = {
    "springs": System(
        description="particles in a box; linked pairs are pulled together by a spring of stiffness 0.1",
        features=PARTICLE,
        edge_types=2,
        dt=0.1,
        start=partial(start_springs, stiffness=(0.0, 0.1)),
        follow=partial(follow_particles, charges=False),
        force=lambda k, r: -(0.0, 0.1)[k] * r,
    ),
    "springs3": System(
        description="particles in a box; each pair has no spring, a weak one (stiffness 0.3) or a strong one (1.5)",
        features=PARTICLE,
        edge_types=3,
        dt=0.1,
        start=partial(start_springs, stiffness=(0.0, 0.3, 1.5)),
        follow=partial(follow_particles, charges=False),
        force=lambda k, r: -(0.0, 0.3, 1.5)[k] * r,
    ),
    "charged": System(
        description="charged particles in a box; type 0 attracts (unlike charges), type 1 repels (like charges)",
        features=PARTICLE,
        edge_types=2,
        dt=0.1,
        start=start_charges,
        follow=partial(follow_particles, charges=True),
        any_graph=False,
        force=lambda k, r: (-1.0, 1.0)[k] / r**2,
    ),
    "kuramoto": System(
        description="coupled phase oscillators; observed are phase rate, sine of the phase and own frequency",
        features=("rate", "sin_phase", "frequency"),
        edge_types=2,
        dt=0.1,
        start=start_oscillators,
        follow=partial(follow_oscillators, phases=False),
    ),
    "kuramoto-phase": System(
        description="the same oscillators; the phase is observed, too, and counts whole turns",
        features=("rate", "sin_phase", "phase", "frequency"),
        edge_types=2,
        dt=0.1,
        start=start_oscillators,
        follow=partial(follow_oscillators, phases=True),
    ),
    "michaelis-menten": System(
        description="levels of genes; each decays, and its sources activate it with saturation",
        features=("level",),
        edge_types=2,
        dt=1.0,
        start=partial(start_network, weights=mean_of_sources, numbers=1, low=1.0, high=2.0),
        follow=partial(follow_flow, saturates=True, dt=1.0),
    ),
    "diffusion": System(
        description="levels; each is lowered by its sources, divided by the degrees of both; linear",
        features=("level",),
        edge_types=2,
        dt=0.1,
        start=partial(start_network, weights=by_both_degrees, numbers=1, low=0.0, high=1.0),
        follow=partial(follow_flow, saturates=False, dt=0.1),
    ),
    "coupled-maps": System(
        description="logistic maps, one step per frame; a fifth of each next value comes from the sources",
        features=("value",),
        edge_types=2,
        dt=1.0,
        start=partial(start_network, weights=mean_of_sources, numbers=1, low=0.0, high=1.0),
        follow=partial(follow_map, name="follow_logistic"),
    ),
    "friedkin-johnsen": System(
        description="opinions; each becomes the mean of those of its sources and a constant own one; linear",
        features=("opinion", "stubborn"),
        edge_types=2,
        dt=1.0,
        start=partial(start_network, weights=mean_with_own, numbers=2, low=-1.0, high=1.0),
        follow=partial(follow_map, name="follow_opinions"),
    ),
    "netsims": System(
        description="activities of neurons; each decays, and its sources raise it; linear, and it grows",
        features=("activity",),
        edge_types=2,
        dt=1.0,
        start=start_neurons,
        follow=partial(follow_map, name="follow_neurons"),
    ),
}
"""The known systems by name."""
