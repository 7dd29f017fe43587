"""The oracle: only it reads the true edges, and every output with priors names it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.proposals import Truth
from bouncegrad.core.structures import adjacency_to_structure, edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import save
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.fitting.stages import train
from bouncegrad.settings.build import build
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

from ..refusals import assert_refused

MARK = "oracle: true edges"
SETTINGS = {"search": "paper", "proposal": "truth", "steps": 2, "epochs": 3, "edge_hidden": (8,), "node_hidden": (8,)}
LINE = ["--search", "paper", "--proposal", "truth", "--steps", "2", "--epochs", "2", "--threads", "1"]
LINE += ["--edge_hidden", "[8]", "--node_hidden", "[8]"]


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 24, entities=4, frames=12, seed=0)


def test_only_the_proposal_gets_the_true_edges(tasks, monkeypatch):
    given = []

    def spy(config, data, scaling, pairs, known=None, truth=None, first=None):
        given.append((data.edges, truth))
        return build(config, data, scaling, pairs, known, truth, first)

    monkeypatch.setattr("bouncegrad.fitting.parts.build", spy)
    _, loop, _ = train(Config(**SETTINGS), tasks)
    assert isinstance(loop.proposal, Truth)
    assert torch.equal(
        loop.proposal.truth, adjacency_to_structure(torch.from_numpy(tasks.edges), loop.composition.pairs)
    )
    train(Config(**(SETTINGS | {"proposal": "uniform"})), tasks)
    assert [edges for edges, _ in given] == [None, None]
    assert given[0][1] is tasks.edges
    assert given[1][1] is None


def test_a_run_folder_holds_no_true_edges(tasks):
    _, loop, _ = train(Config(**SETTINGS), tasks)
    assert loop.proposal.state_dict() == {}


def test_structures_become_true_if_the_truth_explains_more(tasks):
    """The oracle proposes true edges, and modules learn from the structures that are accepted."""
    known = Config(**(SETTINGS | {"epochs": 60, "move": "edge", "learning_rate": 0.01}))
    _, loop, rows = train(known, tasks)
    truth = loop.proposal.truth
    assert (loop.z == truth).float().mean() > 0.8
    assert rows[-1]["edge_accuracy"] > 0.8


def test_inference_needs_no_truth_but_names_the_oracle_as_a_prior(tasks):
    model = RelationalInference(**SETTINGS).fit(tasks)
    new = simulate("springs", 4, entities=4, frames=12, seed=1)
    one, two = model.infer(new), model.infer(new.without_edges())
    assert one.priors == two.priors == (MARK,)
    assert np.array_equal(one.probability, two.probability)


def test_every_command_that_prints_priors_names_the_oracle(command, work):
    trained = command("train", "--data", "springs.npz", "--out", "new", *LINE)
    assert f"stated beforehand: {MARK}" in trained.out
    assert MARK in command("infer", "new", "springs.npz", "--out", "found").out
    assert MARK in command("evaluate", "new", "springs.npz").out
    assert json.loads(command("evaluate", "new", "springs.npz", "--json").out)["priors"] == [MARK]
    command("report", "new")
    assert MARK in (work / "new" / "report.html").read_text()


def test_the_oracle_is_refused_without_true_edges(command, work):
    bare = replace(simulate("springs", 6, entities=3, frames=12, seed=0), edges=None)
    save(bare, work / "bare.npz")
    assert_refused(
        command,
        ["train", "--data", "bare.npz", "--out", "new", *LINE],
        "setting proposal: the oracle needs true edges, which bare.npz does not have; give --edges TABLE",
    )


def test_true_edges_that_the_oracle_cannot_use_are_refused(tasks):
    config = resolve(Config(**SETTINGS), tasks.shape)
    with pytest.raises(
        InputError, match=r"the oracle needs true edges, which .* does not have; give --edges TABLE, or another"
    ):
        train(config, tasks.without_edges())
    three = replace(tasks, edges=tasks.edges * 2)
    with pytest.raises(InputError, match="true edges have type 2, but there are 2 edge types; give --edge_types 3"):
        build(config, tasks, Scaling.fit(tasks), edge_index(4), truth=three.edges)
