"""Networks of levels, opinions and activities: exact cases, plain NumPy, an adaptive solver, and recorded files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bouncegrad.data.simulate import SYSTEMS, flows, simulate
from bouncegrad.data.simulate.graphs import Graph
from bouncegrad.data.simulate.starts import Streams, by_both_degrees, mean_of_sources, mean_with_own

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WEIGHTS = {
    "michaelis-menten": mean_of_sources,
    "diffusion": by_both_degrees,
    "coupled-maps": mean_of_sources,
    "friedkin-johnsen": mean_with_own,
    "netsims": lambda edges: edges.astype(float),
}
FIRST = {"michaelis-menten": 0, "diffusion": 0, "coupled-maps": 2, "friedkin-johnsen": 0, "netsims": 1}


def follow(system, state, edges, frames):
    """Frames of one task from a given start, `[frame, entity, feature]`; edges are `[source, target]`."""
    state, edges = np.array(state, float)[None], np.array(edges)[None]
    out = np.full((1, frames, state.shape[1], len(SYSTEMS[system].features)), np.nan)
    SYSTEMS[system].follow(state, WEIGHTS[system](edges), out)
    return out[0]


def plain_step(system, x, edges, stubborn):
    """One frame of the systems that move in steps, written from the published equations; row is target there."""
    a = edges.T.astype(float)
    k = a.sum(1)
    if system == "coupled-maps":
        f = 3.5 * x * (1 - x)
        return 0.8 * f + 0.2 * a @ f / np.maximum(k, 1)
    if system == "friedkin-johnsen":
        return (a @ x + stubborn) / (k + 1)
    for _ in range(100):
        x = x + 0.01 * 0.1 * (a - np.eye(len(a))) @ x
    return x


def plain_rate(system, x, edges):
    """dx / dt of the systems in continuous time, written from the published equations; row is target there."""
    a = edges.T.astype(float)
    k = a.sum(1)
    if system == "michaelis-menten":
        return -x + a @ (x / (1 + x)) / np.maximum(k, 1)
    targets = a.sum(0)  # the degree of a source; equal to k in an undirected graph, as published
    return -(a / np.sqrt(np.maximum(np.outer(k, targets), 1))) @ x


@pytest.mark.parametrize("system", ["coupled-maps", "friedkin-johnsen", "netsims"])
@pytest.mark.parametrize("directed", [False, True])
def test_steps_equal_the_published_equations(system, directed):
    data = simulate(system, 3, entities=6, frames=8, seed=2, directed=directed)
    start = SYSTEMS[system].start(Streams.of(2), 3, 6, Graph(directed=directed))
    for task in range(3):
        x, stubborn = start.state[task, :, 0], start.state[task, :, -1]
        states = []
        for _ in range(FIRST[system] + 8):
            states.append(x)
            x = plain_step(system, x, data.edges[task], stubborn)
        kept = np.stack(states[FIRST[system] :])
        assert np.allclose(data.x[task, :, :, 0], kept, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("system", ["michaelis-menten", "diffusion"])
@pytest.mark.parametrize("directed", [False, True])
def test_flows_agree_with_an_adaptive_solver(system, directed):
    data = simulate(system, 2, entities=8, frames=12, seed=1, graph="er", density=0.3, directed=directed)
    for x, edges in zip(data.x[..., 0], data.edges, strict=True):
        exact = solve_ivp(
            lambda _, state, edges=edges: plain_rate(system, state, edges),
            (0, 11 * data.dt),
            x[0],
            t_eval=data.dt * np.arange(12),
            rtol=1e-12,
            atol=1e-13,
            method="DOP853",
        ).y.T
        assert np.allclose(x, exact, rtol=0, atol=1e-8)


@pytest.mark.parametrize("saturates", [True, False])
def test_half_the_step_gives_the_same(monkeypatch, saturates):
    system = "michaelis-menten" if saturates else "diffusion"
    start = SYSTEMS[system].start(Streams.of(3), 2, 4, Graph(directed=True))
    found = []
    for halves in (1, 2):
        monkeypatch.setattr(flows, "STEP", 0.025 / halves)
        monkeypatch.setattr(flows, "set_rates", getattr(flows.set_rates, "py_func", flows.set_rates))
        out = np.empty((2, 4, 4, 1))
        getattr(flows.follow, "py_func", flows.follow)(start.state, start.coupling, saturates, 40 * halves, out)
        found.append(out)
    assert 0 < np.abs(found[0] - found[1]).max() < 1e-7


def test_one_entity_that_activates_another_exactly():
    """x_0 = a exp(-t) is known, and so is the integral of exp(t) x_0 / (1 + x_0) = a / (1 + a exp(-t))."""
    a, b, t = 1.5, 1.2, np.arange(8)
    x = follow("michaelis-menten", [[a], [b]], [[0, 1], [0, 0]], 8)[..., 0]
    assert np.allclose(x[:, 0], a * np.exp(-t), rtol=0, atol=1e-8)
    exact = np.exp(-t) * (b + a * (np.log(np.exp(t) + a) - np.log(1 + a)))
    assert np.allclose(x[:, 1], exact, rtol=0, atol=1e-8)


def test_two_entities_that_diffuse_exactly():
    """As published, without a term of the own degree: the sum decays, and the difference grows."""
    t = 0.1 * np.arange(15)
    x = follow("diffusion", [[0.9], [0.2]], [[0, 1], [1, 0]], 15)[..., 0]
    assert np.allclose(x.sum(1), 1.1 * np.exp(-t), rtol=0, atol=1e-8)
    assert np.allclose(x[:, 0] - x[:, 1], 0.7 * np.exp(t), rtol=1e-8)


def test_fixed_points_stay():
    ring = np.roll(np.eye(5, dtype=int), 1, axis=1)
    assert not follow("michaelis-menten", np.zeros((5, 1)), ring, 5).any()
    middle = 1 - 1 / 3.5  # f(x) = x, which is not stable: rounding errors grow
    assert np.allclose(follow("coupled-maps", np.full((5, 1), middle), ring, 5), middle, rtol=0, atol=1e-12)
    s = np.linspace(-1, 1, 5)
    settled = np.linalg.solve(2 * np.eye(5) - ring.T, s)  # x = (A x + s) / 2
    x = follow("friedkin-johnsen", np.stack([np.zeros(5), s], axis=1), ring, 60)
    assert np.allclose(x[-1, :, 0], settled, rtol=0, atol=1e-12)
    assert np.array_equal(x[..., 1], np.tile(s, (60, 1)))


def test_an_entity_without_sources_gets_nothing():
    alone = np.zeros((2, 2), int)
    t = np.arange(6)
    x = follow("michaelis-menten", [[1.5], [1.2]], alone, 6)[..., 0]
    assert np.allclose(x, np.exp(-t)[:, None] * [1.5, 1.2], rtol=0, atol=1e-8)
    assert np.array_equal(follow("diffusion", [[0.3], [0.8]], alone, 6)[..., 0], np.tile([0.3, 0.8], (6, 1)))
    x = follow("coupled-maps", [[0.3], [0.8]], alone, 6)[..., 0]
    assert np.allclose(x[1:], 0.8 * 3.5 * x[:-1] * (1 - x[:-1]), rtol=0, atol=1e-15)
    x = follow("friedkin-johnsen", [[0.3, -0.5], [0.8, 0.1]], alone, 3)
    assert np.array_equal(x[1:, :, 0], np.tile([-0.5, 0.1], (2, 1)))
    x = follow("netsims", [[1.0], [-2.0]], alone, 6)[..., 0]
    assert np.allclose(x, (0.999 ** (100 * (t + 1)))[:, None] * [1, -2], rtol=1e-12)


@pytest.mark.parametrize("system", WEIGHTS)
def test_a_directed_edge_moves_its_target_only(system):
    state = 0.2 + 0.5 * np.random.default_rng(0).random((3, 2 if system == "friedkin-johnsen" else 1))
    alone, linked = (follow(system, state, edges, 4) for edges in (np.zeros((3, 3), int), np.eye(3, k=1, dtype=int)))
    assert np.array_equal(alone[:, 0], linked[:, 0])  # 0 -> 1 -> 2
    assert (np.abs(alone[-1, 1:, 0] - linked[-1, 1:, 0]) > 1e-3).all()


@pytest.mark.parametrize(
    ("system", "low", "high"), [("michaelis-menten", 1, 2), ("diffusion", 0, 1), ("friedkin-johnsen", -1, 1)]
)
def test_the_first_frame_is_the_published_start(system, low, high):
    first = simulate(system, 1000, frames=2).x[:, 0]
    assert low <= first.min() < low + 0.01
    assert high - 0.01 < first.max() < high
    assert first.mean() == pytest.approx((low + high) / 2, abs=0.02)


def test_states_stay_where_the_published_ones_are():
    maps = simulate("coupled-maps", 50, entities=20, frames=40, graph="ba").x
    assert 0 <= maps.min() < maps.max() <= 0.875  # the largest image of the logistic map
    assert maps[:, 1:].std() > 0.1
    assert np.abs(simulate("friedkin-johnsen", 50, entities=20, graph="ba").x).max() < 1
    levels = simulate("michaelis-menten", 50, entities=20, graph="ba").x
    assert (np.diff(levels.mean((0, 2, 3))) < 0).all()
    assert levels.min() > 0


@pytest.mark.parametrize(
    ("name", "every", "error"),
    [
        ("mm_er20", 1, 1e-6),  # single precision
        ("mm_er50_s0", 4, 5e-4),  # half precision: of the start, and of the frames that it is compared with
        ("mm_ba50_s0", 4, 5e-4),
        ("mm_directed50_s0", 4, 5e-4),
    ],
)
def test_continues_levels_recorded_elsewhere(name, every, error):
    path = SHARED / "data" / "networks" / f"{name}.npz"
    if not path.exists():
        pytest.skip("the recorded levels are not beside this repository")
    with np.load(path, allow_pickle=False) as file:
        x, edges = file["x"].astype(float), file["edges"]
    out = np.empty((len(x), every * (x.shape[1] - 1) + 1, *x.shape[2:]))
    SYSTEMS["michaelis-menten"].follow(np.ascontiguousarray(x[:, 0]), mean_of_sources(edges), out)
    assert np.abs(np.diff(x, axis=1)).max() > 0.5
    assert np.abs(out[:, ::every] - x).max() < error
