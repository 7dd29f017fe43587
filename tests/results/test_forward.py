"""Forward selection: its fits are least squares, its order is greedy, and its terms are those of the law."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.blocks import log_ratio
from bouncegrad.results.forward import Moments, forward
from bouncegrad.results.frame_pairs import OwnPast, own_columns, pairs_of
from bouncegrad.results.shifts import over_shifts
from bouncegrad.results.source_gains import Search
from bouncegrad.results.terms import CHANGE, MONOMIAL, PREVIOUS, PRODUCT, STATE, Form, terms_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 8)) @ RNG.normal(size=(8, 8))
Y = np.c_[3 * X[:, 2] - X[:, 5] + 0.1 * RNG.normal(size=200), RNG.normal(size=200)]
NONE, ALL = np.zeros(8, bool), np.ones(8, bool)


def least_squares(columns: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    fitted = np.linalg.lstsq(np.c_[np.ones(len(columns)), columns], y, rcond=None)[0]
    return fitted[0] + new @ fitted[1:]


def test_every_step_is_a_fit_by_least_squares():
    new, given = RNG.normal(size=(5, 8)), np.arange(8) == 7
    moments = Moments.of(X, Y)
    path = forward(moments, 0, given, ALL, 3)
    assert (path.columns[0], path.start, len(path.left)) == (7, 1, 4)
    for step in range(4):
        taken = path.columns[: 1 + step]
        expected = least_squares(X[:, taken], Y[:, 0], new[:, taken])
        np.testing.assert_allclose(path.predictions(moments, 0, new)[:, step], expected, atol=1e-4)
        residual = Y[:, 0] - least_squares(X[:, taken], Y[:, 0], X[:, taken])
        assert path.left[step] == pytest.approx(np.square(residual).mean(), rel=1e-3)
        assert path.variance(200)[step] == pytest.approx(np.square(residual).sum() / (200 - 2 - step), rel=1e-3)


def test_each_step_saves_the_most():
    path = forward(Moments.of(X, Y), 0, NONE, ALL, 1)
    left = [np.square(Y[:, 0] - least_squares(X[:, [j]], Y[:, 0], X[:, [j]])).mean() for j in range(8)]
    assert path.columns.tolist() == [int(np.argmin(left))]


def test_copies_and_constants_are_never_taken():
    x = np.c_[X[:, 2], X[:, 2], np.full(200, 7.1), X[:, 5]]
    path = forward(Moments.of(x, Y), 0, np.zeros(4, bool), np.ones(4, bool), 4)
    assert sorted(path.columns % 3) == [0, 0]
    assert len(path.left) == 3
    assert forward(Moments.of(x, Y), 0, np.zeros(4, bool), np.zeros(4, bool), 4).columns.size == 0


def oscillators(speeds: list[float], pull: float = 0.0, frames: int = 900) -> Trajectories:
    """Phase oscillators with noise as sines and cosines; the first one pulls the second one."""
    rng, phase = np.random.default_rng(1), np.arange(len(speeds), dtype=float)
    found = []
    for _ in range(frames):
        step = np.array(speeds)
        step[1] += pull * np.sin(phase[0] - phase[1])
        phase = phase + step + 0.02 * rng.normal(size=len(speeds))
        found.append(np.stack([np.sin(phase), np.cos(phase)], 1))
    return Trajectories(np.array(found)[None])


def test_the_table_of_terms():
    pairs = pairs_of(oscillators([0.1, 0.2, 0.3], frames=100), lags=2)
    past = OwnPast(degree=2, lags=2, trend=1)
    terms = terms_of(pairs, past)
    of_kind = np.bincount(terms.kind, minlength=6)
    assert of_kind.tolist() == [6, 12, 12, 3 * (3 + 4), 3 * 4, 1]
    own = terms.own(1, past, Form(lags=True, products=0))
    found = terms.values[:, own]
    expected = own_columns(pairs, 1, past)
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.sort(found.sum(1)), np.sort(expected.sum(1)))
    assert not (own & ~terms.own(1, past, Form(True, 2))).any()
    assert set(terms.kind[terms.allowed(1, Form(False, 0))]) == {STATE, MONOMIAL}
    assert set(terms.kind[terms.allowed(1, Form(True, 1))]) == {STATE, PREVIOUS, MONOMIAL, PRODUCT}
    with_target = terms.kind[terms.allowed(1, Form(False, 1))] == PRODUCT
    assert (with_target.sum(), (terms.kind[terms.allowed(1, Form(False, 2))] == PRODUCT).sum()) == (8, 12)
    assert CHANGE not in terms.kind[terms.allowed(1, Form(True, 2))]


def test_products_of_two_sources_are_found():
    x = np.random.default_rng(3).normal(size=(1, 400, 4, 1))
    x[0, 1:, 3, 0] += x[0, :-1, 0, 0] * x[0, :-1, 1, 0]
    pairs = pairs_of(Trajectories(x))
    search = Search(pairs, OwnPast())
    law = search.best(3)[0]
    assert law.form.products == 2
    taken = [search.terms.of[path.columns[path.start]] for path in law.paths[0]]
    assert all(of.tolist() == [True, True, False, False] for of in taken)
    gains = search.gains(3, Moments.of(search.terms.values, search.changes))
    assert sorted(np.argsort(gains.ratio)[2:]) == [0, 1]
    assert gains.ratio[2] <= 1
    assert sorted(np.argsort(gains.score)[2:]) == [0, 1]


def test_a_source_that_only_keeps_the_pace_is_no_better_than_itself_at_another_time():
    """Both oscillators are read from one phase that is seen with noise; the first one helps to see it."""
    rng, phase = np.random.default_rng(2), 0.15 * np.arange(900)
    x = np.stack([np.sin(phase), np.sin(phase + 1)], 1) + 0.3 * rng.normal(size=(900, 2))
    for data, true in ((Trajectories(x[None, :, :, None]), False), (oscillators([0.3, 0.2], pull=0.3), True)):
        pairs = pairs_of(data)
        search = Search(pairs, OwnPast())
        whole = Moments.of(search.terms.values, search.changes)
        found = [search.gains(target, whole) for target in range(2)]
        assert found[1].ratio[0] > 6
        assert (over_shifts(search, found)[0, 1] > 6) == true
        assert np.isinf(over_shifts(search, found)[[0, 1], [0, 1]]).all()


def test_the_ratio_counts_the_smaller_evidence():
    gain = np.full((100, 1), 0.1) + 0.01 * np.sin(np.arange(100))[:, None]
    assert log_ratio(gain, np.arange(100) // 5)[1] == pytest.approx(gain.sum(), rel=1e-6)
