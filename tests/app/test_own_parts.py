"""Parts of the user's own, named `module:Name` on the command line: a composition, a search and a head."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ..refusals import assert_refused

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TRAIN = ["train", "--data", "springs.npz", "--out", "own", "--epochs", "4", "--threads", "1"]
OWN = {
    "composition": "own_composition:LinearLaws",
    "search": "own_search:Tempered",
    "head": "own_head:StudentT",
}


@pytest.fixture
def beside(work, monkeypatch):
    """The folder of a user, which holds modules of their own."""
    for name in ("own_composition", "own_search", "own_head"):
        (work / f"{name}.py").write_text((EXAMPLES / f"{name}.py").read_text())
        monkeypatch.delitem(sys.modules, name, raising=False)
    return work


@pytest.mark.parametrize("kind", OWN)
def test_a_part_is_trained_resumed_and_inferred_with(command, beside, kind):
    assert command(*TRAIN, f"--{kind}", OWN[kind]).status == 0
    assert command("infer", "own", "springs.npz", "--out", "found").status == 0
    assert (beside / "found" / "edges.csv").read_text().startswith("task,source,target,type,")
    numbers = json.loads(command("evaluate", "own", "springs.npz", "--json").out)
    assert 0 <= numbers["edge_accuracy"] <= 1
    assert (numbers["mse_1"] is None) == (kind == "composition")
    assert command(*TRAIN, "--resume", f"--{kind}", OWN[kind]).status == 0


@pytest.mark.slow
def test_linear_laws_are_learned(command, beside):
    words = ["--composition", OWN["composition"], "--epochs", "1000"]
    assert command(*TRAIN, *words).status == 0
    assert command("report", "own").status == 0
    numbers = json.loads(command("evaluate", "own", "springs.npz", "--json").out)
    assert numbers["edge_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["predict", "own", "springs.npz", "--steps", "2", "--context", "20", "--out", "p"], "LinearLaws"),
        (["unseen", "own", "springs.npz", "--count", "1", "--out", "u"], "LinearLaws"),
    ],
)
def test_what_only_a_graph_can_do_is_refused(command, beside, words, says):
    assert command(*TRAIN, "--composition", OWN["composition"]).status == 0
    assert_refused(command, words, "only the composition graph can do this", says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--composition", "nowhere:Law"],
            ["'nowhere:Law' cannot be loaded", "give my.module:Name"],
        ),
        (["--composition", "own_composition:Nothing"], ["cannot be loaded"]),
        (["--composition", "own_search:Linear"], ["setting composition: own_search:Linear lacks pairs, entities"]),
        (["--composition", "tree"], ["setting composition: 'tree' cannot be used; give graph, or a part of your own"]),
        (["--search", "best"], ["setting search: 'best' cannot be used; give auto, heat-bath, joint-draws, paper, or"]),
        (["--head", "own_head:StudentT", "--loss", "rollout"], ["setting head", "only --loss likelihood"]),
        (["--search", "own_search:Tempered", "--symmetric"], ["does not know priors"]),
        (
            ["--search", "joint-draws", "--entity_types", "2"],
            ["setting entity_types: --search joint-draws"],
        ),
        (["--search", "joint-draws", "--edge_types", "1"], ["joint-draws cannot draw structures of graph with 1 edge"]),
        (
            ["--search", "joint-draws", "--composition", OWN["composition"]],
            ["joint-draws cannot draw"],
        ),
    ],
)
def test_a_part_that_cannot_be_used_is_refused_in_one_line(command, beside, options, says):
    assert_refused(command, [*TRAIN, *options], *says)
