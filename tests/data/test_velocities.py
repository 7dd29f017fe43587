"""Velocities derived from positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.derivatives import METHOD
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.velocities import with_velocities


def positions(t: int = 7, d: int = 2, seed: int = 0, dt: float = 0.2, **fields: object) -> Trajectories:
    x = np.random.default_rng(seed).normal(size=(2, t, 3, d))
    return Trajectories(x, dt=dt, features=("x", "y", "z")[:d], **fields)  # type: ignore[arg-type]


@given(t=st.integers(2, 9), d=st.integers(1, 3), seed=st.integers(0, 3))
def test_equals_numpys_gradient(t, d, seed):
    data = positions(t, d, seed)
    expected = np.gradient(data.x, data.dt, axis=1, edge_order=2 if t > 2 else 1)
    made = with_velocities(data)
    assert made.x[..., d:] == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(made.x[..., :d], data.x)
    assert made.features == ("x", "y", "z")[:d] + ("vx", "vy", "vz")[:d]
    assert made.mask is None


def test_exact_for_uniform_acceleration_at_every_frame():
    time = 0.5 * np.arange(6)
    x = (3.0 + 2.0 * time - 4.0 * time**2)[None, :, None, None].repeat(2, axis=2)
    made = with_velocities(Trajectories(x, dt=0.5, features=("x",)))
    assert made.x[0, :, 1, 1] == pytest.approx(2.0 - 8.0 * time)


def test_gaps_are_ends_and_lonely_frames_are_lost():
    time = np.arange(9.0)
    x = (time**2)[None, :, None, None].repeat(2, axis=2)
    mask = np.ones((1, 9, 2), bool)
    mask[0, [3, 7], 0] = False
    x[0, [3, 7], 0] = 1e9  # must not be looked at
    made = with_velocities(Trajectories(x, mask=mask, features=("x",)))
    assert made.x[0, mask[0, :, 0], 0, 1][:-1] == pytest.approx(2 * time[[0, 1, 2, 4, 5, 6]])
    assert made.mask is not None
    assert made.mask[0, :, 0].tolist() == [True, True, True, False, True, True, True, False, False]
    assert made.mask[0, :, 1].all()
    assert np.isfinite(made.x[..., 1]).all()
    pair = with_velocities(Trajectories(x[:, :3], mask=mask[:, 1:4], features=("x",)))
    assert pair.x[0, :2, 0, 1].tolist() == [1.0, 1.0]  # two frames: their difference
    assert pair.mask is not None
    assert pair.mask[0, :, 0].tolist() == [True, True, False]


def test_a_value_that_is_not_finite_stays_visible():
    data = positions()
    data.x[0, 3, 1, 0] = np.inf
    made = with_velocities(data)
    assert np.argwhere(np.isinf(made.x[..., 0])).tolist() == [[0, 3, 1]]
    with pytest.raises(InputError, match="inf at task 0, frame 2, entity 1, feature vx"):
        made.require_finite()


def test_units_precision_and_other_features_are_kept():
    x = positions(d=3).x.astype(np.float32)
    data = Trajectories(x, features=("mass", "y", "x"), units=("kg", "m", ""), entities=("a", "b", "c"))
    made = with_velocities(data)
    assert made.features == ("mass", "y", "x", "vx", "vy")
    assert made.units == ("kg", "m", "", "", "m/time")
    assert made.x.dtype == np.float32
    assert made.entities == data.entities
    assert made.x[..., 4] == pytest.approx(np.gradient(x[..., 1], axis=1, edge_order=2), abs=1e-5)


def test_refused_without_positions_or_with_velocities():
    with pytest.raises(InputError, match="features x, y, z, found x0, x1, x2"):
        with_velocities(Trajectories(positions(d=3).x, source="a.npz"))
    with pytest.raises(InputError, match=r"array: has vx and vy already"):
        with_velocities(with_velocities(positions()))


def test_the_method_is_stated_for_messages():
    assert "central differences" in METHOD
    assert "one-sided second-order" in METHOD


def test_a_cut_leaves_no_trace_of_later_frames() -> None:
    """The velocity of the last frame before a cut was derived with the frame after it; it must not stay so."""
    x = np.random.default_rng(0).normal(size=(2, 9, 3, 2))
    plain = Trajectories(x, features=("x", "y"), dt=0.1)
    cut, wanted = with_velocities(plain).frames(0, 5), with_velocities(plain.frames(0, 5))
    np.testing.assert_array_equal(cut.x, wanted.x)
    assert (cut.features, cut.units, cut.derived) == (wanted.features, wanted.units, ("vx", "vy"))
    spoilt = replace(plain, x=np.where(np.arange(9)[:, None, None] < 5, x, 1e6))
    np.testing.assert_array_equal(with_velocities(spoilt).frames(0, 5).x, cut.x)
