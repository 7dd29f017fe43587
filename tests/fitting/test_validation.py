"""Validation: its numbers on new tasks equal those of `evaluate`, and training does not depend on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bouncegrad import RelationalInference
from bouncegrad.core.proposals import InTurn, Learned, Uniform
from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting import validation
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.recorder import Recording
from bouncegrad.fitting.stages import train
from bouncegrad.fitting.validation import Effort, proposal_accuracy, some
from bouncegrad.models.evaluation import evaluate
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

from ..comparing import assert_same, assert_same_runs, timeless
from ..refusals import assert_refused
from .test_resume import stopped_after

LOOKED_AT = {"mse_1", "mse_10", "new_mse_1", "new_mse_10", "new_edge_accuracy", "new_proposal_accuracy"}
SETTINGS: dict[str, dict[str, Any]] = {
    "heat bath": {"forecast": 0.3},
    "restarts": {"cooling": 5},
    "paper, both encoders": {"search": "paper", "proposal": "learned", "encoder": "both", "steps": 2},
}
SHORT = ("--epochs", "2", "--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def a_look_with_every_row():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(visits_a_row=10))
        patch.setattr("bouncegrad.fitting.forecasting.PASSES_A_ROW", 1)
        patch.setattr("bouncegrad.fitting.forecasting.PASSES", 1)
        patch.setattr(validation, "EFFORT", validation.Effort(share=np.inf))
        yield


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 24, entities=4, frames=24, seed=0)


def config(name: str) -> Config:
    return Config(epochs=7, batch=4, threads=1, edge_hidden=(8,), node_hidden=(8,), **SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_is_the_same_with_and_without_validation(tasks, tmp_path, name):
    """Compares structures, modules, random numbers and all other metrics, bit for bit."""
    old, new = tasks.select(range(18)), tasks.select(range(18, 24))
    plain, watched, broken = (Run(tmp_path / folder) for folder in ("plain", "watched", "broken"))
    train(config(name), old, plain)
    train(config(name), old, watched, new=new)
    assert_same(timeless(watched.state()), timeless(plain.state()))
    without = [{key: row[key] for key in row if key not in LOOKED_AT} for row in timeless(watched.rows())]
    assert without == timeless(plain.rows())
    assert all({"mse_1", "new_mse_10"} <= row.keys() for row in watched.rows())
    train(config(name), old, broken, new=new, environment=Environment(stop=stopped_after(3)))
    while broken.state()["schedule"]["progress"] < 1:
        train(config(name), old, broken, new=new, resume=True, environment=Environment(stop=stopped_after(3)))
    train(config(name), old, broken, new=new, resume=True)
    assert_same_runs(broken, watched)
    spent = [row["validation_seconds"] for row in broken.rows()]
    assert spent == sorted(spent)


def test_the_last_numbers_equal_those_of_evaluate(tasks, tmp_path):
    old, new = tasks.select(range(18)), tasks.select(range(18, 24))
    run = Run(tmp_path / "run")
    train(config("restarts"), old, run, new=new)
    last, model = run.rows()[-1], Model.load(run.folder)
    for prefix, data in (("new_", new), ("", old)):
        numbers = evaluate(model, data).numbers
        for key in ("mse_1", "mse_10"):
            assert last[prefix + key] == pytest.approx(numbers[key], rel=1e-6)
    assert last["new_edge_accuracy"] == evaluate(model, new).numbers["edge_accuracy"]
    assert last["new_proposal_accuracy"] is None


def test_new_tasks_change_only_their_own_numbers(tasks):
    """New tasks may have other numbers of entities and frames, and no truth."""
    settings = {"epochs": 3, "threads": 1, "edge_hidden": (8,), "node_hidden": (8,)}
    other = simulate("springs", 3, entities=6, frames=40, seed=5).without_edges()
    one = RelationalInference(**settings).fit(tasks, new=tasks)
    two = RelationalInference(**settings).fit(tasks, new=other)
    assert torch.equal(one.model_.composition.node.weights[0], two.model_.composition.node.weights[0])
    assert two.history_[-1]["new_edge_accuracy"] is None
    assert one.history_[-1]["new_mse_1"] == one.history_[-1]["mse_1"] == two.history_[-1]["mse_1"]
    assert two.history_[-1]["new_mse_1"] not in (None, one.history_[-1]["new_mse_1"])
    with pytest.raises(InputError, match="features"):
        RelationalInference(**settings).fit(tasks, new=np.zeros((2, 9, 3, 7)))


def test_validation_always_uses_the_same_few_tasks():
    assert list(some(5, 0)) == [0, 1, 2, 3, 4]
    assert len(some(1000, 3)) == Effort().tasks
    assert list(some(1000, 3)) == list(some(1000, 3)) != list(some(1000, 4))


def test_validation_takes_at_most_its_share_of_the_time(monkeypatch, tasks):
    monkeypatch.setattr(validation, "EFFORT", validation.Effort())
    looks = object.__new__(validation.Validation)
    looks.spent, looks.latest = 0.0, 0.0
    assert looks.due(0.0)
    looks.spent, looks.latest = 1.0, 0.5
    assert not looks.due(29.0)
    assert looks.due(30.0)


class Certain:
    """An encoder with probability 1 of type 1 in the first slot, and 1/2 in the second; it draws a random number."""

    def __init__(self) -> None:
        self.generator = torch.Generator()

    def parameters(self):
        return [torch.nn.Parameter(torch.zeros(1))]

    def __call__(self, tracks, z, learning=False):
        torch.rand(1, generator=self.generator)
        return torch.tensor([[[-99.0, 99.0], [0.0, 0.0]]]).expand(len(z), -1, -1)


def test_proposal_accuracy_is_the_expected_share_of_right_edges():
    proposal = Learned(Certain(), torch.tensor([[0, 1]]))
    state = proposal.encoder.generator.get_state()
    tracks, z = torch.zeros(2, 3, 2, 1), torch.zeros(2, 2, dtype=torch.long)
    truth = torch.tensor([[1, 0], [1, 1]])
    assert proposal_accuracy(proposal, tracks, z, truth, (0, 1)) == pytest.approx((0.99 + 0.5) / 2)
    assert proposal_accuracy(proposal, tracks, z, truth, (1, 0)) == pytest.approx((0.01 + 0.5) / 2)
    uniform = Uniform(torch.tensor([[0, 1]]), 2)
    assert proposal_accuracy(InTurn(proposal, uniform), tracks, z, truth, (0, 1)) == pytest.approx(0.745)
    assert proposal_accuracy(uniform, tracks, z, truth, (0, 1)) is None
    assert proposal_accuracy(proposal, tracks, z, None, None) is None
    assert torch.equal(state, proposal.encoder.generator.get_state())


def test_validation_on_the_training_data_uses_held_out_tasks(command, work, springs):
    train = ["train", "--data", "springs.npz", *SHORT]
    found = command(*train, "--new", "springs.npz", "--out", "new")
    assert found.status == 0
    assert "on new ones" in found.out
    run = Run("new")
    held = springs.select(run.about()["held_out"])
    numbers = evaluate(Model.load("new"), held).numbers
    assert run.rows()[-1]["new_edge_accuracy"] == numbers["edge_accuracy"]
    assert run.about()["read"]["new"] == "springs.npz"
    assert_refused(
        command, [*train, "--new", "springs.npz", "--holdout", "0", "--out", "a"], "of which none is held out"
    )
    assert_refused(command, [*train, "--new", "none.npz", "--out", "a"], "none.npz")
