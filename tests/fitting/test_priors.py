"""Prior knowledge of users acts in training and in inference, and is named in the result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad import RelationalInference, load
from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import simulate
from bouncegrad.results.result import Result


@pytest.fixture(scope="module")
def charges():
    return simulate("charged", 12, entities=4, frames=20, seed=0)


def test_symmetric_structures_equal_their_transposes(charges):
    """Users asked how to make all graphs symmetric."""
    model = RelationalInference(epochs=3, symmetric=True).fit(charges)
    result = model.infer(charges)
    for edges in (model.structures_, result.edges):
        assert np.array_equal(edges, edges.swapaxes(1, 2))
        assert 0 < edges.mean() < 1
    assert result.priors == ("symmetric",)


def test_with_entity_types_a_triangle_has_none_or_two_edges_of_type_1(charges):
    model = RelationalInference(epochs=3, entity_types=2).fit(charges)
    edges = model.structures_
    # Type 1 connects entities of different types; of three pairs of entities, none or two have different types.
    assert set(edges[:, 0, 1] + edges[:, 1, 2] + edges[:, 2, 0]) == {0, 2}
    assert np.array_equal(edges, edges.swapaxes(1, 2))
    assert model.infer(charges).priors == ("2 entity types",)


def test_too_many_entities_for_entity_types_are_refused():
    tracks = simulate("springs", 2, entities=13, frames=8, seed=0)
    with pytest.raises(InputError, match=r"entity_types: 2 for 13 entities .*--symmetric"):
        RelationalInference(epochs=1, entity_types=2).fit(tracks)


def test_without_interactions_the_pinned_type_is_found():
    x = np.random.default_rng(0).normal(size=(16, 30, 3, 2))
    model = RelationalInference(epochs=40, pinned=True).fit(x)
    result = model.infer(x)
    assert (result.edges == 0).mean() > 0.95
    assert result.priors == ("type 0 is no interaction", "0.9 of the edges are none")


def test_known_edges_keep_their_types_in_training_and_inference(charges):
    known = np.full(charges.edges.shape, -1)
    known[:, 0, 1], known[3, 2, 1] = 1, 0
    model = RelationalInference(epochs=2).fit(charges, known)
    result = model.infer(charges, known=known)
    for edges in (model.structures_, result.edges):
        assert (edges[:, 0, 1] == 1).all()
        assert edges[3, 2, 1] == 0
        assert 0 < edges[:, 2, 3].mean() < 1
    assert (result.probability[:, 0, 1, 1] == 1).all()
    assert result.priors == ("known edges",)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.zeros((2, 4, 4), int), r"shape \(2, 4, 4\); give whole numbers of shape \(12, 4, 4\)"),
        (np.zeros((12, 4, 4)), "float64"),
        (np.full((12, 4, 4), 2), "type 2, but there are 2 edge types"),
    ],
)
def test_wrong_known_edges_are_refused(charges, known, message):
    with pytest.raises(InputError, match=message):
        RelationalInference(epochs=1).fit(charges, known)


def test_the_search_of_the_paper_refuses_known_edges(charges):
    with pytest.raises(InputError, match="only --search heat-bath uses them"):
        RelationalInference(epochs=1, search="paper").fit(charges, np.full((12, 4, 4), -1))


def test_priors_work_from_the_command_line(command, work):
    (work / "known.csv").write_text("task,source,target,type\nday 0,ann,bob,1\nday 1,cat,ann,0\n")
    line = ["--data", "named.csv", "--epochs", "2", "--threads", "1", "--known", "known.csv", "--symmetric", "--pinned"]
    trained = command("train", *line, "--out", "new")
    stated = "symmetric, type 0 is no interaction, 0.9 of the edges are none, known edges"
    assert f"stated beforehand: {stated} of known.csv" in trained.out
    found = command("infer", "new", "named.csv", "--known", "known.csv", "--out", "found")
    assert f"stated beforehand: {stated}\n" in found.out
    result, data = Result.load("found/result.npz"), load("named.csv")
    assert result.priors == tuple(stated.split(", "))
    assert result.edges[data.tasks.index("day 0"), 0, 1] == 1
    assert result.edges[data.tasks.index("day 1"), 2, 0] == 0
    evaluated = json.loads(command("evaluate", "new", "named.csv", "--json").out)
    assert evaluated["priors"] == list(stated.split(", ")[:3])
    assert evaluated["relabelling"] == [0, 1]
    page = command("report", "new")
    assert page.status == 0
    assert "symmetric, type 0 is no interaction" in (work / "new" / "report.html").read_text()


def test_a_resumed_run_reads_its_known_edges_again(command, work):
    (work / "known.csv").write_text("task,source,target,type\n0,0,1,1\n")
    line = ["--data", "springs.npz", "--epochs", "2", "--threads", "1", "--known", "known.csv", "--out", "new"]
    assert command("train", *line).status == 0
    assert json.loads((work / "new" / "data.json").read_text())["read"]["known"] == "known.csv"
    (work / "known.csv").unlink()
    assert "known.csv" in command("train", "--resume", "--data", "springs.npz", "--out", "new").err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--sparsity 0.5", "it needs --pinned"),
        ("--pinned --sparsity 1", "give a share above 0, below 1"),
        ("--symmetric --entity_types 2", "it cannot be combined with entity types"),
        ("--entity_types 3 --edge_types 4", "3 lead to 2, 6, 9 edge types"),
        ("--search paper --pinned", "only --search heat-bath knows it"),
        ("--symmetric maybe", "maybe"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(command, work, options, message):
    outcome = command("train", "--data", "springs.npz", "--out", "new", *options.split())
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err


def test_pairs_that_are_not_candidates_do_not_interact(charges):
    model = RelationalInference(epochs=2, candidates=1).fit(charges)
    result = model.infer(charges)
    assert result.priors[:2] == ("1 candidates for each", "type 0 is no interaction")
    asked = (result.probability[..., 0] > 0) & (result.probability[..., 0] < 1)
    assert asked.any(0).sum() == 4
    for edges in (model.structures_, result.edges):
        assert not edges[:, ~asked.any(0)].any()
    assert np.isfinite(model.predict(charges, steps=3)).all()


def test_a_table_of_candidates_from_the_command_line(command, work):
    (work / "pairs.csv").write_text("source,target\nann,bob\ncat,bob\nbob,ann\n")
    line = ["--data", "named.csv", "--epochs", "2", "--threads", "1", "--candidates", "pairs.csv"]
    assert "candidates of pairs.csv" in command("train", *line, "--out", "new").out
    assert command("infer", "new", "named.csv", "--out", "found").status == 0
    edges = Result.load("found/result.npz").edges
    assert not edges[:, 0, 2].any()
    assert not edges[:, 2, 0].any()


def test_eight_edge_types_are_possible():
    x = np.random.default_rng(0).normal(size=(8, 12, 5, 2))
    model = RelationalInference(epochs=3, edge_types=8).fit(x)
    assert set(np.unique(model.infer(x).edges)) <= set(range(8))
