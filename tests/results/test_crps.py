"""Scores of forecasts with a stated uncertainty, and the baselines that state theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.crps import Normal, crps_of_samples
from bouncegrad.results.noisy_baselines import autoregression, random_walk

M, T, N = 40, 60, 3
SHAPE = (1, 1, 1, 1)


def one(value: float) -> np.ndarray:
    return np.full(SHAPE, value)


@pytest.mark.parametrize(("mean", "deviation", "truth"), [(0.0, 1.0, 0.0), (2.0, 0.5, 3.1), (-1.0, 3.0, 4.0)])
def test_the_formula_of_a_normal_distribution_is_the_integral(mean, deviation, truth):
    s = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    from scipy.stats import norm

    square = (norm.cdf(s, mean, deviation) - (s >= truth)) ** 2
    integral = float(((square[1:] + square[:-1]) / 2 * np.diff(s)).sum())
    assert float(Normal(one(mean), one(deviation)).crps(one(truth)).item()) == pytest.approx(integral, rel=1e-3)


def test_without_spread_the_score_is_the_absolute_error():
    assert Normal(one(2.0), one(0.0)).crps(one(-1.0)).item() == pytest.approx(3.0)
    assert crps_of_samples(np.full((5, *SHAPE), 2.0), one(-1.0)).item() == pytest.approx(3.0)


def test_samples_have_the_score_of_their_pairs():
    drawn = np.sort(np.random.default_rng(0).normal(size=(7, 2, 3, 2, 2)), 0)
    truth = np.random.default_rng(1).normal(size=(2, 3, 2, 2))
    pairs = np.abs(drawn[:, None] - drawn[None]).mean((0, 1)) / 2
    np.testing.assert_allclose(crps_of_samples(drawn, truth), np.abs(drawn - truth).mean(0) - pairs)


def recordings(x: np.ndarray) -> Trajectories:
    return Trajectories(x, dt=1.0, features=("a", "b"))


def walk(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(M, T, N, 2)).cumsum(1) * np.array([1.0, 20.0])


def inside(found: Normal, x: np.ndarray, start: int) -> np.ndarray:
    return found.covers(x[:, start + 1 :]).mean((0, 2, 3))


def test_a_random_walk_is_covered_at_every_horizon_and_the_future_is_not_read():
    x = walk(np.random.default_rng(0))
    found = random_walk(recordings(x), 19, 40)
    assert inside(found, x, 40).mean() == pytest.approx(0.9, abs=0.02)
    changed = np.where(np.arange(T)[:, None, None] > 40, 1e9, x)
    for baseline in (random_walk, autoregression):
        one, other = (baseline(recordings(of), 19, 40) for of in (x, changed))
        for field in ("mean", "deviation"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_an_autoregression_finds_the_law_of_its_data():
    """An oscillator with noise: the autoregression is covered and has a better score than a random walk."""
    rng, x = np.random.default_rng(0), np.zeros((M, T, N, 2))
    turn = 0.97 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    for t in range(1, T):
        x[:, t] = x[:, t - 1] @ turn.T + rng.normal(size=(M, N, 2)) * np.array([0.1, 0.3])
    found, other = autoregression(recordings(x), 19, 40), random_walk(recordings(x), 19, 40)
    np.testing.assert_allclose(found.mean[:, 0], x[:, 40] @ turn.T, atol=0.05)
    assert inside(found, x, 40).mean() == pytest.approx(0.9, abs=0.02)
    assert found.crps(x[:, 41:]).mean() < 0.6 * other.crps(x[:, 41:]).mean()


def test_gaps_are_left_out_and_few_frames_give_a_random_walk():
    x = walk(np.random.default_rng(0))
    mask = np.random.default_rng(1).random((M, T, N)) > 0.1
    gaps = replace(recordings(np.where(mask[..., None], x, np.nan)), mask=mask)
    for found in (random_walk(gaps, 5, 40), autoregression(gaps, 5, 40)):
        assert np.isfinite(found.mean).all()
        assert (found.deviation > 0).all()
    few = recordings(x[:1, :4])
    np.testing.assert_array_equal(autoregression(few, 2, 1).mean, random_walk(few, 2, 1).mean)
