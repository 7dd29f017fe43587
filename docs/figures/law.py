"""What a trained model says of the law between two entities, asked on the states that they visit.

    force(s -> t) = (change of t's velocity if the edge has type 1 - the same if it has type 0) / (2 dt), along the line

Half of it, since charges of either kind act as strongly. Used by `first_result.py`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from bouncegrad import Result, Trajectories
from bouncegrad.app.model import Model
from bouncegrad.results.style import COLOURS, INK, legend, plain

NEAREST, FARTHEST = 0.5, 6  # nearer than that, the force changes much within a frame


def asked(
    model: Model, data: Trajectories, edges: np.ndarray, count: int, seed: int = 0
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """Distances and forces of `count` random pairs in random frames; all other edges and names of types as given."""
    rng = np.random.default_rng(seed)
    m, frames, n, _ = data.shape
    task, frame, rows = rng.integers(m, size=count), rng.integers(frames - 1, size=count), np.arange(count)
    source = rng.integers(n, size=count)
    target = (source + rng.integers(1, n, size=count)) % n
    states = np.stack([data.x[task, frame], data.x[task, frame + 1]], 1)  # only the second is started from
    asked = Trajectories(states, dt=data.dt, features=data.features)
    after = []
    for kind in range(2):
        types = edges[task].copy()
        types[rows, source, target] = kind
        probability = np.eye(2)[types] * ~np.eye(n, dtype=bool)[..., None]
        result = Result.from_probability(probability, np.zeros(count), context=2)
        after.append(model.predict(asked, 1, result=result)[rows, 0, target, 2:4])
    apart = states[rows, 1, target, :2] - states[rows, 1, source, :2]
    distance = np.linalg.norm(apart, axis=1)
    return distance, ((after[1] - after[0]) * apart).sum(1) / distance / (2 * data.dt)


def draw(distance: Float[np.ndarray, " P"], force: Float[np.ndarray, " P"], ax: Axes) -> Axes:
    """Points that the model answered, and the true law of charges."""
    plain(ax, grid="y")
    ax.plot(distance, force, "o", markersize=2.5, color=COLOURS[0], alpha=0.35, markeredgewidth=0, label="learned")
    r = np.linspace(NEAREST, FARTHEST, 200)
    ax.plot(r, 1 / r**2, color=INK, linewidth=1.4, linestyle=(0, (5, 2)), label="true, 1 / r²")
    ax.set(xlim=(NEAREST - 0.05, FARTHEST), ylim=(-0.5, 4.5), xlabel="distance r", ylabel="force between like charges")
    legend(ax, loc="upper right")
    return ax
