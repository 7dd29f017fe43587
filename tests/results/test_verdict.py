"""The verdict: its four kinds for given losses, its sentence, and its way through files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bouncegrad.results.blocks import paired_z
from bouncegrad.results.verdict import MODULES, ONE_KIND, OWN_PAST, REGRESSION, Verdict, decided

BLOCKS = np.sin(np.arange(20.0))  # blocks differ, and differ alike for all


def errors(**means: tuple[float, float]) -> dict[str, np.ndarray]:
    """Losses by block: a mean, and what is added to every second block, so that differences have a standard error."""
    names = {"modules": MODULES, "own": OWN_PAST, "one": ONE_KIND, "regression": REGRESSION}
    return {names[key]: BLOCKS + mean + odd * (np.arange(20) % 2) for key, (mean, odd) in means.items()}


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("interaction", errors(modules=(-1.0, 0.1), own=(0.0, 0.0), regression=(0.5, 0.0))),
        ("interaction", errors(modules=(-1.0, 0.1), own=(0.0, 0.0), one=(0.2, 0.0))),
        ("regression", errors(modules=(0.5, 0.0), own=(0.4, 0.0), regression=(0.0, 0.1))),
        ("regression", errors(modules=(-0.5, 0.9), own=(1.0, 0.0), regression=(-0.05, 0.1))),  # as good: z below 3
        ("weak", errors(modules=(-0.5, 0.8), own=(0.0, 0.0))),
        ("nothing", errors(modules=(0.5, 0.1), own=(0.0, 0.0), regression=(0.1, 0.0))),
        ("nothing", errors(modules=(0.1, 0.1), own=(0.5, 0.0), one=(0.0, 0.0))),
    ],
)
def test_the_kind_follows_from_the_losses(kind, found):
    assert decided(found).kind == kind


def test_a_regression_is_named_where_finer_errors_tell_that_it_beats_the_own_past():
    found = errors(modules=(0.5, 0.1), own=(0.0, 0.0), regression=(0.0, 0.1))
    assert [decided(found, z).kind for z in (None, 0.0, 2.0, 4.0)] == ["nothing", "nothing", "weak", "regression"]


def test_a_regression_is_held_against_the_own_past_and_not_against_modules():
    """Modules without a graph may predict better than it does, since they know how exact each prediction is."""
    found = decided(errors(modules=(-1.0, 0.2), own=(1.0, 0.0), one=(-1.0, 0.0), regression=(0.0, 0.1)))
    assert found.kind == "regression"
    assert "better than each entity's own past (z = " in found.sentence


def test_modules_that_are_less_exact_than_the_regression_are_not_named():
    found = errors(modules=(-1.0, 0.2), own=(1.0, 0.0), regression=(0.0, 0.1))
    worse, better = errors(modules=(2.0, 0.2), regression=(1.0, 0.1)), errors(modules=(0.5, 0.2), regression=(1.0, 0.1))
    assert [decided(found, None, squared).kind for squared in (None, better, worse)] == [
        "interaction",
        "interaction",
        "regression",
    ]


def test_one_law_for_all_pairs_shows_that_something_interacts():
    """Charges were said to show no interaction, where all pairs alike predicted far better than none."""
    found = decided(errors(modules=(0.1, 0.1), own=(1.0, 0.2), one=(0.0, 0.0)))
    assert (found.kind, found.alike) == ("weak", True)
    assert found.over_nothing == pytest.approx(paired_z(*errors(own=(1.0, 0.2), one=(0.0, 0.0)).values()))
    assert "its graph cannot be told" in found.sentence
    assert Verdict.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert not decided(errors(modules=(0.1, 0.1), own=(-0.1, 0.2), one=(0.0, 0.0))).alike


def test_the_modules_come_first_and_z_is_how_much_better_they_are():
    verdict = decided(errors(modules=(-1.0, 0.1), own=(0.0, 0.0), regression=(0.5, 0.0)))
    assert [rival.name for rival in verdict.rivals] == [MODULES, OWN_PAST, REGRESSION]
    own, regression = (rival.z for rival in verdict.rivals[1:])
    difference = 1.0 - 0.1 * (np.arange(20) % 2)
    assert own == pytest.approx(difference.mean() / (difference.std(ddof=1) / np.sqrt(20)))
    assert verdict.over_nothing == pytest.approx(own)
    assert regression > own
    assert verdict.sentence.endswith(f"(z = {own:.1f}): read the graph")
    assert verdict.lines()[-1] == verdict.sentence


def test_the_sentence_of_a_regression_names_its_file():
    sentence = decided(errors(modules=(0.5, 0.0), own=(0.4, 0.0), regression=(0.0, 0.1))).sentence
    assert sentence.startswith("a linear regression predicts better (z = ")
    assert "regression_edges.csv" in sentence


def test_a_verdict_is_read_as_it_was_written():
    verdict = decided(errors(modules=(-1.0, 0.1), own=(0.0, 0.0)))
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


@pytest.mark.parametrize("values", [{}, {"kind": "certain", "rivals": [], "over_nothing": 1.0}, {"kind": "weak"}])
def test_damaged_values_are_refused(values):
    with pytest.raises(ValueError, match="verdict"):
        Verdict.from_json(values)
