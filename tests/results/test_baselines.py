"""Baselines are exact on straight tracks and on linear laws, and None if the truth or positions are missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import baselines, edge_scores, metrics


def scored(data: Trajectories, score: np.ndarray) -> float | None:
    assert data.edges is not None
    types = int(data.edges.max()) + 1
    edges = edge_scores.edges_from_scores(score, types)
    return metrics.edge_accuracy(data.edges, edges, metrics.relabelling(data.edges, edges, types))


def test_constant_velocity_is_exact_on_straight_tracks(systems: Trajectories) -> None:
    np.testing.assert_allclose(baselines.constant_velocity(systems.frames(0, 5), 7), systems.x[:, 5:], atol=1e-12)


def test_constant_velocity_without_velocities_uses_the_last_change(systems: Trajectories) -> None:
    positions = replace(systems, x=systems.x[..., :2], features=("x", "y"), units=())
    np.testing.assert_allclose(
        baselines.constant_velocity(positions.frames(0, 5), 7), positions.x[:, 5:], rtol=0, atol=1e-12
    )
    ramp = Trajectories(np.arange(10.0)[None, :, None, None] * np.array([[1.0], [-2.0]]), features=("phase",))
    np.testing.assert_allclose(baselines.constant_velocity(ramp.frames(0, 4), 6), ramp.x[:, 4:])


def test_a_baseline_may_start_earlier_and_uses_no_later_frame(systems: Trajectories) -> None:
    positions = replace(systems, x=systems.x[..., :2], features=("x", "y"), units=())
    for forecast in (baselines.static, baselines.constant_velocity):
        np.testing.assert_array_equal(forecast(positions, 3, 4), forecast(positions.frames(0, 5), 3))
    np.testing.assert_array_equal(baselines.constant_velocity(positions, 2, 0), baselines.static(positions, 2, 0))


def test_static_repeats_the_last_state(systems: Trajectories) -> None:
    forecast = baselines.static(systems, 3)
    np.testing.assert_array_equal(forecast, systems.x[:, [-1, -1, -1]])


def test_the_last_observed_state_replaces_one_that_was_not_observed(systems: Trajectories) -> None:
    mask = np.ones(systems.x.shape[:3], bool)
    mask[0, -2:, 1] = False
    mask[1, :3, 2] = False
    x = np.where(mask[..., None], systems.x, np.nan)
    forecast = baselines.static(replace(systems, x=x, mask=mask), 1)
    np.testing.assert_array_equal(forecast[0, 0, 1], systems.x[0, -3, 1])
    np.testing.assert_array_equal(forecast[0, 0, 0], systems.x[0, -1, 0])
    assert np.isfinite(baselines.constant_velocity(replace(systems, x=x, mask=mask), 2)).all()


@pytest.mark.parametrize("name", ["directed3", "springs4"])
def test_least_squares_finds_every_edge(shared: Callable[[str], Trajectories], name: str) -> None:
    data = shared(name)
    assert scored(data, edge_scores.least_squares(data)) == 1.0


def test_least_squares_knows_the_direction(shared: Callable[[str], Trajectories]) -> None:
    data = shared("directed3")
    turned = scored(data, edge_scores.least_squares(data).swapaxes(1, 2))
    assert turned is not None
    assert turned < 0.6


def test_correlation_is_better_than_chance_on_springs(shared: Callable[[str], Trajectories]) -> None:
    data = shared("springs4")
    score = edge_scores.correlation(data)
    np.testing.assert_allclose(score, score.swapaxes(1, 2), atol=1e-12)
    auroc = metrics.auroc(data.edges, score)
    assert auroc is not None
    assert 0.7 < auroc < 0.95


def linear_chain(features: tuple[str, ...] = ("a", "b")) -> Trajectories:
    """Entity 0 drives 1, which drives 2, by `x_t += 0.4 (x_s - x_t)`; every task has other initial values."""
    generator = np.random.default_rng(0)
    noise, x = generator.normal(size=(6, 200, 3, 2)), np.zeros((6, 200, 3, 2))
    x[:, 0] = noise[:, 0]
    for t in range(199):
        x[:, t + 1, 0] = x[:, t, 0] + noise[:, t, 0]
        for source, target in ((0, 1), (1, 2)):
            x[:, t + 1, target] = x[:, t, target] + 0.4 * (x[:, t, source] - x[:, t, target])
    edges = np.zeros((6, 3, 3), int)
    edges[:, 0, 1] = edges[:, 1, 2] = 1
    return Trajectories(x, edges=edges, features=features)


@pytest.mark.parametrize("features", [("a", "b"), ("x", "y")])
def test_least_squares_on_a_first_order_law(features: tuple[str, ...]) -> None:
    data = linear_chain(features)
    score = edge_scores.least_squares(data)
    np.testing.assert_allclose(score[:, 2, 1], 0, atol=1e-8)  # exactly no influence backwards
    assert scored(data, score) == 1.0


def test_scores_have_no_unit() -> None:
    data = linear_chain()
    other = replace(data, x=data.x * np.array([1000.0, 0.01]) + 5)
    for baseline in (edge_scores.least_squares, edge_scores.correlation):
        np.testing.assert_allclose(baseline(other), baseline(data), rtol=1e-6, atol=1e-9)


def test_scores_follow_a_permutation_of_entities(shared: Callable[[str], Trajectories]) -> None:
    data, order = shared("directed3"), [2, 0, 1]
    for baseline in (edge_scores.least_squares, edge_scores.correlation):
        moved = baseline(replace(data, x=data.x[:, :, order]))
        np.testing.assert_allclose(moved, baseline(data)[:, order][:, :, order], rtol=1e-6, atol=1e-9)


def test_hidden_values_change_nothing() -> None:
    data = linear_chain()
    mask = np.ones(data.x.shape[:3], bool)
    mask[:, 10:13, 1] = False
    hidden = replace(data, mask=mask)
    other = replace(hidden, x=np.where(mask[..., None], data.x, np.nan))
    for baseline in (edge_scores.least_squares, edge_scores.correlation):
        np.testing.assert_array_equal(baseline(hidden), baseline(other))
    np.testing.assert_allclose(edge_scores.least_squares(hidden)[:, 2, 1], 0, atol=1e-8)


def test_correlation_of_equal_opposite_and_constant_changes() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=50))
    x = np.stack([walk, 3 - 2 * walk, np.ones(50)], axis=1)[None, :, :, None]
    score = edge_scores.correlation(Trajectories(x))[0]
    np.testing.assert_allclose(score, [[0, 1, 0], [1, 0, 0], [0, 0, 0]], atol=1e-12)


def test_the_split_has_the_least_variance_within_types() -> None:
    score = np.zeros((2, 3, 3))
    score[:, ~np.eye(3, dtype=bool)] = [[0.0, 0.1, 5.0, 5.1, 9.0, 0.2], [0.1, 0.3, 4.9, 8.8, 9.1, 5.2]]
    edges = edge_scores.edges_from_scores(score, 3)
    np.testing.assert_array_equal(edges[:, ~np.eye(3, dtype=bool)], [[0, 0, 1, 1, 2, 0], [0, 0, 1, 2, 2, 1]])
    two = edge_scores.edges_from_scores(score, 2)
    np.testing.assert_array_equal(two[:, ~np.eye(3, dtype=bool)], [[0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1]])


def test_no_other_split_is_better() -> None:
    score = np.random.default_rng(0).gamma(1.0, size=(8, 4, 4))
    pairs = ~np.eye(4, dtype=bool)
    values = np.sort(score[:, pairs].ravel())

    def within(cut: int) -> float:
        return sum(float(part.var() * len(part)) for part in (values[:cut], values[cut:]))

    best = min(range(1, len(values)), key=within)
    assert (edge_scores.edges_from_scores(score, 2)[:, pairs] == 0).sum() == best


def test_constant_scores_are_all_type_0() -> None:
    assert not edge_scores.edges_from_scores(np.full((3, 4, 4), 0.7), 3).any()


def test_many_scores_are_split_like_few() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, (500, 4, 4)) * (1 - np.eye(4, dtype=int))
    score = truth + generator.normal(0, 0.05, truth.shape)
    np.testing.assert_array_equal(edge_scores.edges_from_scores(score, 2), truth)


def test_the_table_is_complete_and_can_be_written_as_json(systems: Trajectories) -> None:
    table = baselines.edge_baselines(systems, 6, 2)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert list(table) == ["least_squares", "lagged_regression", "correlation", "partial_correlation", "distance"]
    named = ["edge_accuracy", "auroc", "auroc_undirected", "pooled_auroc", "pooled_auroc_undirected"]
    assert all(list(row) == named for row in table.values())
    assert {row["pooled_auroc"] for row in table.values()} == {None}  # every task has another graph


def test_the_table_pools_tasks_that_share_their_graph() -> None:
    data = linear_chain()
    table = baselines.edge_baselines(data, 20, 2)
    joined, truth = baselines.end_to_end(data.frames(0, 20)), data.edges[:1]  # type: ignore[index]
    for name, score in baselines.SCORES.items():
        pooled = score(joined)
        assert table[name]["pooled_auroc"] == (None if pooled is None else metrics.auroc(truth, pooled))
    assert table["least_squares"]["pooled_auroc"] == table["lagged_regression"]["pooled_auroc"] == 1.0
    assert set(table["distance"].values()) == {None}  # a and b are not positions
    one = baselines.edge_baselines(data.select([0]), 20, 2)
    assert {row["pooled_auroc"] for row in one.values()} == {None}


@pytest.mark.parametrize("frames", [2, 3])
def test_a_table_of_very_short_recordings(systems: Trajectories, frames: int) -> None:
    table = baselines.edge_baselines(systems, frames, 2)
    assert all(0 <= row["auroc"] <= 1 for row in table.values() if row["auroc"] is not None)
    json.dumps(table, allow_nan=False)


def test_distance_is_the_mean_over_frames_in_which_both_were_observed() -> None:
    x = np.zeros((1, 2, 3, 3))
    x[0, :, 1, :2], x[0, :, 2, 0] = [[3, 4], [0, 1]], [10, 30]
    x[..., 2] = 1e6  # velocities do not count
    data = Trajectories(x, features=("x", "y", "vx"))
    score = edge_scores.distance(data)
    assert score is not None
    np.testing.assert_allclose(score[0, 0], [0, -3, -20])
    np.testing.assert_array_equal(score, score.swapaxes(1, 2))
    mask = np.ones((1, 2, 3), bool)
    mask[0, 0, 1] = mask[0, 1, 2] = False  # 1 and 2 are never observed together and count as the most distant
    hidden = edge_scores.distance(replace(data, x=np.where(mask[..., None], x, np.nan), mask=mask))
    assert hidden is not None
    np.testing.assert_allclose(hidden[0][np.triu_indices(3, 1)], [-1, -10, -10])
    assert edge_scores.distance(replace(data, features=("a", "b", "vx"))) is None


def test_entities_that_are_never_observed_together() -> None:
    mask = np.zeros((1, 4, 2), bool)
    mask[:, :2, 0] = mask[:, 2:, 1] = True
    score = edge_scores.distance(Trajectories(np.zeros((1, 4, 2, 1)), mask=mask, features=("x",)))
    np.testing.assert_array_equal(score, np.zeros((1, 2, 2)))


def test_a_failed_fit_does_not_decide_where_all_scores_are_split() -> None:
    truth = np.random.default_rng(0).integers(0, 2, (100, 3, 3)) * (1 - np.eye(3, dtype=int))
    score = truth * 1.0
    score[0, 0, 1] = 1e6
    np.testing.assert_array_equal(edge_scores.edges_from_scores(score, 2)[1:], truth[1:])


def test_the_table_without_truth(systems: Trajectories) -> None:
    table = baselines.edge_baselines(systems.without_edges(), 12, 2)
    assert {value for row in table.values() for value in row.values()} == {None}


def test_edge_baselines_use_only_the_context(shared: Callable[[str], Trajectories]) -> None:
    data = shared("springs4")
    x = data.x.copy()
    x[:, 30:] = 7.0
    assert baselines.edge_baselines(data, 30, 2) == baselines.edge_baselines(replace(data, x=x), 30, 2)
