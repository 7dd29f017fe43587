"""Partial correlation and the regressions agree with textbook formulas, and are finite if these are undefined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import baselines, linear_scores
from bouncegrad.results.linear_scores import cubic_ridge, lagged_regression, partial_correlation
from bouncegrad.results.metrics import auroc

Score = Callable[[Trajectories], np.ndarray]
LINEAR = pytest.mark.parametrize("score", [partial_correlation, lagged_regression])


def noise(m: int, t: int, n: int, d: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(m, t, n, d))


def driven(tasks: int = 4, frames: int = 150, features: int = 1) -> Trajectories:
    """Entity 0 drives 1, and 1 drives 2, one frame later. The memory of each is short."""
    x = noise(tasks, frames, 3, features)
    for t in range(1, frames):
        x[:, t] += 0.3 * x[:, t - 1]
        x[:, t, 1:] += 0.6 * x[:, t - 1, :-1, ::-1]  # a feature acts on the other one
    edges = np.zeros((tasks, 3, 3), int)
    edges[:, 0, 1] = edges[:, 1, 2] = 1
    return Trajectories(x, edges=edges)


def test_partial_correlation_of_three_is_the_formula_of_three() -> None:
    x = noise(1, 40, 3)
    x[..., 1, :] += x[..., 0, :]
    x[..., 2, :] -= 2 * x[..., 1, :]
    r = np.corrcoef(x[0, :, :, 0].T)
    expected = (r[0, 2] - r[0, 1] * r[1, 2]) / np.sqrt((1 - r[0, 1] ** 2) * (1 - r[1, 2] ** 2))
    score = partial_correlation(Trajectories(x), 0.0)[0]
    assert score[0, 2] == pytest.approx(abs(expected))
    assert score[2, 0] == pytest.approx(score[0, 2])
    assert 0 < partial_correlation(Trajectories(x))[0, 0, 1] < score[0, 1]  # shrinkage makes it smaller
    np.testing.assert_allclose(partial_correlation(Trajectories(x), 1.0), 0, atol=1e-12)


def test_partial_correlation_of_the_ends_of_a_chain_is_zero() -> None:
    """Entities 0 and 2 are correlated only through 1. The score is the norm of the four values between two features."""
    x = noise(1, 4000, 3, 2)
    x[..., 1, :] += x[..., 0, ::-1]
    x[..., 2, :] += x[..., 1, :]
    score = partial_correlation(Trajectories(x))[0]
    assert score[0, 2] < 0.05
    assert min(score[0, 1], score[1, 2]) > 0.5


def test_lagged_regression_with_a_weak_ridge_is_least_squares() -> None:
    data = driven(1, 40, 2)
    before, after = (part.reshape(39, 6) for part in (data.x[0, :-1], data.x[0, 1:]))
    before, after = ((part - part.mean(0)) / part.std(0) for part in (before, after))
    fit = np.linalg.lstsq(before, after, rcond=None)[0].reshape(3, 2, 3, 2)
    expected = np.sqrt(np.square(fit).sum((1, 3))) * ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(lagged_regression(data, 1e-12)[0], expected, atol=1e-8)


def test_the_ridge_has_the_least_leave_one_out_error() -> None:
    """The formula with leverages agrees with fits from which each frame is left out in turn."""
    x, y = noise(2, 12, 4)[..., 0] * [1, 2, 3, 1]
    x, y = (x - x.mean(0)) / x.std(0), y - y.mean(0)

    def left_out(strength: float) -> np.ndarray:
        errors = []
        for i in range(12):
            a, b = np.delete(x, i, 0), np.delete(y, i, 0)
            penalty = strength * 12 * np.eye(4)
            fit = np.linalg.solve((a - a.mean(0)).T @ (a - a.mean(0)) + penalty, (a - a.mean(0)).T @ (b - b.mean(0)))
            errors.append(np.square(y[i] - b.mean(0) - (x[i] - a.mean(0)) @ fit))
        return np.sum(errors, axis=0)

    best = np.argmin([left_out(strength) for strength in linear_scores.RIDGES], axis=0)
    found = linear_scores._ridge(x, y, linear_scores.RIDGES, 1)
    for target, strength in enumerate(linear_scores.RIDGES[best]):
        alone = linear_scores._ridge(x, y, np.array([strength]), 1)
        np.testing.assert_allclose(found[:, target], alone[:, target])
        np.testing.assert_allclose(alone, np.linalg.solve(x.T @ x + strength * 12 * np.eye(4), x.T @ y))


@pytest.mark.parametrize("features", [1, 2])
def test_lagged_regression_knows_the_direction(features: int) -> None:
    data = driven(features=features)
    score = lagged_regression(data)
    assert auroc(data.edges, score) == 1.0
    assert auroc(data.edges, score.swapaxes(1, 2)) < 0.7  # type: ignore[operator]


@LINEAR
def test_units_and_names_do_not_matter(score: Score) -> None:
    data, order = driven(features=2), [2, 0, 1]
    other = replace(data, x=data.x * np.array([1000.0, -0.01]) + 5)
    np.testing.assert_allclose(score(other), score(data), rtol=1e-6, atol=1e-9)
    moved = score(replace(data, x=data.x[:, :, order]))
    np.testing.assert_allclose(moved, score(data)[:, order][:, :, order], rtol=1e-6, atol=1e-9)


@LINEAR
def test_a_task_alone_has_the_same_score(score: Score) -> None:
    data = driven()
    np.testing.assert_array_equal(score(data.select([2])), score(data)[[2]])


@LINEAR
def test_hidden_values_change_nothing(score: Score) -> None:
    data = driven()
    mask = np.ones(data.x.shape[:3], bool)
    mask[:, 40:45, 1] = mask[1, 0] = False
    hidden, other = (replace(data, x=np.where(mask[..., None], data.x, v), mask=mask) for v in (np.nan, 1e9))
    np.testing.assert_array_equal(score(hidden), score(other))
    ends = np.ones(data.x.shape[:3], bool)
    ends[:, 100:] = False
    np.testing.assert_allclose(score(replace(data, mask=ends)), score(data.frames(0, 100)))


@LINEAR
@pytest.mark.parametrize("shape", [(2, 3, 4, 1), (2, 2, 3, 2), (1, 10, 30, 2), (1, 5, 2, 1)])
def test_few_frames_and_many_entities_have_a_finite_score(score: Score, shape: tuple[int, int, int, int]) -> None:
    x = noise(*shape)
    for values in (x, x * 0, np.where(np.arange(shape[2])[:, None] == 0, 7.7, x), x[:, :, [0] * shape[2]]):
        found = score(Trajectories(values))
        assert found.shape == (shape[0], shape[2], shape[2])
        assert np.isfinite(found).all()
    unseen = np.zeros(shape[:3], bool)
    unseen[0, 0] = True
    np.testing.assert_array_equal(score(Trajectories(x, mask=unseen)), 0)


@LINEAR
def test_a_constant_feature_does_not_count(score: Score) -> None:
    data = driven()
    kind = np.broadcast_to([[0.1], [0.2], [0.3]], (*data.x.shape[:3], 1))
    both = replace(data, x=np.concatenate([data.x, kind], axis=3), features=("a", "kind"), units=())
    np.testing.assert_allclose(score(both), score(data), rtol=1e-3)


@LINEAR
def test_pooled_statistics_are_those_of_all_frames(score: Score) -> None:
    """One recording in four parts has the same score, apart from the three changes between parts."""
    whole = driven(1, 400)
    pieces = replace(whole, x=whole.x.reshape(4, 100, 3, 1), edges=np.repeat(whole.edges, 4, 0), tasks=())  # type: ignore[arg-type]
    joined = baselines.end_to_end(pieces)
    assert joined.shape == (1, 404, 3, 1)
    np.testing.assert_allclose(score(joined), score(whole), atol=0.02 if score is lagged_regression else 1e-12)


@pytest.mark.parametrize("features", [1, 2])
def test_cubic_ridge_with_a_weak_ridge_is_least_squares(features: int) -> None:
    x = noise(1, 60, 3, features).cumsum(1)
    before, change = x[0, :-1], np.diff(x[0], axis=0)
    unit = np.sqrt(change.var(0).mean(0))  # of each feature, over all entities
    expected = np.zeros((3, 3, features, features))
    for target in range(3):
        sources = [s for s in range(3) if s != target]
        others = before[:, sources].reshape(59, -1)
        columns = [np.ones((59, 1)), others, *(before[:, target] ** power for power in (1, 2, 3))]
        fit = np.linalg.lstsq(np.concatenate(columns, axis=1), change[:, target] / unit, rcond=None)[0]
        effect = fit[1 : 1 + others.shape[1]] * others.std(0)[:, None]
        expected[sources, target] = effect.reshape(2, features, features)
    wanted = expected[..., 0, 0] if features == 1 else np.sqrt(np.square(expected).sum((2, 3)))
    np.testing.assert_allclose(cubic_ridge(Trajectories(x), 1e-13)[0], wanted, atol=1e-7)


def test_cubic_ridge_has_the_sign_of_the_influence() -> None:
    """Each entity follows a logistic map of its own; 0 raises 1, and 2 lowers 1."""
    x = np.random.default_rng(0).uniform(size=(3, 80, 3, 1))
    for t in range(1, 80):
        x[:, t] = 3.2 * x[:, t - 1] * (1 - x[:, t - 1])
        x[:, t, 1] += 0.05 * x[:, t - 1, 0] - 0.05 * x[:, t - 1, 2]
    score = cubic_ridge(baselines.end_to_end(Trajectories(x)))[0]
    assert score[0, 1] > 0.02
    assert score[2, 1] < -0.02
    score[[0, 2], 1] = 0
    assert np.abs(score).max() < 1e-3


def test_cubic_ridge_finds_sources_that_a_linear_regression_does_not() -> None:
    data = simulate("michaelis-menten", 40, entities=20, frames=8, graph="er", shared=True, directed=True)
    data = baselines.end_to_end(data)
    cubic, linear = (auroc(data.edges, score(data)) for score in (cubic_ridge, lagged_regression))
    assert cubic is not None
    assert linear is not None
    assert cubic > 0.99
    assert linear < 0.9


def test_cubic_ridge_does_not_depend_on_units() -> None:
    x = noise(2, 30, 3, 2).cumsum(1)
    other = x * [1e3, 1e-4] + [5.0, -2.0]
    np.testing.assert_allclose(cubic_ridge(Trajectories(other)), cubic_ridge(Trajectories(x)), rtol=1e-5)


def test_cubic_ridge_leaves_frames_out_that_were_not_observed() -> None:
    x = noise(1, 40, 3).cumsum(1)
    mask = np.ones((1, 40, 3), bool)
    mask[0, 25:, 1] = False
    hidden = np.where(mask[..., None], x, 1e6)
    np.testing.assert_allclose(cubic_ridge(Trajectories(hidden, mask=mask)), cubic_ridge(Trajectories(x[:, :25])))


def test_cubic_ridge_is_finite_where_nothing_can_be_fitted() -> None:
    assert not cubic_ridge(Trajectories(noise(1, 3, 4))).any()  # two changes
    x = noise(1, 20, 3).cumsum(1)
    x[:, :, 2] = 4.0
    score = cubic_ridge(Trajectories(x))[0]
    np.testing.assert_allclose(score[2], 0, atol=1e-12)
    np.testing.assert_allclose(score[:, 2], 0, atol=1e-12)
    assert np.abs(score[:2, :2]).max() > 0.01
    assert not cubic_ridge(Trajectories(np.ones((1, 20, 3, 1)))).any()
