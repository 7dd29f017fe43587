"""How far probabilities are trusted: verdicts that are not `interaction`, and recordings unlike those of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.evaluation import judgement
from bouncegrad.models.model import Model
from bouncegrad.models.trust import Trust
from bouncegrad.models.unlike import out_of_range, unlike_training
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.result import DETERMINED, Result
from bouncegrad.results.verdict import Rival, Verdict

NOTHING = Verdict("nothing", (Rival("learned modules", 1.0, 0.0), Rival("own past", 0.9, -1.0)), -1.0)


@pytest.fixture(scope="module")
def springs() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=40, seed=0)


@pytest.fixture(scope="module")
def model(springs) -> Model:
    estimator = RelationalInference(epochs=300, threads=1, edge_hidden=(16,), node_hidden=(16,), batch=4)
    return estimator.fit(springs).model_


def test_where_nothing_is_shown_no_edge_is_determined_and_the_order_stays(model, springs):
    plain = model.infer(springs)
    found = replace(model, trust=Trust(NOTHING, False)).infer(springs)
    off = off_diagonal(3)
    assert found.probability.max() < DETERMINED
    assert found.undetermined[:, off].all()
    assert found.sure == 0
    assert found.verdict == NOTHING
    np.testing.assert_allclose(found.probability[:, off], 0.5 + 0.2 * (plain.probability[:, off] - 0.5))


def test_a_known_edge_stays_known(model, springs):
    known = np.full((12, 3, 3), -1)
    known[:, 0, 1] = 1
    found = replace(model, trust=Trust(NOTHING, False)).infer(springs, known=known)
    assert (found.probability[:, 0, 1, 1] == 1).all()


def test_another_unit_and_origin_are_named_and_not_sure(model, springs):
    x = np.array(springs.x) * 100
    x[..., :2] += 100
    other = model.infer(replace(springs, x=x))
    assert any(line.startswith("x is ") for line in other.unlike)
    assert any(line.startswith("vx is ") for line in other.unlike)
    assert other.probability.max() < DETERMINED


def test_rare_bursts_are_not_unlike_themselves():
    """Roessler oscillators were said to have another unit than in their own training."""
    frame = np.arange(100)
    x = np.where(frame % 10 == 0, 20.0, 0.1 + 0.02 * np.sin(frame))[None, :, None, None] * np.ones((1, 1, 3, 1))
    bursts = Trajectories(x)
    assert out_of_range(bursts, Scaling.fit(bursts)) == []
    assert "x0 is 0.0" in out_of_range(replace(bursts, x=x / 10), Scaling.fit(bursts))[0]


def test_recordings_of_training_are_not_unlike(model, springs):
    assert model.infer(springs).unlike == ()
    assert model.infer(simulate("springs", 4, entities=3, frames=40, seed=1)).unlike == ()


def test_a_high_loss_and_few_frames_are_named(model, springs):
    told = unlike_training(springs.frames(0, 9), model.scaling, 40, np.full(12, 3.0), 1.5)
    assert told[0].startswith("the loss is 3.00, at the end of training it was 1.50")
    assert told[1].startswith("9 frames, in training there were 40")
    assert unlike_training(springs, model.scaling, 40, np.full(12, 2.4), 1.5) == []
    assert unlike_training(springs, model.scaling, 40, np.full(12, 9.0), None) == []


def test_the_verdict_goes_into_the_file_and_into_json(model, springs, tmp_path):
    found = replace(model, trust=Trust(NOTHING, False)).infer(springs)
    found = replace(found, unlike=("x is elsewhere",))
    found.save(tmp_path / "result.npz")
    again = Result.load(tmp_path / "result.npz")
    assert (again.verdict, again.unlike) == (NOTHING, ("x is elsewhere",))
    about = judgement(again)
    assert (about["verdict"], about["sure"], about["unlike"]) == ("nothing", 0.0, ["x is elsewhere"])
    assert about["rivals"][1] == {"name": "own past", "error": 0.9, "z": -1.0}
    assert judgement(model.infer(springs))["verdict"] is None
