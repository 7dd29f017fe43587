"""The compiled laws against plain NumPy written from the published formulas, exact cases, and published files."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bouncegrad.data.simulate import SYSTEMS, oscillators, particles, simulate
from bouncegrad.data.simulate.graphs import Graph
from bouncegrad.data.simulate.starts import Streams

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def follow(system, state, coupling, frames):
    """Frames of a system from a given start; one task may be given without its axis."""
    state, coupling = np.array(state, float, ndmin=3), np.array(coupling, float, ndmin=3)
    out = np.full((len(state), frames, state.shape[1], len(SYSTEMS[system].features)), np.nan)
    SYSTEMS[system].follow(state, coupling, out)
    return out


def plain_particles(state, coupling, frames, charges, largest=100):
    """One task by the published steps: force and kick first, then position, walls, sample, force, kick."""

    def kick(x, v):
        apart = x[:, None] - x[None, :]  # [target, source]
        weight = coupling.T.copy()
        if charges:
            distance = np.linalg.norm(apart, axis=-1)
            np.fill_diagonal(distance, 1)
            weight = weight / distance**3
        np.fill_diagonal(weight, 0)
        return v + 0.001 * np.clip((weight[..., None] * apart).sum(axis=1), -largest, largest)

    x, v = state[:, :2].copy(), state[:, 2:].copy()
    v = kick(x, v)
    kept = []
    for step in range(1, 100 * frames + 1):
        x = x + 0.001 * v
        v = np.where(x > 5, -np.abs(v), np.where(x < -5, np.abs(v), v))
        x = np.where(x > 5, 10 - x, np.where(x < -5, -10 - x, x))
        if step % 100 == 0:
            kept.append(np.concatenate([x, v], axis=-1))
        v = kick(x, v)
    return np.stack(kept)


def phase_rate(phase, frequency, coupling):
    """omega_t + sum_s coupling[s, t] sin(phi_s - phi_t)."""
    return frequency + (coupling * np.sin(phase[:, None] - phase[None, :])).sum(axis=0)


def plain_oscillators(state, coupling, frames):
    phase, frequency = state.T
    kept = []
    for step in range(1, 10 * frames + 1):
        k1 = phase_rate(phase, frequency, coupling)
        k2 = phase_rate(phase + 0.005 * k1, frequency, coupling)
        k3 = phase_rate(phase + 0.005 * k2, frequency, coupling)
        k4 = phase_rate(phase + 0.01 * k3, frequency, coupling)
        phase = phase + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if step % 10 == 0:
            kept.append(np.stack([phase_rate(phase, frequency, coupling), np.sin(phase), frequency], axis=-1))
    return np.stack(kept)


@pytest.mark.parametrize(
    ("system", "directed"),
    [("springs", False), ("springs", True), ("springs3", True), ("charged", False), ("kuramoto", True)],
)
def test_equals_the_published_steps(system, directed):
    data = simulate(system, 4, frames=3, seed=5, directed=directed)
    start = SYSTEMS[system].start(Streams.of(5), 4, 5, Graph(directed=directed))
    assert np.array_equal(start.edges, data.edges)
    force = {"springs": [0, -0.1], "springs3": [0, -0.3, -1.5], "charged": [-1, 1], "kuramoto": [0, 1]}[system]
    for task in range(4):
        coupling = np.array(force)[data.edges[task]]
        if system == "kuramoto":
            plain = plain_oscillators(start.state[task], coupling, 3)
        else:
            plain = plain_particles(start.state[task], coupling, 3, charges=system == "charged")
        assert np.abs(data.x[task] - plain).max() < 1e-11


def test_largest_force_is_clipped_as_published():
    state = np.array([[0, 0, 0, 0], [0.012, 0.016, 0, 0], [0.5, 0, 0, 0.1]])
    coupling = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
    clipped, free = (plain_particles(state, coupling, 1, charges=True, largest=f) for f in (100, np.inf))
    assert np.allclose(follow("charged", state, coupling, 1)[0], clipped, rtol=0, atol=1e-9)
    assert np.abs(clipped - free).max() > 1


def test_walls_mirror_position_and_velocity():
    state = [[4.99, -4.98, 0.5, -0.3], [-4.97, 4.98, -0.4, 0.7]]
    x = follow("springs", state, np.zeros((2, 2)), 1)[0, 0]
    assert np.allclose(x, [[4.96, -4.99, -0.5, 0.3], [-4.99, 4.95, 0.4, -0.7]])


def test_a_start_outside_is_mirrored_as_published():
    x = follow("springs", [[5.2, 0, 0.5, 0], [0, 0, 0, 0]], np.zeros((2, 2)), 1)[0, 0]
    assert np.allclose(x[0], [4.75, 0, -0.5, 0])


@pytest.mark.parametrize("system", ["springs", "charged"])
def test_a_directed_edge_moves_its_target_only(system):
    state = np.array([[0, 0, 0.5, 0], [0, 1, 0, 0.5]])
    only_0_to_1 = np.array([[0, -1], [0, 0]])
    x = follow(system, state, only_0_to_1, 5)[0]
    assert np.allclose(x[:, 0], [[0.05 * t, 0, 0.5, 0] for t in range(1, 6)])
    assert (x[:, 1, 3] < 0.5).all()  # pulled down, towards entity 0
    assert (x[:, 1, 2] > 0).all()


def test_a_directed_coupling_changes_its_target_only():
    start = [[0, 2], [np.pi / 2, 3]]  # a quarter turn apart: the pull of entity 0 slows entity 1 to the same rate
    rates = follow("kuramoto", start, [[0, 1], [0, 0]], 4)[0, :, :, 0]
    assert np.array_equal(rates[:, 0], [2, 2, 2, 2])
    assert np.allclose(rates[:, 1], 2)
    rates = follow("kuramoto", start, [[0, 0], [1, 0]], 4)[0, :, :, 0]
    assert np.allclose(rates[:, 0], 3)
    assert np.array_equal(rates[:, 1], [3, 3, 3, 3])


@pytest.mark.parametrize("system", SYSTEMS)
def test_entities_have_no_order(system):
    start = SYSTEMS[system].start(Streams.of(1), 6, 4, Graph(directed=SYSTEMS[system].any_graph))
    order = np.array([2, 0, 3, 1])
    x = follow(system, start.state, start.coupling, 5)
    turned = follow(system, start.state[:, order], start.coupling[:, order][:, :, order], 5)
    assert np.allclose(turned, x[:, :, order], rtol=0, atol=1e-9)


def test_energy_of_springs_is_kept_away_from_the_walls():
    data = simulate("springs", 200)
    inside = (np.abs(data.x[..., :2]) < 4.9).all(axis=(1, 2, 3))
    position, velocity = data.x[inside, ..., :2], data.x[inside, ..., 2:]
    apart = ((position[:, :, :, None] - position[:, :, None]) ** 2).sum(axis=-1)
    potential = 0.5 * 0.1 * (data.edges[inside, None] * apart).sum(axis=(2, 3)) / 2
    energy = 0.5 * (velocity**2).sum(axis=(2, 3)) + potential
    assert inside.sum() > 150
    assert potential.std(axis=1).min() > 0.01 * energy.min()  # it is exchanged
    assert (np.abs(energy / energy[:, :1] - 1) < 1e-3).all()


def test_phases_agree_with_an_adaptive_solver():
    start = SYSTEMS["kuramoto"].start(Streams.of(2), 1, 5, Graph(directed=True))
    frequency, coupling = start.state[0, :, 1], start.coupling[0]
    exact = solve_ivp(
        lambda _, phase: phase_rate(phase, frequency, coupling),
        (0, 4.9),
        start.state[0, :, 0],
        t_eval=0.1 * np.arange(1, 50),
        rtol=1e-11,
        atol=1e-11,
        method="DOP853",
    ).y.T
    x = follow("kuramoto", start.state, start.coupling, 49)[0]
    rate = np.array([phase_rate(phase, frequency, coupling) for phase in exact])
    assert np.allclose(x[..., 0], rate, rtol=0, atol=1e-6)
    assert np.allclose(x[..., 1], np.sin(exact), rtol=0, atol=1e-6)


def test_the_phase_is_the_one_whose_sine_and_rate_are_observed():
    without, found = (simulate(system, 5, frames=30, directed=True) for system in ("kuramoto", "kuramoto-phase"))
    rate, sine, phase, frequency = np.moveaxis(found.x, -1, 0)
    assert np.array_equal(without.x, np.stack([rate, sine, frequency], axis=-1))
    assert np.array_equal(np.sin(phase), sine)
    assert phase.max() > 4 * np.pi  # turns are counted
    turned = np.array(
        [
            [phase_rate(p, w, e) for p, w in zip(ps, ws, strict=True)]
            for ps, ws, e in zip(phase, frequency, found.edges, strict=True)
        ]
    )
    assert np.allclose(turned, rate, rtol=0, atol=1e-12)


def phases_that_fit(frame, edges):
    """Phases of one frame (rate, sine, frequency), and by how much their rates miss the coupling formula.

    A sine leaves two phases open; of the 2^N choices the one whose rates fit best is taken.
    """
    rate, sine, frequency = frame.T
    angle = np.arcsin(np.clip(sine, -1, 1))
    choices = [np.where(side, np.pi - angle, angle) for side in product((False, True), repeat=len(frame))]
    misses = [np.abs(rate - phase_rate(phase, frequency, edges)).max() for phase in choices]
    return choices[int(np.argmin(misses))], min(misses)


def test_rates_follow_from_the_stored_edges():
    """Users reported that they could not rebuild the published simulation of oscillators."""
    data = simulate("kuramoto", 20, frames=10, directed=True)
    misses = [phases_that_fit(x, e)[1] for xs, e in zip(data.x, data.edges, strict=True) for x in xs]
    assert max(misses) < 1e-6
    turned = [phases_that_fit(xs[0], e.T)[1] for xs, e in zip(data.x, data.edges, strict=True)]
    assert np.median(turned) > 0.01  # reading edges as [target, source] does not fit


def test_continues_oscillators_recorded_elsewhere():
    """Users reported that they could not rebuild the published simulation of oscillators."""
    path = SHARED / "reports" / "fixtures" / "kuramoto5.npz"
    if not path.exists():
        pytest.skip("the recorded oscillators are not beside this repository")
    with np.load(path, allow_pickle=False) as file:
        recorded, edges = file["state"], file["edges"]
    found = [phases_that_fit(x[0], e) for x, e in zip(recorded, edges, strict=True)]
    assert max(miss for _, miss in found) < 1e-6
    start = np.stack([np.stack([phase for phase, _ in found]), recorded[:, 0, :, 2]], axis=-1)
    continued = follow("kuramoto", start, edges, recorded.shape[1] - 1)
    coupled = edges.any(axis=1)  # the phases of the others cannot be read off one frame
    assert coupled.mean() > 0.8
    assert np.abs(continued - recorded[:, 1:]).swapaxes(1, 2)[coupled].max() < 1e-5


def test_continues_the_published_springs():
    folder = SHARED / "data" / "springs5_kipf"
    if not folder.exists():
        pytest.skip("the published springs are not beside this repository")
    position, velocity, edges = (
        np.load(folder / f"{name}_test_springs5.npy", allow_pickle=False) for name in ("loc", "vel", "edges")
    )
    x = np.concatenate([position, velocity], axis=2).swapaxes(2, 3)  # (task, frame, entity, feature)
    continued = follow("springs", x[:, 0], -0.1 * edges, x.shape[1] - 1)
    assert (np.abs(np.diff(x[..., 2:], axis=1)) > 0.3).any()  # some of them bounce
    assert np.abs(continued - x[:, 1:]).max() < 1e-12


def test_continues_springs_of_a_directed_graph_recorded_elsewhere():
    path = SHARED / "data" / "networks" / "dosi_springs30.npz"
    if not path.exists():
        pytest.skip("the recorded springs of a directed graph are not beside this repository")
    with np.load(path, allow_pickle=False) as file:
        x, edges = file["x"][:40].astype(float), file["edges"][:40]
    assert not np.array_equal(edges[0], edges[0].T)
    continued = follow("springs", x[:, 0], -0.1 * edges, x.shape[1] - 1)
    assert np.abs(continued - x[:, 1:]).max() < 1e-6  # single precision


def test_constants_are_the_published_ones():
    assert (particles.STEP, particles.STEPS_PER_FRAME) == (0.001, 100)
    assert (particles.HALF_WIDTH, particles.LARGEST_FORCE) == (5, 100)
    assert (oscillators.STEP, oscillators.STEPS_PER_FRAME) == (0.01, 10)
