"""Computes the motion of particles in a box, compiled: springs and charges.

The force on particle t, and the published semi-implicit step of h = 0.001, in this order:

    F_t = sum_s coupling[s, t] * (x_t - x_s) * g(r_st),    g = 1 (springs) or 1 / r^3 (charges)
    v += h * clip(F, -100, 100);    x += h * v;    reflection at the walls x = +-5;    every 100th state is kept
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from bouncegrad.data.compiling import compiled

STEP = 1e-3
STEPS_PER_FRAME = 100
HALF_WIDTH = 5.0
LARGEST_FORCE = 100.0


# The code uses scalars, since slices and array expressions would take the compiler four times as long.
@compiled
def follow(
    start: Float[np.ndarray, "M N 4"],
    coupling: Float[np.ndarray, "M N N"],
    charges: bool,
    out: Float[np.ndarray, "M T N 4"],
) -> None:
    """Fills `out` with the states (x, y, vx, vy) after 100, 200, ... steps from `start`.

    Args:
        start: states at time 0.
        coupling: `[source, target]`; a positive value pushes the target away from the source, a negative one pulls it.
        charges: if true, forces fall with the square of the distance; otherwise they are proportional to it (springs).
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    state = np.empty((entities, 4))
    force = np.empty((entities, 2))
    for m in range(tasks):
        for i in range(entities):
            for c in range(2):
                state[i, c] = start[m, i, c]
                state[i, 2 + c] = start[m, i, 2 + c]
                if abs(state[i, c]) > HALF_WIDTH:
                    bounce(state, i, c)
        for t in range(frames):
            for _ in range(STEPS_PER_FRAME):
                for i in range(entities):
                    force[i, 0] = 0.0
                    force[i, 1] = 0.0
                for i in range(entities):
                    for j in range(i):  # each pair once, since both directions have the same distance
                        dx = state[i, 0] - state[j, 0]
                        dy = state[i, 1] - state[j, 1]
                        if charges:
                            square = dx * dx + dy * dy
                            weight = 1.0 / (square * math.sqrt(square))
                            dx *= weight
                            dy *= weight
                        force[i, 0] += coupling[m, j, i] * dx
                        force[i, 1] += coupling[m, j, i] * dy
                        force[j, 0] -= coupling[m, i, j] * dx
                        force[j, 1] -= coupling[m, i, j] * dy
                for i in range(entities):
                    for c in range(2):
                        state[i, 2 + c] += STEP * min(max(force[i, c], -LARGEST_FORCE), LARGEST_FORCE)
                        state[i, c] += STEP * state[i, 2 + c]
                        if abs(state[i, c]) > HALF_WIDTH:
                            bounce(state, i, c)
            for i in range(entities):
                for c in range(4):
                    out[m, t, i, c] = state[i, c]


@compiled
def bounce(state: Float[np.ndarray, "N 4"], entity: int, axis: int) -> None:
    """Reflects one coordinate that left the box, and turns its velocity inwards."""
    side = math.copysign(1.0, state[entity, axis])
    state[entity, axis] = side * 2 * HALF_WIDTH - state[entity, axis]
    state[entity, 2 + axis] = -side * abs(state[entity, 2 + axis])
