"""Angles in data: names and units, differences, scaling, gaps and resampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.angles import as_sines, from_start, periods_of, unwrapped, wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.gaps import filled
from bouncegrad.data.resampling import resample
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories

TURN = 2 * np.pi


def test_differences_go_the_shorter_way():
    periods = np.array([0.0, 360.0])
    np.testing.assert_array_equal(wrapped(np.array([[350.0, 350.0], [-9.0, -190.0]]), periods), [[350, -10], [-9, 170]])
    assert wrapped(np.array([[0.0, 180.0]]), periods).tolist() == [[0.0, -180.0]]
    assert from_start(np.array([[-1.0, -1.0], [1, 361]]), periods, np.zeros(2)).tolist() == [[-1, 359], [1, 1]]
    assert from_start(np.array([[0.0, -1e-20]]), periods, np.zeros(2))[0, 1] < 360.0
    track = np.array([[0.0, 350.0], [0.0, 10.0], [0.0, 200.0], [0, 20]])
    np.testing.assert_allclose(unwrapped(track, periods)[:, 1], [-10, 10, -160, -340])


def test_angles_are_named_with_their_unit():
    features, units = ("x", "heading"), ("m", "deg")
    assert periods_of(("heading:deg",), features, units, "a").tolist() == [0.0, 360.0]
    assert periods_of(("x",), features, ("", ""), "a").tolist() == [TURN, 0.0]
    for angles, says in (
        (("course",), "angle 'course' is no feature; it has x, heading"),
        (("heading",), "angle 'heading' has the unit deg; name it heading or heading:deg"),
        (("heading:grad",), "angle 'heading:grad' has the unit deg"),
        (("x:turns",), "angle 'x:turns' is in radians or degrees"),
    ):
        with pytest.raises(InputError, match=says):
            Trajectories(np.zeros((1, 3, 2, 2)), features=features, units=units, angles=angles)


def test_scaling_does_not_centre_them():
    x = np.random.default_rng(0).uniform(350, 370, size=(4, 20, 3, 1)) % 360
    data = Trajectories(x, features=("heading",), angles=("heading:deg",))
    scaling = Scaling.fit(data)
    assert scaling.shift == (0.0,)
    assert scaling.scale == (pytest.approx(360 / TURN),)
    assert (scaling.low, scaling.high) == ((0.0,), (360.0,))
    assert scaling.change[0] < 20
    south = Scaling.fit(replace(data, x=wrapped(x, data.periods)))
    assert (south.low, south.high) == ((-180.0,), (180.0,))
    assert south.change == pytest.approx(scaling.change)


def test_gaps_and_uneven_times_are_filled_where_an_angle_wraps():
    rate = 40 * np.arange(30.0) + 170  # degrees
    x = (rate % 360)[None, :, None, None].repeat(2, 2)
    mask = np.ones((1, 30, 2), bool)
    mask[0, 4:7, 0] = False
    data = Trajectories(np.where(mask[..., None], x, 1e9), mask=mask, features=("h",), angles=("h:deg",))
    states, there = filled(data)
    assert there.all()
    np.testing.assert_allclose(wrapped(states - x, data.periods), 0, atol=1e-9)
    times = np.arange(30) + np.random.default_rng(0).uniform(-0.2, 0.2, 30)
    late = ((40 * times + 170) % 360)[None, :, None, None].repeat(2, 2)
    even = resample(Trajectories(late, features=("h",), angles=("h:deg",)), 1.0, times)
    expected = (40 * (times[0] + np.arange(even.shape[1])) + 170) % 360
    np.testing.assert_allclose(even.x[0, :, 0, 0], expected, atol=1e-6)
    assert 0 <= even.x.min() <= even.x.max() < 360


def test_scores_see_sine_and_cosine():
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 2))
    made = as_sines(x, np.array([0.0, TURN]))
    np.testing.assert_allclose(made, np.stack([x[..., 0], np.sin(x[..., 1]), np.cos(x[..., 1])], -1))
