"""Recordings of systems in continuous time with known edges: oscillators, predators and prey, a ring of levels.

The laws are integrated by the classical Runge-Kutta method of fourth order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.trajectories import Trajectories

Law = Callable[[np.ndarray], np.ndarray]


def recorded(
    x: Float[np.ndarray, "T N D"], edges: Int[np.ndarray, "N N"], rng: np.random.Generator, noise: float
) -> Trajectories:
    """Returns the task with measurement noise, in standard deviations of each feature over all entities."""
    x = x + noise * x.std((0, 1)) * rng.standard_normal(x.shape)
    return Trajectories(x[None], edges=edges[None], features=tuple(f"x{i}" for i in range(x.shape[2])))


def random_edges(n: int, density: float, rng: np.random.Generator) -> Int[np.ndarray, "N N"]:
    """Returns a directed graph in which every ordered pair has an edge with this probability."""
    return (rng.random((n, n)) < density).astype(int) * (1 - np.eye(n, dtype=int))


def followed(law: Law, start: np.ndarray, frames: int, dt: float, *, steps: int, skip: int) -> np.ndarray:
    """Returns the states after `skip` frames, each `steps` Runge-Kutta steps apart."""
    state, h = start, dt / steps
    states = np.empty((frames, *start.shape))
    for frame in range(-skip, frames):
        for _ in range(steps):
            a = law(state)
            b = law(state + h / 2 * a)
            c = law(state + h / 2 * b)
            state = state + h / 6 * (a + 2 * b + 2 * c + law(state + h * c))
        if frame >= 0:
            states[frame] = state
    return states


def predators(rng: np.random.Generator, noise: float, *, n: int = 4, frames: int = 2000) -> Trajectories:
    """Lotka-Volterra: the first half of the species is prey, and each of the others hunts one or two of them.

    Every prey is hunted, so that none grows without bound.
    """
    half = n // 2
    hunted = np.zeros((half, half))  # [prey, predator]
    for order in (rng.permutation(half), rng.permutation(half))[: 1 + (n > 4)]:
        hunted[order, np.arange(half)] = 1
    edges = np.zeros((n, n), int)
    edges[:half, half:], edges[half:, :half] = hunted, hunted.T

    def law(s: np.ndarray) -> np.ndarray:
        prey, hunter = s[:half], s[half:]
        grown = prey * (1.1 * (1 - prey / 50) - 0.2 * hunted @ hunter)
        return np.concatenate([grown, hunter * (0.2 * prey @ hunted - 1.1)])

    x = np.empty((frames, n))
    state = rng.uniform(5, 15, n)
    for t in range(-100, frames):  # every level varies by 2 % in a frame, or all would soon be periodic
        state = followed(law, state, 1, 0.05, steps=5, skip=0)[0] * np.exp(0.02 * rng.standard_normal(n))
        if t >= 0:
            x[t] = state
    return recorded(x[:, :, None], edges, rng, noise)


def coupled(
    rng: np.random.Generator, noise: float, name: str, *, strength: float, n: int = 0, frames: int = 0
) -> Trajectories:
    """Oscillators of one kind, whose first features are pulled together along directed edges.

    Args:
        rng: draws the system.
        noise: of measurement.
        name: `fitzhugh`, `roessler` or `lorenz`.
        strength: of the pull; with 0 there are no edges.
        n: entities; 0: drawn from 3 to 6.
        frames: T; 0: drawn from 800 to 2000.
    """
    n, frames = n or int(rng.integers(3, 7)), frames or int(rng.integers(800, 2001))
    edges = random_edges(n, 0.35 if strength else 0.0, rng)
    own = rng.uniform(0.9, 1.1, n)  # every oscillator has its own speed

    def law(s: np.ndarray) -> np.ndarray:
        x, y, z = s[:, 0], s[:, 1], s[:, -1]
        pull = strength * (edges.T @ x - edges.sum(0) * x)
        if name == "fitzhugh":
            return np.stack([own * (x - x**3 / 3 - y + 0.5) + pull, 0.08 * own * (x + 0.7 - 0.8 * y)], 1)
        if name == "roessler":
            return np.stack([-own * y - z + pull, own * x + 0.2 * y, 0.2 + z * (x - 5.7)], 1)
        return np.stack([10 * (y - x) + pull, x * (28 * own - z) - y, x * y - 8 / 3 * z], 1)

    dt, d, offset = {"fitzhugh": (0.25, 2, 0), "roessler": (0.1, 3, 0), "lorenz": (0.03, 3, 20)}[name]
    start = rng.standard_normal((n, d))
    start[:, -1] += offset
    return recorded(followed(law, start, frames, dt, steps=5, skip=500), edges, rng, noise)


def kuramoto(rng: np.random.Generator, noise: float) -> Trajectories:
    """Phase oscillators; recorded is the phase as an angle, or its sine and cosine."""
    n, frames = int(rng.integers(3, 9)), int(rng.integers(800, 2001))
    edges, own = random_edges(n, 0.35, rng), rng.uniform(1, 3, n)

    def law(phase: np.ndarray) -> np.ndarray:
        return own + (edges * np.sin(phase[:, None] - phase)).sum(0) * 0.5

    phase = followed(law, rng.uniform(0, 2 * np.pi, n), frames, 0.1, steps=2, skip=0)
    if rng.random() < 0.5:
        return recorded(np.stack([np.sin(phase), np.cos(phase)], -1), edges, rng, noise)
    phase = np.mod(phase + noise / np.sqrt(2) * rng.standard_normal(phase.shape), 2 * np.pi)
    return Trajectories(phase[None, :, :, None], edges=edges[None], features=("phase",), angles=("phase",))


def lorenz96(rng: np.random.Generator, noise: float, *, n: int = 0, frames: int = 0, force: float = 0) -> Trajectories:
    """`dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F`, a ring with three sources for each entity.

    Args:
        rng: draws the system.
        noise: of measurement.
        n: entities; 0: 10 or 20.
        frames: T; 0: 500 or 1,000.
        force: F; 0: 10 or 40.
    """
    n, frames, force = (
        n or int(rng.choice([10, 20])),
        frames or int(rng.choice([500, 1000])),
        force or rng.choice([10.0, 40.0]),
    )

    def law(x: np.ndarray) -> np.ndarray:
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + force

    x = followed(law, 0.01 * rng.standard_normal(n) + force / 10, frames, 0.1, steps=10, skip=1000)
    edges = np.zeros((n, n), int)
    for source in (-2, -1, 1):
        edges[(np.arange(n) + source) % n, np.arange(n)] = 1
    return recorded(x[:, :, None], edges, rng, noise)
