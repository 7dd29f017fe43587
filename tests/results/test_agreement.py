"""Scores of edges without true edges: what is shown, and how far baselines agree."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.agreement import agreement, baseline_scores, largest
from bouncegrad.results.edge_scores import correlation


def test_scores_that_order_pairs_alike_agree():
    rng = np.random.default_rng(0)
    score = rng.normal(size=(3, 5, 5))
    found = agreement({"one": score, "like": np.exp(3 * score), "against": -score, "same": np.zeros((3, 5, 5))})
    assert found["one"] == {"one": 1.0, "like": pytest.approx(1), "against": pytest.approx(-1), "same": None}
    other = agreement({"one": score, "other": rng.normal(size=score.shape)})["one"]["other"]
    assert abs(other) < 0.5


def test_scores_are_those_of_the_baselines():
    data = simulate("springs", 3, entities=5, frames=30, seed=0)
    scores = baseline_scores(data.without_edges(), 20)
    np.testing.assert_array_equal(scores["correlation"], correlation(data.frames(0, 20)))
    assert "distance" in scores
    source, target, value = largest(scores["least_squares"][0], 1)[0]
    assert value == scores["least_squares"][0].max() == scores["least_squares"][0, source, target]
    rates = Trajectories(data.x[..., 2:], features=("a", "b"))
    assert "distance" not in baseline_scores(rates, 20)


@pytest.mark.parametrize("entities", [5, 13])
def test_inspect_prints_the_scores_and_how_far_they_agree(command, tmp_path, monkeypatch, entities):
    monkeypatch.chdir(tmp_path)
    data = simulate("springs", 2, entities=entities, frames=30, seed=0).without_edges()
    save(data, "a.npz")
    out = command("inspect", "a.npz", "--baselines").out
    assert "the true edges are not known (give them with --edges)" in out
    assert "task 0, the first of 2; --json has more" in out
    assert ("source \\ target  0" in out) == (entities == 5)
    assert ("score (10 largest)" in out) == (entities == 13)
    assert "how far they agree: rank correlation over all pairs" in out
    found = json.loads(command("inspect", "a.npz", "--baselines", "--json").out)
    assert np.shape(found["scores"]["lagged_regression"]) == (2, entities, entities)
    assert found["agreement"]["correlation"]["correlation"] == 1.0
    assert found["score_tasks"] == ["0", "1"]
    known = simulate("springs", 2, entities=entities, frames=30, seed=0)
    save(known, "b.npz")
    assert "scores" not in json.loads(command("inspect", "b.npz", "--baselines", "--json").out)
