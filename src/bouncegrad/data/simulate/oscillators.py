"""Computes the motion of Kuramoto's phase oscillators, compiled.

    d phi_t / dt = omega_t + sum_s coupling[s, t] * sin(phi_s - phi_t)

The equation is integrated by the classical Runge-Kutta method of fourth order in steps of h = 0.01. Every 10th state is
kept.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from bouncegrad.data.compiling import compiled

STEP = 1e-2
STEPS_PER_FRAME = 10


@compiled
def set_rates(
    phase: Float[np.ndarray, " N"],
    frequency: Float[np.ndarray, " N"],
    coupling: Float[np.ndarray, "N N"],
    sines: Float[np.ndarray, "N 2"],
    rate: Float[np.ndarray, " N"],
) -> None:
    """Fills `rate` with d phi / dt, and `sines` with sin phi and cos phi."""
    entities = phase.shape[0]
    for i in range(entities):
        sines[i, 0] = math.sin(phase[i])
        sines[i, 1] = math.cos(phase[i])
    for i in range(entities):
        rate[i] = frequency[i]
        for j in range(entities):  # sin(a - b) from sines and cosines of a and b: N calls instead of N (N - 1)
            rate[i] += coupling[j, i] * (sines[j, 0] * sines[i, 1] - sines[j, 1] * sines[i, 0])


@compiled
def follow(
    start: Float[np.ndarray, "M N 2"],
    coupling: Float[np.ndarray, "M N N"],
    phases: bool,
    out: Float[np.ndarray, "M T N D"],
) -> None:
    """Fills `out` with (d phi / dt, sin phi, omega) after 10, 20, ... steps from `start`.

    With `phases` the numbers are (d phi / dt, sin phi, phi, omega), where phi is not reduced to one turn.

    Args:
        start: the phase at time 0 in radians, and the oscillator's own frequency omega in radians per unit of time.
        coupling: `[source, target]`.
        phases: whether phi is a feature.
        out: the array to fill.
    """
    tasks, frames, entities, _ = out.shape
    phase = np.empty(entities)
    trial = np.empty(entities)
    change = np.empty(entities)
    rate = np.empty(entities)
    sines = np.empty((entities, 2))
    for m in range(tasks):
        frequency = start[m, :, 1]
        for i in range(entities):
            phase[i] = start[m, i, 0]
        for t in range(frames):
            for _ in range(STEPS_PER_FRAME):
                for i in range(entities):
                    trial[i] = phase[i]
                    change[i] = 0.0
                for stage in range(4):  # weights 1, 2, 2, 1; stages 1, 2, 3 begin at 1/2, 1/2 and 1 step ahead
                    set_rates(trial, frequency, coupling[m], sines, rate)
                    weight = 2.0 if stage in (1, 2) else 1.0
                    ahead = STEP if stage == 2 else STEP / 2
                    for i in range(entities):
                        change[i] += weight * rate[i]
                        trial[i] = phase[i] + ahead * rate[i]
                for i in range(entities):
                    phase[i] += STEP / 6 * change[i]
            set_rates(phase, frequency, coupling[m], sines, rate)
            for i in range(entities):
                out[m, t, i, 0] = rate[i]
                out[m, t, i, 1] = sines[i, 0]
                out[m, t, i, 2] = phase[i] if phases else frequency[i]
                if phases:
                    out[m, t, i, 3] = frequency[i]
