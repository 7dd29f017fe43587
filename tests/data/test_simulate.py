"""The public function: reproducible whatever the threads, honest about noise and edges, and strict about its input."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Event

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import SYSTEMS, simulate

from ..measuring import HANG


@pytest.mark.parametrize("system", SYSTEMS)
def test_shapes_names_and_edges(system):
    chosen = SYSTEMS[system]
    data = simulate(system, 40, entities=4, frames=6)
    assert data.x.shape == (40, 6, 4, len(chosen.features))
    assert data.x.dtype == np.float64
    assert (data.features, data.dt) == (chosen.features, chosen.dt)
    assert set(np.unique(data.edges)) == set(range(chosen.edge_types))
    assert np.array_equal(data.edges, data.edges.transpose(0, 2, 1))
    assert data.require_finite() is data


@pytest.mark.parametrize("system", SYSTEMS)
def test_any_number_of_threads_gives_equal_arrays(system):
    """Users reported slow simulation on one core, and asked for a seed that holds for any number of workers."""
    one, two, three = (simulate(system, 150, frames=3, noise=0.01, threads=n) for n in (1, 2, 3))
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.x, three.x)
    assert np.array_equal(one.edges, two.edges)


@pytest.mark.parametrize("system", SYSTEMS)
def test_first_tasks_do_not_depend_on_how_many_follow(system):
    few, many = (simulate(system, m, frames=3, noise=0.01, seed=3) for m in (10, 130))
    assert np.array_equal(few.x, many.x[:10])
    assert np.array_equal(few.edges, many.edges[:10])


def test_first_frames_do_not_depend_on_how_many_follow():
    short, long = (simulate("charged", 5, frames=t) for t in (4, 9))
    assert np.array_equal(short.x, long.x[:, :4])


@pytest.mark.parametrize("system", SYSTEMS)
def test_seeds_differ_and_zero_is_one_of_them(system):
    runs = [simulate(system, 20, frames=2, seed=s) for s in (0, 0, 1, 2**40)]
    assert np.array_equal(runs[0].x, runs[1].x)
    for other in runs[2:]:
        assert not np.isclose(runs[0].x, other.x).all(axis=(1, 2, 3)).any()
        assert not np.array_equal(runs[0].edges, other.edges)


def test_global_random_states_are_untouched():
    before, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    simulate("springs", 3, frames=2, noise=0.1)
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert random.getstate() == python


@pytest.mark.parametrize("system", ["springs", "kuramoto"])
def test_noise_has_the_stated_deviation_in_every_feature(system):
    clean, noisy = (simulate(system, 400, frames=10, noise=noise) for noise in (0.0, 0.25))
    added = (noisy.x - clean.x).reshape(-1, clean.x.shape[-1])
    assert np.array_equal(clean.edges, noisy.edges)
    assert np.allclose(added.std(axis=0), 0.25, rtol=0.03)
    assert np.allclose(added.mean(axis=0), 0, atol=0.01)
    assert np.abs(np.corrcoef(added.T) - np.eye(added.shape[1])).max() < 0.05


@pytest.mark.parametrize("system", SYSTEMS)
def test_edge_types_are_equally_likely(system):
    edges = simulate(system, 3000, frames=2, entities=3).edges
    share = np.bincount(edges[:, *np.triu_indices(3, 1)].ravel()) / 9000
    assert np.allclose(share, 1 / SYSTEMS[system].edge_types, atol=0.02)


@pytest.mark.parametrize("system", ["springs", "springs3", "kuramoto"])
def test_directed_edges_are_drawn_one_way(system):
    edges = simulate(system, 3000, frames=2, entities=3, directed=True).edges
    upper = np.triu_indices(3, 1)
    there, back = edges[:, *upper].ravel(), edges.transpose(0, 2, 1)[:, *upper].ravel()
    assert abs(np.corrcoef(there, back)[0, 1]) < 0.05
    assert not np.einsum("mii->mi", edges).any()


# Published one-step errors of "nothing moves", normalised by the range of positions and of velocities.
# Many tasks, since the range of velocities is set by the rarest close encounters.
@pytest.mark.parametrize(("system", "published"), [("springs", 9.1e-5), ("charged", 5.5e-3)])
def test_static_error_is_that_of_the_published_data(system, published):
    data = simulate(system, 10_000)
    error = np.mean((np.diff(data.x, axis=1) * Scaling.fit(data).published()) ** 2)
    assert error == pytest.approx(published, rel=0.2)


def test_start_is_as_published():
    for system, spread in (("springs", 0.5), ("springs3", 0.5), ("charged", 1.0)):
        first = simulate(system, 4000, frames=2, entities=2).x[:, 0]  # 0.1 after the start
        assert first[..., :2].std() == pytest.approx(spread, rel=0.03)
    free = simulate("springs", 2000, frames=2, entities=3)
    alone = ~free.edges.any(axis=1)
    assert np.allclose(np.linalg.norm(free.x[:, 0][alone][:, 2:], axis=-1), 0.5)
    assert np.abs(free.x[:, 0][alone][:, 2:].mean(axis=0)).max() < 0.06
    frequency = simulate("kuramoto", 2000, frames=2).x[:, 0, :, 2]
    assert 1 <= frequency.min() < 1.01
    assert 9.99 < frequency.max() < 10
    assert frequency.mean() == pytest.approx(5.5, rel=0.02)


def test_progress_counts_every_task_once():
    """Users reported a simulation that took hours; progress must be visible."""
    seen = []
    simulate("springs", 300, frames=2, progress=lambda done, total: seen.append((done, total)))
    done = [d for d, _ in seen]
    assert len(done) > 3
    assert done == sorted(set(done))
    assert seen[-1] == (300, 300)


def test_stopping_in_progress_stops_the_work(monkeypatch):
    """Only the first of 100 blocks ends by itself; the others wait until those that have not begun are cancelled."""
    begun, numbers, cancelled = [], count(), Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait)

    def follow(state, coupling, out):
        begun.append(len(out))
        if next(numbers):
            cancelled.wait(HANG)

    def stop(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr("bouncegrad.data.simulate.ThreadPoolExecutor", Pool)
    monkeypatch.setitem(SYSTEMS, "springs", replace(SYSTEMS["springs"], follow=follow))
    with pytest.raises(KeyboardInterrupt):
        simulate("springs", 6400, frames=2, threads=2, progress=stop)
    assert len(begun) <= 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "spring"}, ["'spring'", "springs, springs3, charged, kuramoto"]),
        ({"tasks": 0}, ["tasks is 0", "1 or more"]),
        ({"tasks": 2.5}, ["tasks is 2.5", "whole number"]),
        ({"entities": 1}, ["entities is 1", "2 or more"]),
        ({"frames": 1}, ["frames is 1", "2 or more"]),
        ({"seed": -1}, ["seed is -1", "0 or more"]),
        ({"seed": True}, ["seed is True", "whole number"]),
        ({"threads": 0}, ["threads is 0", "1 or more"]),
        ({"noise": -0.1}, ["noise is -0.1", "0 or more"]),
        ({"noise": float("nan")}, ["noise is nan"]),
        ({"system": "charged", "directed": True}, ["charged", "directed", "both ways"]),
        ({"tasks": 1_000_000, "entities": 50, "frames": 99}, ["1000000 tasks", "218.4 GB", "16 GB", "fewer tasks"]),
    ],
)
def test_bad_input_is_refused_in_one_line(change, words):
    with pytest.raises(InputError) as error:
        simulate(**{"system": "springs", "tasks": 2, "frames": 2} | change)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_neither_torch_nor_the_compiler():
    code = (
        "import sys, bouncegrad.data.simulate; print([m for m in ('torch', 'numba', 'llvmlite') if m in sys.modules])"
    )
    assert run_python(code) == "[]\n"


def test_simulates_where_no_folder_can_hold_the_compiled_code():
    code = (
        "from numba.core import caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from bouncegrad.data.simulate import simulate\n"
        "print(simulate('springs', 2, frames=2).x.shape)"
    )
    assert run_python(code) == "(2, 2, 5, 4)\n"
