"""Computes networks of entities with one number each in continuous time, compiled: Michaelis-Menten and diffusion.

    michaelis-menten    dx_t / dt = -x_t + sum_s coupling[s, t] * x_s / (1 + x_s)
    diffusion           dx_t / dt = -sum_s coupling[s, t] * x_s

The equations are integrated by the classical Runge-Kutta method of fourth order in steps of h = 0.025. The start is
frame 0.

Source: GDP (A Graph Dynamics Prior for Relational Inference, 2024), with the sign of diffusion as in its code.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bouncegrad.data.compiling import compiled

STEP = 0.025


@compiled
def set_rates(
    x: Float[np.ndarray, " N"], coupling: Float[np.ndarray, "N N"], saturates: bool, rate: Float[np.ndarray, " N"]
) -> None:
    """Fills `rate` with dx / dt."""
    entities = x.shape[0]
    for i in range(entities):
        rate[i] = -x[i] if saturates else 0.0
    for j in range(entities):
        effect = x[j] / (1.0 + x[j]) if saturates else -x[j]
        for i in range(entities):
            rate[i] += coupling[j, i] * effect


@compiled
def follow(
    start: Float[np.ndarray, "M N 1"],
    coupling: Float[np.ndarray, "M N N"],
    saturates: bool,
    steps: int,
    out: Float[np.ndarray, "M T N 1"],
) -> None:
    """Fills `out` with x after 0, 1, 2, ... times `steps` steps.

    Args:
        start: x at time 0.
        coupling: `[source, target]`.
        saturates: true for Michaelis-Menten, false for diffusion.
        steps: number of steps from one frame to the next.
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    x = np.empty(entities)
    trial = np.empty(entities)
    change = np.empty(entities)
    rate = np.empty(entities)
    for m in range(tasks):
        for i in range(entities):
            x[i] = start[m, i, 0]
        for t in range(frames):
            for i in range(entities):
                out[m, t, i, 0] = x[i]
            for _ in range(steps if t + 1 < frames else 0):
                for i in range(entities):
                    trial[i] = x[i]
                    change[i] = 0.0
                for stage in range(4):  # weights 1, 2, 2, 1; stages 1, 2, 3 begin at 1/2, 1/2 and 1 step ahead
                    set_rates(trial, coupling[m], saturates, rate)
                    weight = 2.0 if stage in (1, 2) else 1.0
                    ahead = STEP if stage == 2 else STEP / 2
                    for i in range(entities):
                        change[i] += weight * rate[i]
                        trial[i] = x[i] + ahead * rate[i]
                for i in range(entities):
                    x[i] += STEP / 6 * change[i]
