"""Fresh systems with known edges, one recording each: linear series, oscillators, predators and prey, particles.

Each function returns one task with `edges[0, source, target]` 1 where the source acts on the target, and 0 elsewhere.
A hidden driver acts on all recorded series, and counts as no edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bouncegrad.app.benchmarks.series_flows import coupled, kuramoto, lorenz96, predators, random_edges, recorded
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

NOISES = (0.0, 0.05, 0.1, 0.2)  # standard deviation of measurement noise, in that of each feature


def fresh_systems(seed: int, count: int) -> Iterator[tuple[str, Trajectories]]:
    """Yields (name, recording) of every kind in turn; each round of kinds has another measurement noise.

    The same seed gives the same systems, and the first ones do not depend on `count`.
    """
    kinds = tuple(KINDS)
    for i, rng in enumerate(np.random.default_rng(seed).spawn(count)):
        kind, noise = kinds[i % len(kinds)], NOISES[i // len(kinds) % len(NOISES)]
        yield f"{kind}, noise {noise:.0%}", KINDS[kind](rng, noise)


def independent(rng: np.random.Generator, noise: float, *, walk: bool = False, trend: bool = False) -> Trajectories:
    """AR(1) series or random walks without any interaction, perhaps each with a trend."""
    n, frames = int(rng.integers(3, 9)), int(rng.integers(400, 1501))
    memory = np.ones(n) if walk else rng.uniform(0.3, 0.98, n)
    x = np.zeros((frames, n))
    for t in range(1, frames):
        x[t] = memory * x[t - 1] + rng.standard_normal(n)
    if trend:
        time = np.linspace(-1, 1, frames)[:, None]
        x += x.std() * (rng.uniform(-3, 3, n) * time + rng.uniform(-1.5, 1.5, n) * time**2)
    return recorded(x[:, :, None], np.zeros((n, n), int), rng, noise)


def hidden_driver(rng: np.random.Generator, noise: float) -> Trajectories:
    """Two series that a third one drives, which is not recorded."""
    frames, weight = int(rng.integers(400, 1501)), rng.uniform(0.3, 1.0, 2)
    memory, x = rng.uniform(0.3, 0.9, 3), np.zeros((frames, 3))
    for t in range(1, frames):
        x[t] = memory * x[t - 1] + rng.standard_normal(3)
        x[t, :2] += weight * x[t - 1, 2]
    return recorded(x[:, :2, None], np.zeros((2, 2), int), rng, noise)


def linear_network(rng: np.random.Generator, noise: float) -> Trajectories:
    """A vector autoregression with 1 to 3 lags; every edge acts at one of them."""
    n, lags, frames = int(rng.integers(4, 11)), int(rng.integers(1, 4)), int(rng.integers(500, 1501))
    edges = random_edges(n, float(rng.uniform(0.1, 0.4)), rng)
    weights = edges * rng.uniform(0.1, 0.5, (n, n)) * rng.choice([-1, 1], (n, n))
    at = rng.integers(0, lags, (n, n))
    by_lag = np.stack([np.where(at == lag, weights, 0.0) for lag in range(lags)])
    by_lag[0] += np.diag(rng.uniform(0.2, 0.8, n))
    companion = np.eye(n * lags, k=n)  # row vectors of states, the newest first
    companion[:, :n] = by_lag.reshape(n * lags, n)
    radius = np.abs(np.linalg.eigvals(companion)).max()
    if radius > 0.95:  # a factor c^lag multiplies every eigenvalue by c, so that the series stay bounded
        by_lag *= (0.95 / radius) ** np.arange(1, lags + 1)[:, None, None]
    x = np.zeros((frames + 200, n))
    for t in range(lags, len(x)):
        x[t] = rng.standard_normal(n) + sum(x[t - 1 - lag] @ by_lag[lag] for lag in range(lags))
    return recorded(x[200:, :, None], edges, rng, noise)


def particles(rng: np.random.Generator, noise: float, system: str) -> Trajectories:
    """One long recording of springs or charges in a box; between charges every pair interacts, in one of two ways."""
    frames, seed = int(rng.integers(1000, 2001)), int(rng.integers(2**31))
    data = simulate(system, 1, frames=frames, seed=seed, threads=1)
    assert data.edges is not None
    return recorded(data.x[0], data.edges[0], rng, noise)


KINDS: dict[str, Callable[[np.random.Generator, float], Trajectories]] = {
    "AR": independent,
    "trends": lambda rng, noise: independent(rng, noise, trend=True),
    "walks": lambda rng, noise: independent(rng, noise, walk=True),
    "walks with trends": lambda rng, noise: independent(rng, noise, walk=True, trend=True),
    "hidden driver": hidden_driver,
    "VAR": linear_network,
    "Lotka-Volterra 4": predators,
    "Lotka-Volterra 20": lambda rng, noise: predators(rng, noise, n=20, frames=1000),
    "FitzHugh-Nagumo": lambda rng, noise: coupled(rng, noise, "fitzhugh", strength=0.1),
    "FitzHugh-Nagumo apart": lambda rng, noise: coupled(rng, noise, "fitzhugh", strength=0.0),
    "Roessler": lambda rng, noise: coupled(rng, noise, "roessler", strength=0.1),
    "Roessler apart": lambda rng, noise: coupled(rng, noise, "roessler", strength=0.0),
    "Lorenz": lambda rng, noise: coupled(rng, noise, "lorenz", strength=1.0),
    "Lorenz apart": lambda rng, noise: coupled(rng, noise, "lorenz", strength=0.0),
    "Kuramoto": kuramoto,
    "Lorenz-96": lorenz96,
    "springs": lambda rng, noise: particles(rng, noise, "springs"),
    "charges": lambda rng, noise: particles(rng, noise, "charged"),
}
APART = ("AR", "trends", "walks", "walks with trends", "FitzHugh-Nagumo apart", "Roessler apart", "Lorenz apart")
"""Kinds in which nothing acts on anything, seen or hidden."""
