"""Computes networks that move in steps, compiled: coupled logistic maps, opinions, and linear networks of neurons.

    coupled-maps        x_t <- 0.8 f(x_t) + 0.2 sum_s coupling[s, t] * f(x_s),    f(x) = 3.5 x (1 - x)
    friedkin-johnsen    x_t <- sum_s coupling[s, t] * x_s + (1 - sum_s coupling[s, t]) * s_t
    netsims             x_t <- x_t + 0.01 * 0.1 * (sum_s coupling[s, t] * x_s - x_t)

A frame of netsims is 100 steps, of the other two one step.

Source: coupled maps and Friedkin-Johnsen as in GDP (A Graph Dynamics Prior for Relational Inference, 2024); netsims as
in DoSI (Benchmarking Structural Inference Methods for Interacting Dynamical Systems, 2024), without input and noise.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bouncegrad.data.compiling import compiled

GROWTH = 3.5  # of the logistic map
SHARE = 0.2  # of the other entities in the next state of a coupled map
FIRST = 2  # steps before the first frame of coupled maps, as published
RATE = 0.01 * 0.1  # step and strength of netsims
STEPS_PER_FRAME = 100  # of netsims


@compiled
def add_sources(
    x: Float[np.ndarray, " N"], coupling: Float[np.ndarray, "N N"], share: float, new: Float[np.ndarray, " N"]
) -> None:
    """Adds `share * sum_s coupling[s, t] * x_s` to `new_t`."""
    for j in range(x.shape[0]):
        for i in range(x.shape[0]):
            new[i] += share * coupling[j, i] * x[j]


@compiled
def follow_logistic(
    start: Float[np.ndarray, "M N 1"], coupling: Float[np.ndarray, "M N N"], out: Float[np.ndarray, "M T N 1"]
) -> None:
    """Fills `out` with x after 2, 3, 4, ... steps of coupled maps.

    Args:
        start: x at time 0, in [0, 1].
        coupling: `[source, target]`; the columns add to 1, or to 0 for an entity without sources.
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    image = np.empty(entities)
    new = np.empty(entities)
    for m in range(tasks):
        for i in range(entities):
            new[i] = start[m, i, 0]
        for t in range(1 - FIRST, frames):
            for i in range(entities):
                image[i] = GROWTH * new[i] * (1.0 - new[i])
                new[i] = (1.0 - SHARE) * image[i]
            add_sources(image, coupling[m], SHARE, new)
            if t >= 0:
                for i in range(entities):
                    out[m, t, i, 0] = new[i]


@compiled
def follow_opinions(
    start: Float[np.ndarray, "M N 2"], coupling: Float[np.ndarray, "M N N"], out: Float[np.ndarray, "M T N 2"]
) -> None:
    """Fills `out` with opinions x and stubborn opinions s after 0, 1, 2, ... steps.

    Args:
        start: x and s at time 0; s stays.
        coupling: `[source, target]`; the columns add to 1 or less.
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    x = np.empty(entities)
    new = np.empty(entities)
    own = np.empty(entities)
    for m in range(tasks):
        for i in range(entities):
            x[i] = start[m, i, 0]
            own[i] = 1.0
            for j in range(entities):
                own[i] -= coupling[m, j, i]
        for t in range(frames):
            for i in range(entities):
                out[m, t, i, 0] = x[i]
                out[m, t, i, 1] = start[m, i, 1]
                new[i] = own[i] * start[m, i, 1]
            add_sources(x, coupling[m], 1.0, new)
            for i in range(entities):
                x[i] = new[i]


@compiled
def follow_neurons(
    start: Float[np.ndarray, "M N 1"], coupling: Float[np.ndarray, "M N N"], out: Float[np.ndarray, "M T N 1"]
) -> None:
    """Fills `out` with x after 100, 200, ... steps of netsims.

    Activities grow by about exp(0.1 (k - 1)) from one frame to the next, where k is the mean number of sources.

    Args:
        start: x at time 0.
        coupling: `[source, target]`.
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    x = np.empty(entities)
    new = np.empty(entities)
    for m in range(tasks):
        for i in range(entities):
            x[i] = start[m, i, 0]
        for t in range(frames):
            for _ in range(STEPS_PER_FRAME):
                for i in range(entities):
                    new[i] = x[i] - RATE * x[i]
                add_sources(x, coupling[m], RATE, new)
                for i in range(entities):
                    x[i] = new[i]
            for i in range(entities):
                out[m, t, i, 0] = x[i]
