"""Checks of motion: what is warned about, where, and that nothing is said of usual motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.formats import load
from bouncegrad.data.inspection import inspect
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

SECOND = Path(__file__).resolve().parents[2].parent / "shared/reports/second"


def walk(m: int = 2, t: int = 60, n: int = 3) -> Trajectories:
    """Smooth walks far from the origin."""
    step = np.random.default_rng(0).normal(size=(m, t, n, 2))
    start = 100.0 * np.arange(1, n + 1)[:, None]
    return Trajectories(start + 0.5 * step.cumsum(1), features=("x", "y"), dt=0.1)


def changed(data: Trajectories, edit) -> tuple[str, ...]:
    x = data.x.copy()
    edit(x)
    return inspect(replace(data, x=x)).warnings


def test_usual_motion_gives_no_warning():
    assert inspect(walk()).warnings == ()
    for system in ("springs", "charged", "kuramoto"):
        assert inspect(simulate(system, 20, entities=5, frames=50, seed=0)).warnings == ()


def test_even_steps_are_no_jumps():
    x = np.arange(20.0)[None, :, None, None] * np.array([1.0, 0.2]) + np.arange(3.0)[:, None]
    assert inspect(Trajectories(x, features=("x", "y"))).warnings == ()


@pytest.mark.parametrize("state", [(0.0, 0.0), (-1.0, -1.0)])
def test_lost_states_are_named_with_their_remedy(state):
    def lose(x):
        x[0, [5, 20, 21], 1] = x[1, 7, 2] = state

    (warning,) = changed(walk(), lose)
    assert warning.startswith(f"4 times entities 1, 2 are at exactly x = {state[0]:g}, y = {state[1]:g}, far from the")
    assert "task 0, frame 5, entity 1; task 0, frame 20, entity 1; task 0, frame 21, entity 1, ..." in warning
    assert warning.endswith(f"add --missing {state[0]:g},{state[1]:g}")


def test_walls_of_a_periodic_box():
    def wrap(x):
        x[...] = np.mod(np.random.default_rng(1).normal(0.3, 0.05, x.shape).cumsum(1), 4.0)

    warnings = changed(walk(), wrap)
    assert [warning[:15] for warning in warnings] == ["feature x wraps", "feature y wraps"]
    assert warnings[0].endswith("its size, which is about --periodic '[x:4,y:4]'")

    def turn(x):
        x[...] = np.mod(np.random.default_rng(1).normal(0.3, 0.05, x.shape).cumsum(1), 2 * np.pi)

    assert "if it is an angle, add --angles '[x]'" in changed(walk(), turn)[0]


def test_exchanged_names():
    def exchange(x):
        x[1, 30:, [0, 2]] = x[1, 30:, [2, 0]]

    warnings = changed(walk(), exchange)
    assert warnings[0].startswith(
        "1 time two entities exchange their places in one step, first 0 and 2 in task 1, frame"
    )
    assert "frame 30" in warnings[0]


def test_tracks_that_stand_still_and_copies_of_frames():
    def freeze(x):
        x[0, 10:30, 1] = x[0, 10, 1]

    assert (
        "entity 1 does not move at all for 10 frames or more, first from task 0, frame 10" in changed(walk(), freeze)[0]
    )

    def double(x):
        x[1, 20] = x[1, 19]

    (warning,) = changed(walk(), double)
    assert warning.startswith("1 frame is a copy of the frame before, first task 1, frame 20; if the camera doubled")


@pytest.mark.skipif(not SECOND.exists(), reason="no shared data beside the repository")
def test_files_of_users():
    path = SECOND / "lost-frames-as-zero/zeros.csv"
    (warning,) = inspect(load(path)).warnings
    assert "entities m0, m1, m2 are at exactly x = 0, y = 0" in warning
    assert "--missing 0,0" in warning
    data = load(path, missing="0,0")
    assert (inspect(data).warnings, int((~data.mask).sum())) == ((), 8)
    warnings = inspect(load(SECOND / "periodic-box/wrapped.csv")).warnings
    assert [name in line for name, line in zip("xy", warnings, strict=True)] == [True, True]
    assert all(line.endswith("add its size, which is about --periodic '[x:3,y:3]'") for line in warnings)
    assert inspect(load(SECOND / "periodic-box/wrapped.csv", periodic=["x:3", "y:3"])).warnings == ()
