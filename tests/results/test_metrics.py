"""Metrics of small cases with known values."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.results import metrics

from .conftest import sure_of

OFF = 1 - np.eye(4, dtype=int)


def random_edges(types: int, tasks: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, types, (tasks, 4, 4)) * OFF


def test_swapped_labels_score_one_when_free_and_zero_when_pinned() -> None:
    """Users asked how accuracy is computed if nobody says which learned type means an edge."""
    truth = random_edges(2)
    swapped = (1 - truth) * OFF
    free = metrics.relabelling(truth, swapped, 2)
    pinned = metrics.relabelling(truth, swapped, 2, pinned=True)
    assert (free, pinned) == ((1, 0), (0, 1))
    assert metrics.edge_accuracy(truth, swapped, free) == 1.0
    assert metrics.edge_accuracy(truth, swapped, pinned) == 0.0


@pytest.mark.parametrize("names", list(permutations(range(3))))
def test_every_relabelling_of_three_types_scores_one(names: tuple[int, ...]) -> None:
    """Users asked how accuracy is computed if type labels are swapped."""
    truth = random_edges(3)
    perm = metrics.relabelling(truth, np.array(names)[truth] * OFF, 3)
    assert perm == tuple(np.argsort(names))
    assert metrics.edge_accuracy(truth, np.array(names)[truth] * OFF, perm) == 1.0


def test_a_pinned_type_leaves_the_others_free() -> None:
    truth = random_edges(3)
    renamed = np.array([0, 2, 1])[truth] * OFF
    assert metrics.relabelling(truth, renamed, 3, pinned=True) == (0, 2, 1)


def test_there_is_one_relabelling_for_the_data_set_never_one_per_task() -> None:
    """Users asked how type labels are matched; there is one relabelling for the data set."""
    truth = random_edges(2, tasks=10)
    edges = truth.copy()
    edges[7:] = (1 - edges[7:]) * OFF
    perm = metrics.relabelling(truth, edges, 2)
    assert perm == (0, 1)
    assert metrics.edge_accuracy(truth, edges, perm) == pytest.approx(0.7)


def test_more_inferred_types_than_true_ones() -> None:
    truth = random_edges(2)
    edges = np.where(truth == 1, 2, 0) * OFF
    edges[0, 0, 1] = 1
    assert metrics.relabelling(truth, edges, 3) == (0, 2, 1)
    assert metrics.edge_accuracy(truth, edges, (0, 2, 1)) == pytest.approx(1 - 1 / (30 * 12))


def test_fewer_inferred_types_than_true_ones() -> None:
    truth = random_edges(3)
    edges = (truth == 2).astype(int) * OFF
    perm = metrics.relabelling(truth, edges, 2)
    counts = [(truth[:, OFF == 1] == k).sum() for k in range(3)]
    assert perm == (int(counts[1] > counts[0]), 2)
    assert metrics.edge_accuracy(truth, edges, perm) == pytest.approx((max(counts[:2]) + counts[2]) / (30 * 12))


def test_confusion_counts_ordered_pairs_without_the_diagonal() -> None:
    truth = np.array([[[0, 1, 0], [0, 0, 2], [1, 0, 0]]])
    edges = np.array([[[0, 1, 1], [0, 0, 0], [1, 0, 0]]])
    np.testing.assert_array_equal(metrics.confusion(truth, edges, 2), [[2, 1], [0, 2], [1, 0]])
    with pytest.raises(InputError, match="compare the same tasks"):
        metrics.confusion(truth, edges[:, :2, :2], 2)


def test_a_transposed_answer_is_wrong() -> None:
    """Users asked which axis of an edge matrix is the source."""
    truth = np.triu(np.ones((5, 4, 4), int), 1)
    assert metrics.edge_accuracy(truth, truth.swapaxes(1, 2), (0, 1)) == 0.0


def test_symmetric_takes_the_product_of_both_directions() -> None:
    probability = np.zeros((1, 2, 2, 2))
    probability[0, 0, 1] = 0.6, 0.4
    probability[0, 1, 0] = 0.2, 0.8
    np.testing.assert_array_equal(metrics.symmetric(probability)[0], [[0, 1], [1, 0]])
    both = metrics.symmetric_probability(probability)
    np.testing.assert_allclose(both[0, 0, 1], [0.12 / 0.44, 0.32 / 0.44])
    np.testing.assert_allclose(both, both.swapaxes(1, 2))


def test_symmetric_survives_certainty() -> None:
    probability = np.zeros((1, 2, 2, 3))
    probability[0, 0, 1] = 1.0, 0.0, 0.0
    probability[0, 1, 0] = 0.0, 0.5, 0.5
    both = metrics.symmetric_probability(probability)
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both[0, 0, 1].sum(), 1.0)


def test_auroc_of_truth_noise_constant_and_reverse() -> None:
    """Users asked how the area under the ROC curve is computed."""
    truth = random_edges(2, tasks=400)
    noise = np.random.default_rng(1).random(truth.shape)
    assert metrics.auroc(truth, truth.astype(float)) == 1.0
    assert metrics.auroc(truth, -truth.astype(float)) == 0.0
    assert metrics.auroc(truth, noise) == pytest.approx(0.5, abs=0.05)
    assert metrics.auroc(truth, np.full(truth.shape, 0.3)) == 0.5
    assert metrics.auroc(truth * 0, noise) is None


def test_undirected_auroc_asks_whether_one_acts_on_the_other() -> None:
    truth = np.zeros((1, 3, 3), int)
    truth[0, 0, 1] = 2
    score = np.zeros((1, 3, 3))
    score[0, 1, 0], score[0, 1, 2], score[0, 0, 2] = 0.9, 0.5, 0.8  # the correct pairs in the wrong direction
    assert metrics.undirected_auroc(truth, score) == 1.0
    assert metrics.auroc(truth, score) < 0.5  # type: ignore[operator]
    score[0, 2, 0] = 0.2  # pairs: 0.9, 0.5, 1.0
    assert metrics.undirected_auroc(truth, score) == 0.5
    probability = np.stack([score, 0.7 * (1 - score), 0.3 * (1 - score)], axis=-1)
    assert metrics.undirected_auroc(truth, probability) == pytest.approx(0.5)
    assert metrics.undirected_auroc(truth, probability, (1, 0, 2)) is not None
    assert metrics.undirected_auroc(None, score) is None


def test_auroc_counts_ties_as_half() -> None:
    truth = np.array([[[0, 1], [0, 0]]])
    assert metrics.auroc(truth, np.array([[[0.0, 0.7], [0.7, 0.0]]])) == 0.5
    truth = np.array([[[0, 1, 1], [0, 0, 0], [0, 1, 0]]])
    score = np.array([[[0, 0.9, 0.5], [0.5, 0, 0.1], [0.1, 0.8, 0]]])
    assert metrics.auroc(truth, score) == pytest.approx((3 + 2.5 + 3) / 9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_auroc_is_the_share_of_ordered_pairs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth, score = generator.integers(0, 2, (2, 4, 4)) * OFF, generator.integers(0, 4, (2, 4, 4)).astype(float)
    positive, negative = (score[:, OFF == 1][truth[:, OFF == 1] == k] for k in (1, 0))
    if len(positive) and len(negative):
        difference = positive[:, None] - negative
        assert metrics.auroc(truth, score) == pytest.approx(((difference > 0) + (difference == 0) / 2).mean())


def test_auroc_of_probabilities_follows_the_relabelling() -> None:
    truth = random_edges(2)
    swapped = sure_of((1 - truth) * OFF, 2, 0.8)
    assert metrics.auroc(truth, swapped, (1, 0)) == 1.0
    assert metrics.auroc(truth, swapped, (0, 1)) == 0.0
    three = random_edges(3)
    assert metrics.auroc(three, sure_of(np.array([2, 0, 1])[three] * OFF, 3, 0.5), (1, 2, 0)) == 1.0
    assert metrics.auroc(three, np.full((*three.shape, 3), 1 / 3), (0, 1, 2)) == 0.5


def test_calibration_of_given_probabilities() -> None:
    truth = np.zeros((2, 3, 3), int)
    probability = sure_of(truth, 2, 0.9)
    probability[1] = sure_of(truth, 2, 0.65)[1]
    probability[1, 0, 1] = 0.35, 0.65  # one of six wrong
    found = metrics.calibration(truth, probability, (0, 1))
    assert found is not None
    np.testing.assert_allclose(found.confidence, [0.65, 0.9])
    np.testing.assert_allclose(found.accuracy, [5 / 6, 1.0])
    np.testing.assert_array_equal(found.count, [6, 6])
    assert found.expected_error == pytest.approx((5 / 6 - 0.65 + 0.1) / 2)


def test_forecast_error_is_in_the_published_normalisation() -> None:
    truth, forecast = np.zeros((3, 2, 4, 2)), np.zeros((3, 2, 4, 2))
    forecast[:, 1] = 3.0, 0.5
    errors = metrics.forecast_error(truth, forecast, np.array([2.0, 4.0]))
    np.testing.assert_allclose(errors, [0.0, (36 + 4) / 2])
    assert [metrics.error_at(errors, h) for h in (1, 2, 3)] == [0.0, 20.0, None]
    with pytest.raises(InputError, match="compare equal frames"):
        metrics.forecast_error(truth, forecast[:, :1], np.ones(2))


def test_hidden_values_do_not_count() -> None:
    generator = np.random.default_rng(0)
    truth, forecast = generator.normal(size=(2, 3, 2, 4, 1))
    mask = np.ones((3, 2, 4), bool)
    mask[:, 0, 2], mask[:, 1] = False, False
    before = metrics.forecast_error(truth, forecast, np.ones(1), mask)
    truth[~mask] = np.nan
    after = metrics.forecast_error(truth, forecast, np.ones(1), mask)
    np.testing.assert_array_equal(before, after)
    assert metrics.error_at(after, 1) is not None
    assert metrics.error_at(after, 2) is None


def test_without_truth_every_metric_is_none() -> None:
    edges, probability = random_edges(2), sure_of(random_edges(2), 2, 0.9)
    assert metrics.confusion(None, edges, 2) is None
    assert metrics.relabelling(None, edges, 2) is None
    assert metrics.edge_accuracy(None, edges, None) is None
    assert metrics.auroc(None, probability) is None
    assert metrics.calibration(None, probability, None) is None
    assert metrics.forecast_error(None, np.zeros((1, 1, 2, 1)), np.ones(1)) is None
    assert metrics.error_at(None, 1) is None


def test_results_import_neither_the_core_nor_the_app() -> None:
    import bouncegrad.results

    for path in Path(bouncegrad.results.__path__[0]).glob("*.py"):
        text = path.read_text()
        assert "bouncegrad.core" not in text, path.name
        assert "bouncegrad.app" not in text, path.name
        assert "import torch" not in text, path.name
        assert "pyplot" not in text, path.name


def test_types_that_the_truth_does_not_distinguish_count_together():
    truth = np.array([[[0, 1, 1], [0, 0, 0], [0, 0, 0]]])
    probability = np.zeros((1, 3, 3, 3))
    probability[..., 0] = 0.9 * (1 - np.eye(3))
    probability[0, 0, 1], probability[0, 0, 2] = (0.1, 0.9, 0.0), (0.1, 0.0, 0.9)
    assert metrics.auroc(truth, probability, (0, 1, 2)) == 1.0


def test_edges_with_unknown_type_do_not_count():
    truth = np.array([[[0, 1, -1], [0, 0, -1], [-1, -1, 0]]])
    probability = np.zeros((1, 3, 3, 2))
    probability[..., 0] = 1 - np.eye(3)
    probability[0, 0, 1] = probability[0, 2, 0] = 0.0, 1.0
    edges = probability.argmax(-1)
    assert metrics.confusion(truth, edges, 2).tolist() == [[1, 0], [0, 1]]
    assert metrics.edge_accuracy(truth, edges, (0, 1)) == 1.0
    assert metrics.auroc(truth, probability, (0, 1)) == 1.0
    assert metrics.calibration(truth, probability, (0, 1)).expected_error == 0.0
    nothing = np.where(np.eye(3, dtype=bool), 0, -1)[None]
    assert metrics.confusion(nothing, edges, 2) is None
    assert metrics.auroc(nothing, probability, (0, 1)) is None
