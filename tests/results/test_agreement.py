"""Scores of edges without true edges: what is shown, and how far baselines agree."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.agreement import agreement, baseline_scores, beside_model, largest, model_agreement, scored
from bouncegrad.results.edge_scores import correlation
from bouncegrad.results.report import Report, write_report
from bouncegrad.results.result import PINNED, Result

from ..refusals import assert_refused


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


def result_of(score: np.ndarray, types: int = 2, priors: tuple[str, ...] = ()) -> Result:
    """A result in which the probability of the last type is a score in [0, 1], and type 0 has the rest."""
    probability = np.zeros((*score.shape, types))
    probability[..., types - 1], probability[..., 0] = score, 1 - score
    probability *= (1 - np.eye(score.shape[1]))[..., None]
    return Result.from_probability(probability, np.zeros(len(score)), 20, priors=priors)


def test_the_model_stands_beside_the_baselines():
    score = np.random.default_rng(0).random((3, 5, 5))
    others = {"correlation": score**2, "distance": 1 - score**3}
    for sign, absent in ((1, 0), (-1, 1)):
        found = result_of(score if sign > 0 else 1 - score)
        likes = {"correlation": score**2, "least_squares": score**3}
        scores, taken = beside_model(found, likes)
        assert list(scores) == ["model", "correlation", "least_squares"]
        assert taken == absent  # the labels of types mean nothing: the agreement is the same
        assert model_agreement(replace(found, scores=likes)) == {
            "correlation": pytest.approx(1),
            "least_squares": pytest.approx(1),
        }
    stated = result_of(score, priors=(PINNED,))
    assert beside_model(stated, others)[1] is None
    assert model_agreement(replace(stated, scores=others))["distance"] == pytest.approx(-1)


def test_a_result_holds_the_scores_of_its_context(tmp_path, monkeypatch):
    data = simulate("springs", 3, entities=5, frames=30, seed=0)
    found = scored(result_of(np.full((3, 5, 5), 0.4)), data)
    np.testing.assert_array_equal(found.scores["correlation"], correlation(data.frames(0, 20)))
    found.save(tmp_path / "a.npz")
    loaded = Result.load(tmp_path / "a.npz")
    assert loaded.scores.keys() == found.scores.keys()
    for name, score in found.scores.items():
        np.testing.assert_array_equal(loaded.scores[name], score)
    replace(found, scores={"correlation": np.zeros((3, 4, 4))}).save(tmp_path / "b.npz")
    with pytest.raises(InputError, match="its scores of correlation do not fit its edges; run `bouncegrad infer`"):
        Result.load(tmp_path / "b.npz")
    monkeypatch.setattr("bouncegrad.results.agreement.MOST", 10)
    assert scored(found, data) is found
    assert scored(replace(found, scores=None), data).scores is None


def test_infer_inspect_and_the_report_show_the_agreement_without_truth(command, work, springs):
    np.savez("bare.npz", x=springs.x, features=springs.features, dt=springs.dt)
    out = command("infer", "run", "bare.npz", "--out", "new").out
    assert "rank correlation with simple scores: least squares per task " in out
    told = json.loads(command("infer", "run", "bare.npz", "--out", "new", "--json").out)["agreement"]
    assert list(told) == ["least_squares", "lagged_regression", "correlation", "partial_correlation", "distance"]
    table = command("inspect", "bare.npz", "--baselines", "--result", "new").out
    rows = [line for line in table.splitlines() if line.startswith("model ")]
    assert f"{told['least_squares']:.2f}" in rows[0]
    found = json.loads(command("inspect", "bare.npz", "--baselines", "--result", "new", "--json").out)
    assert found["agreement"]["model"]["distance"] == pytest.approx(told["distance"])
    for more in ([], ["--data", "bare.npz"]):
        assert command("report", "new", *more).status == 0
        page = (work / "new" / "report.html").read_text()
        assert 'id="scores"' in page
        assert f"{told['lagged_regression']:.2f}" in page
        assert "not available" not in page[page.index('id="scores"') : page.index('id="numbers"')]
    assert command("report", "run", "--data", "bare.npz", "--out", "bare.html").status == 0
    assert 'id="scores"' in (work / "bare.html").read_text()
    assert command("report", "new", "--data", "springs.npz").status == 0
    assert 'id="scores"' not in (work / "new" / "report.html").read_text()
    assert_refused(command, ["inspect", "bare.npz", "--result", "new"], "option result: goes with --baselines")
    np.savez("other.npz", x=springs.x[:3], features=springs.features, dt=springs.dt)
    line = ["inspect", "other.npz", "--baselines", "--result", "new"]
    assert_refused(command, line, "new is of other tasks or entities than other.npz")


def test_many_entities_have_a_table_and_no_picture(tmp_path):
    data = simulate("springs", 1, entities=30, frames=20, seed=0).without_edges()
    found = scored(result_of(np.random.default_rng(0).random((1, 30, 30))), data)
    write_report(Report("A", data=data, result=found), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    part = page[page.index('id="scores"') : page.index('id="numbers"')]
    assert "<table" in part
    assert "<svg" not in part
