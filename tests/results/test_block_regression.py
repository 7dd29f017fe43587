"""The regression with held-out frames: its algebra is exact, and it is sure only of edges that are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.block_regression import fit_and_judge, regress_blocks
from bouncegrad.results.blocks import AGAINST, against, blocks_of, log_ratio, paired_z, probability, split_in_time
from bouncegrad.results.frame_pairs import pairs_of
from bouncegrad.results.regressor_choice import folds_of
from bouncegrad.results.ridge import fit

EDGES = np.zeros((4, 4), int)
EDGES[0, 1] = EDGES[1, 2] = EDGES[3, 2] = 1


def linear(tasks: int = 1, frames: int = 600, features: int = 1, edges: np.ndarray = EDGES) -> Trajectories:
    """A vector autoregression with short memory."""
    x = np.random.default_rng(0).normal(size=(tasks, frames, len(edges), features))
    for t in range(1, frames):
        x[:, t] += 0.4 * x[:, t - 1] + 0.5 * np.einsum("st,msd->mtd", edges, x[:, t - 1])
    return Trajectories(x, edges=np.repeat(edges[None], tasks, 0))


def rows(n: int = 40, columns: int = 6, outputs: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, columns))
    return x, x[:, :outputs] - x[:, -outputs:] + rng.normal(size=(n, outputs))


def test_leave_one_out_errors_are_those_of_fits_without_a_row() -> None:
    """The means and the penalty stay those of all rows times n, as in the formula; one penalty for both outputs."""
    x, y = rows()
    found, n = fit(x, y[:, :1]), len(x)
    z = np.c_[np.ones(n), (x - x.mean(0)) / x.std(0)]
    penalty = np.diag([0.0] + [float(found.penalty[0]) * n] * x.shape[1])
    for i in range(n):
        kept = np.delete(np.arange(n), i)
        weights = np.linalg.solve(z[kept].T @ z[kept] + penalty, z[kept].T @ y[kept, 0])
        assert found.left_out[i, 0] == pytest.approx(y[i, 0] - z[i] @ weights)


def test_the_penalty_has_the_least_leave_one_out_error() -> None:
    x, _ = rows()
    noise = np.random.default_rng(2).normal(size=(40, 1))
    assert fit(x, x[:, :1]).penalty[0] == 1e-9
    assert fit(x, noise).penalty[0] >= 1


def test_no_pair_crosses_a_border_or_a_gap() -> None:
    data = linear(tasks=2, frames=60)
    mask = np.ones((2, 60, 4), bool)
    mask[1, 30, 2] = False
    pairs = pairs_of(replace(data, mask=mask), lags=1)
    expected = [[0, t] for t in range(2, 60)] + [[1, t] for t in (*range(2, 30), *range(33, 60))]
    assert pairs.at.tolist() == expected
    np.testing.assert_array_equal(pairs.change[5], data.x[0, 7] - data.x[0, 6])
    np.testing.assert_array_equal(pairs.states[5, 1], data.x[0, 5])


def test_hidden_states_are_never_used() -> None:
    data = linear(frames=300)
    mask = np.random.default_rng(4).random((1, 300, 4)) < 0.98
    hidden = replace(data, x=np.where(mask[..., None], data.x, 1e6), mask=mask)
    found = regress_blocks(hidden)
    np.testing.assert_array_equal(found.probability, regress_blocks(replace(data, mask=mask)).probability)
    assert np.isfinite(found.score).all()


def test_folds_leave_a_gap() -> None:
    pairs = pairs_of(linear(frames=500), lags=2)
    folds = folds_of(pairs)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(len(pairs)))
    for train, held in folds:
        assert np.abs(train[:, None] - held).min() == 1 + 5 + 2  # 1 % of frames, and lags


def test_independent_series_show_no_interaction() -> None:
    found = regress_blocks(linear(frames=500, edges=np.zeros((5, 5), int)))
    assert found.probability.max() < 0.9
    assert found.gain_z < 2


def test_trends_and_walks_show_no_interaction() -> None:
    rng = np.random.default_rng(5)
    trends = (
        rng.normal(size=(1, 600, 4, 1)) + np.array([3.0, -2, 4, 2])[:, None] * np.linspace(-1, 1, 600)[:, None, None]
    )
    walks = rng.normal(size=(1, 600, 4, 1)).cumsum(1)
    assert max(regress_blocks(Trajectories(x)).probability.max() for x in (trends, walks)) < 0.9


def test_a_linear_network_gives_its_graph() -> None:
    found = regress_blocks(linear(frames=1500))
    np.testing.assert_array_equal(found.probability > 0.9, EDGES.astype(bool))
    assert found.score[EDGES == 1].min() > found.score[EDGES == 0].max()
    assert found.own_past > found.heldout
    assert found.gain_z > 5


def test_longer_lags_are_found() -> None:
    x = np.random.default_rng(6).normal(size=(1, 1200, 3, 1))
    for t in range(3, 1200):
        x[0, t, 1] += 0.6 * x[0, t - 3, 0]
    found = regress_blocks(Trajectories(x))
    assert found.lags == 4
    assert np.argwhere(found.probability > 0.9).tolist() == [[0, 1]]


def test_noisy_measurements_are_said() -> None:
    rng = np.random.default_rng(9)
    walks = rng.normal(size=(1, 1000, 4, 1)).cumsum(1)
    assert not regress_blocks(Trajectories(walks)).blurred.any()
    assert regress_blocks(Trajectories(walks + rng.normal(size=walks.shape))).blurred.all()


def test_recordings_of_one_graph_are_joined() -> None:
    found = regress_blocks(linear(tasks=30, frames=50))
    np.testing.assert_array_equal(found.probability > 0.9, EDGES.astype(bool))
    assert len(np.unique(found.predicted[:, 0])) == 30


Change = Callable[[Trajectories], Trajectories]


@pytest.mark.parametrize(
    "change", [lambda d: replace(d, x=d.x * [1e4, 1e-3]), lambda d: replace(d, x=d.x + 50.0)], ids=["scale", "shift"]
)
def test_units_change_nothing(change: Change) -> None:
    data = linear(features=2, frames=300)
    before, after = regress_blocks(data), regress_blocks(change(data))
    np.testing.assert_allclose(after.losses_full, before.losses_full, rtol=1e-5)
    np.testing.assert_allclose(after.probability, before.probability, rtol=1e-4)
    np.testing.assert_allclose(after.score, before.score, rtol=1e-4)


def test_renaming_entities_permutes_the_result() -> None:
    data, order = linear(frames=300), np.array([2, 0, 3, 1])
    before, after = regress_blocks(data), regress_blocks(replace(data, x=data.x[:, :, order], edges=None))
    np.testing.assert_allclose(after.score, before.score[np.ix_(order, order)], rtol=1e-6)
    np.testing.assert_allclose(after.probability, before.probability[np.ix_(order, order)], rtol=1e-6)
    assert after.heldout == pytest.approx(before.heldout)


def test_a_constant_feature_gives_finite_numbers() -> None:
    data = linear(frames=300)
    x = np.concatenate([data.x, np.full_like(data.x, 7.1)], -1)
    x[:, :, 3] = 0.1  # an entity that never moves
    found = regress_blocks(Trajectories(x))
    for value in (found.probability, found.score, found.gain, found.z, found.losses_full, found.losses_own):
        assert np.isfinite(value).all()
    np.testing.assert_allclose(found.gain[3], 0, atol=1e-12)
    np.testing.assert_array_equal(found.z[3], 0)


def test_angles_enter_as_sines_and_change_the_shorter_way_round() -> None:
    turns = np.cumsum(np.random.default_rng(7).normal(0.5, 0.1, size=(1, 200, 2, 1)), axis=1)
    data = Trajectories(np.mod(turns, 2 * np.pi), features=("phase",), angles=("phase",))
    pairs = pairs_of(data)
    assert pairs.states.shape[-1] == 2
    np.testing.assert_allclose(pairs.change, np.diff(turns[0], axis=0)[pairs.lags :], atol=1e-9)


def test_the_last_third_is_judged_by_a_fit_to_the_rest() -> None:
    data = linear(frames=1500)
    train, held = split_in_time(1500)
    assert (train, held) == (slice(0, 985), slice(1000, 1500))
    parts = data.frames(0, 985), data.frames(1000)
    found = fit_and_judge(*parts)
    assert found.gain_z > 3
    assert found.losses_full.shape == found.losses_own.shape == (20,)
    assert found.heldout == pytest.approx(regress_blocks(data).heldout, abs=0.05)
    assert found.over_own == pytest.approx(found.gain_z, rel=0.05)  # noise is far above the resolution
    later = fit_and_judge(parts[0], replace(parts[1], x=np.where(np.arange(500)[:, None, None] < 250, parts[1].x, 9.0)))
    assert later.losses_full[0] == found.losses_full[0]  # a block depends on its own frames only


def test_many_entities_need_more_evidence() -> None:
    assert against(2) == against(20) == AGAINST
    assert against(96) == pytest.approx(AGAINST + np.log(5))


def test_statistics_over_blocks() -> None:
    assert np.bincount(blocks_of(60)).tolist() == [3] * 20
    assert blocks_of(3).tolist() == [0, 0, 0]
    assert paired_z(np.ones(20), np.ones(20)) == 0
    gain = np.random.default_rng(8).normal([0.0, 0.5], 1, size=(1000, 2))
    z, ratio = log_ratio(gain, blocks_of(1000))
    assert ratio[1] > 7
    assert abs(z[0]) < 3
    assert ratio[0] <= z[0] ** 2 / 2
    assert log_ratio(np.zeros((100, 1)), blocks_of(100))[1] == 0
    slow = np.repeat(gain[::50, 1:], 50, axis=0)  # 20 independent frames, each 50 times
    assert log_ratio(slow, blocks_of(1000))[1] < ratio[1]
    assert probability(np.array(1.0), 3.0) == pytest.approx(1 / (1 + np.exp(2)))


def test_rare_bursts_do_not_hide_what_is_gained_between_them() -> None:
    gain = np.random.default_rng(8).normal(0.1, 0.3, size=1000)
    gain[[20, 400, 420, 430]] = 1000.0  # a frame counts up to 3 nats
    z, ratio = log_ratio(gain, blocks_of(1000))
    bounded = np.where(gain > 3, 3.0, gain)
    assert log_ratio(bounded, blocks_of(1000))[1] == ratio
    assert ratio > z**2 / 2
    fair = np.concatenate([gain, -gain])
    assert log_ratio(fair, blocks_of(2000))[1] == pytest.approx(0, abs=1e-9)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(InputError, match="30 pairs of frames"):
        regress_blocks(linear(frames=31))
