"""`RelationalInference` among the tools of scikit-learn; with the extra `sklearn` also in a grid search."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from bouncegrad import InputError, RelationalInference, Trajectories
from bouncegrad.data.simulate import simulate
from bouncegrad.settings.config import Config

SHORT = {"epochs": 3, "threads": 1, "edge_hidden": [16], "node_hidden": [16]}
# Checks of scikit-learn that need no table of samples and features. All others fit or score such a table, or, as
# `check_fit_score_takes_y`, ask that arguments have other names.
CHECKS = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_valid_tag_types",
)


@pytest.fixture(scope="module")
def tasks() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=20, seed=0)


@pytest.fixture(scope="module")
def model(tasks) -> RelationalInference:
    return RelationalInference(**SHORT).fit(tasks)


def test_parameters_are_kept_as_they_are_given():
    widths, k = [8, 8], np.int64(3)
    model = RelationalInference(edge_types=k, edge_hidden=widths)
    parameters = model.get_params()
    assert parameters["edge_hidden"] is widths
    assert parameters["edge_types"] is k
    assert parameters.keys() == vars(Config()).keys()
    assert parameters["node_hidden"] == Config().node_hidden
    assert RelationalInference(**parameters).get_params() == parameters
    assert model.set_params(seed=5) is model
    assert (model.config.seed, model.config.edge_types, model.config.edge_hidden) == (5, 3, (8, 8))
    assert repr(RelationalInference(seed=2, forecast=0.5)) == "RelationalInference(seed=2, forecast=0.5)"


def test_values_are_checked_together_and_late():
    """Parameters that fit each other can be set one after the other."""
    model = RelationalInference(entity_types=3)
    with pytest.raises(InputError, match="3 lead to 2, 6, 9 edge types"):
        model.set_params(edge_types=5).config  # noqa: B018
    assert model.set_params(edge_types=6).config.edge_types == 6


def test_scores(tasks, model):
    new = simulate("springs", 6, entities=3, frames=20, seed=1)
    better = RelationalInference(**SHORT | {"epochs": 60}).fit(simulate("springs", 40, entities=3, frames=20, seed=0))
    score = better.score(new)
    assert isinstance(score, float)
    assert math.isfinite(score)
    assert score > model.score(new) + 1
    assert better.score(new.x) == score
    assert better.score(new.without_edges()) == score
    assert better.score(new, better.infer(new, context=10).edges) == pytest.approx(score, abs=1e-6)
    one_by_one = [better.score(new[i]) for i in range(len(new))]
    assert np.mean(one_by_one) == pytest.approx(score, abs=1e-5)


def test_the_score_is_that_of_the_second_half(tasks, model):
    """A state in the first half changes the score only through the edges; one in the second half changes it."""
    x = tasks.x.copy()
    x[:, -1] += 1.0
    assert model.score(x) < model.score(tasks)
    x = tasks.x.copy()
    x[:, 0] += 1e-9
    assert model.score(x) == pytest.approx(model.score(tasks), abs=1e-6)


def test_the_score_of_a_model_that_is_wrong_is_bounded(tasks, model):
    """A few numbers that are far off do not rule the mean: each counts -5 nats at least."""
    x = tasks.x.copy()
    x[:, -1] += 1e6
    changed, whole = model.score(x), model.score(tasks)
    frames = tasks.shape[1] - tasks.shape[1] // 2
    assert whole - changed == pytest.approx((whole + 5) / frames, abs=0.5)
    x[:, 10:] += np.random.default_rng(0).normal(size=x[:, 10:].shape) * 1e9
    assert model.score(x) == pytest.approx(-5, abs=1e-6)


def test_wrong_scores(tasks, model):
    with pytest.raises(InputError, match="3 frames; a score needs 4: half to infer edges, half to predict"):
        model.score(tasks.frames(0, 3))
    rollout = RelationalInference(**SHORT, loss="rollout", steps=2).fit(tasks)
    with pytest.raises(InputError, match="score: a model with loss rollout has no likelihood"):
        rollout.score(tasks)
    with pytest.raises(InputError, match="is not fitted yet"):
        RelationalInference().score(tasks)


def test_windows_have_scores(tasks):
    model = RelationalInference(**SHORT, window=9).fit(tasks)
    assert math.isfinite(model.score(tasks))


def test_recordings_are_indexed(tasks):
    assert len(tasks) == 12
    np.testing.assert_array_equal(tasks[2].x, tasks.x[2:3])
    np.testing.assert_array_equal(tasks[-1].edges, tasks.edges[-1:])
    assert tasks[[3, 1]].tasks == ("3", "1")
    assert tasks[np.array([3, 1]), ...].tasks == ("3", "1")
    assert tasks[2:4].tasks == ("2", "3")
    assert tasks[np.arange(12) % 2 == 0].shape[0] == 6
    assert [task.tasks for task in tasks] == [(str(i),) for i in range(12)]
    with pytest.raises(IndexError):
        tasks[12]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_give_the_same_bits(tasks, model, copied, tmp_path):
    other = copied(model)
    assert other.get_params() == model.get_params()
    assert other.infer(tasks).probability.tobytes() == model.infer(tasks).probability.tobytes()
    other.save(tmp_path / "run")
    assert RelationalInference.load(tmp_path / "run").score(tasks) == model.score(tasks)


def test_clones(model):
    base = pytest.importorskip("sklearn.base", reason="the extra sklearn is not installed")
    other = base.clone(model)
    assert not hasattr(other, "model_")
    assert other.get_params() == model.get_params()
    assert other.set_params(edge_types=3).get_params()["edge_types"] == 3
    assert model.get_params()["edge_types"] == 2


@pytest.mark.parametrize("kind", ["array", "trajectories"])
def test_a_grid_search_over_recordings(kind):
    selection = pytest.importorskip("sklearn.model_selection", reason="the extra sklearn is not installed")
    many = simulate("springs", 36, entities=3, frames=20, seed=0)
    data = many if kind == "trajectories" else many.x
    grid = {"epochs": [1, 60], "edge_hidden": [[16]]}
    search = selection.GridSearchCV(RelationalInference(**SHORT), grid, cv=3, error_score="raise").fit(data)
    assert search.best_params_["epochs"] == 60
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.infer(data).edges.shape == (36, 3, 3)
    assert math.isfinite(search.score(data))


def test_known_edges_are_the_y_of_scikit_learn(tasks):
    selection = pytest.importorskip("sklearn.model_selection", reason="the extra sklearn is not installed")
    scores = selection.cross_val_score(RelationalInference(**SHORT), tasks, tasks.edges, cv=2, error_score="raise")
    assert np.isfinite(scores).all()


def test_the_checks_of_scikit_learn_that_apply(model):
    checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="the extra sklearn is not installed")
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    with pytest.raises(NotFittedError):
        check_is_fitted(RelationalInference())
    with pytest.warns(Warning, match="which requires input"):
        checks.check_estimator(RelationalInference(**SHORT), on_skip=None)
    for name in CHECKS:
        if (check := getattr(checks, name, None)) is not None:  # versions of scikit-learn differ
            check("RelationalInference", RelationalInference(**SHORT))
