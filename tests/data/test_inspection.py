"""Facts and warnings about recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.formats import load, parts, recognise
from bouncegrad.data.inspection import inspect
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.velocities import with_velocities

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def calm(m: int = 4, t: int = 40, n: int = 3, **fields: object) -> Trajectories:
    """Recordings in which nothing is wrong: random accelerations, velocities that fit."""
    x = np.random.default_rng(0).normal(size=(m, t, n, 2)).cumsum(1).cumsum(1)
    return with_velocities(Trajectories(x, dt=0.1, features=("x", "y"), **fields))  # type: ignore[arg-type]


def changed(data: Trajectories, value: object, *place: object) -> Trajectories:
    x = data.x.copy()
    x[place] = value
    return replace(data, x=x)


def the_one_warning(data: Trajectories) -> str:
    warnings = inspect(data).warnings
    assert len(warnings) == 1, warnings
    return warnings[0]


def test_nothing_wrong_gives_no_warning():
    assert inspect(calm()).warnings == ()


def test_facts_count_and_measure():
    edges = np.zeros((2, 3, 3), int)
    edges[0, 0, 1] = edges[0, 1, 0] = edges[1, 0, 2] = 2
    x = np.arange(2 * 12 * 3.0).reshape(2, 12, 3, 1)
    mask = np.ones((2, 12, 3), bool)
    mask[0, 0, 0] = mask[1, 11, 2] = False
    x[1, 11, 2] = np.inf
    data = Trajectories(x, mask, edges, dt=0.5, units=("m",), entities=("a", "b", "c"), source="a.npz")
    found = inspect(data, format="npz", parts={"train": data})
    assert dict(found.facts) == {
        "source": "a.npz",
        "format": "npz",
        "part train": data.summary(),
        "tasks": "2",
        "frames": "12",
        "dt": "0.5 (5.5 from first to last frame)",
        "entities": "3 (a, b, c)",
        "feature x0": "min 1, max 70, mean 35.5, sd 20.21 m",
        "missing": "2.8% (2 of 72 observations), first at task 0, time 0 (frame 0), entity a",
        "not finite": "0",
        "edge types": "3 in the truth",
        "type 0": "75.0% (9 of 12 edges)",
        "type 1": "0.0% (0 of 12 edges)",
        "type 2": "25.0% (3 of 12 edges)",
        "symmetric": "no, 16.7% of the edges differ from their reverse",
    }
    assert found.summary == data.summary()


def test_lines_are_summary_then_facts_in_a_column_then_warnings():
    data = calm(t=5)
    lines = inspect(data).lines()
    assert lines[0] == data.summary()
    assert lines[1] == "source      array"
    assert lines[-1].startswith("warning: only 5 frames")
    assert all("\n" not in line for line in lines)


def test_symmetric_and_unknown_truth():
    edges = np.ones((4, 3, 3), int) - np.eye(3, dtype=int)
    assert ("symmetric", "yes") in inspect(replace(calm(), edges=edges)).facts
    assert ("truth", "unknown") in inspect(calm()).facts


def test_more_entities_than_frames():
    assert the_one_warning(calm(t=12, n=13)).startswith("more entities (13) than frames (12)")


def test_values_that_are_not_finite_are_counted_and_placed():
    data = changed(changed(calm(), -np.inf, 2, 7, 1, 0), np.inf, 3, 0, 0, 3)
    assert the_one_warning(data).startswith("2 values not finite, first at task 2, frame 7, entity 1, feature x;")
    assert dict(inspect(data).facts)["not finite"] == "2, first at task 2, frame 7, entity 1, feature x"
    nothing = Trajectories(np.full((1, 10, 2, 1), np.nan))
    assert dict(inspect(nothing).facts)["feature x0"] == "no finite value"


def test_a_constant_feature():
    data = calm()
    x = np.concatenate([data.x, np.full((*data.shape[:3], 1), 3.5)], axis=-1)
    data = Trajectories(x, dt=0.1, features=(*data.features, "mass"))
    assert the_one_warning(data).startswith("feature mass is always 3.5;")


def test_whole_numbers_of_few_kinds_may_be_categories():
    state = np.random.default_rng(0).integers(3, size=(2, 30, 4, 1))
    assert the_one_warning(Trajectories(state)).startswith("feature x0 takes only 3 whole values")
    many = np.random.default_rng(0).integers(100, size=(2, 30, 4, 1))
    assert inspect(Trajectories(many)).warnings == ()


def test_a_jump_is_placed_even_in_a_short_recording():
    data = Trajectories(calm(m=1, t=12).x[..., 2:], features=("a", "b"))
    assert inspect(data).warnings == ()
    moved = changed(data, data.x[0, 6:, 1, 1] + 1e4, 0, slice(6, None), 1, 1)
    assert "at task 0, frame 6, entity 1, feature b;" in the_one_warning(moved)


def test_a_jump_across_a_gap_is_none():
    data = Trajectories(calm(m=1, t=12).x[..., 2:], features=("a", "b"))
    mask = np.ones((1, 12, 3), bool)
    mask[0, 6, 1] = False
    assert inspect(replace(changed(data, 1e6, 0, 6, 1, 1), mask=mask)).warnings == ()


@pytest.mark.parametrize("factor", [0.1, 0.7, 1.5, 10.0])
def test_velocities_that_do_not_fit_positions(factor):
    data = replace(calm(), dt=0.1 * factor)
    assert f"over dt = {0.1 * factor:g}" in the_one_warning(data)


def test_velocities_that_nearly_fit_are_no_matter():
    assert inspect(replace(calm(), dt=0.11)).warnings == ()


def test_copied_tasks_and_overlapping_clips():
    """Users asked about tracking files of basketball, in which clips of one moment may overlap."""
    data = calm(tasks=("a", "b", "c", "d"))
    assert the_one_warning(changed(changed(data, data.x[1], 2), data.x[1], 3)) == (
        "2 tasks with frames of earlier tasks, first task c, which repeats 5 frames or more of task b; "
        "remove copies and overlapping clips"
    )
    clips = np.concatenate([data.x[:1, :25], data.x[:1, 15:]])
    assert "task 1, which repeats 5 frames or more of task 0" in the_one_warning(
        replace(data.select([0, 1]), x=clips, tasks=())
    )
    assert inspect(changed(data, data.x[1, :4], 3, slice(4))).warnings == ()  # a shared start is no copy


def test_padding_is_no_copy():
    data = calm()
    mask = np.ones(data.shape[:3], bool)
    mask[:, 30:] = False
    for filler in (0.0, np.nan):
        assert inspect(replace(changed(data, filler, slice(None), slice(30, None)), mask=mask)).warnings == ()
    unmasked = changed(data, np.inf, slice(None), slice(30, None))
    assert "not finite" in the_one_warning(unmasked)


def test_a_feature_that_one_entity_never_has():
    players = changed(calm(), np.nan, slice(None), slice(None), 1, 3)
    assert the_one_warning(players) == (
        "entity 1 never has the feature vy, so that none of its frames counts; give it a number, such as 0, or leave "
        "the feature out"
    )
    absent = changed(calm(), np.nan, slice(None), slice(None), 1)
    assert inspect(absent).warnings == ()


def test_round_numbers_are_told_apart():
    x = np.random.default_rng(0).integers(-500, 500, size=(300, 20, 2, 2)).astype(float)
    assert inspect(Trajectories(x, features=("a", "b"))).warnings == ()


def test_tasks_that_stand_in_two_parts():
    train, test = calm(), calm().select([3])
    warning, no_valid = inspect(train, parts={"train": train, "test": test}).warnings
    assert "none is called valid" in no_valid
    assert "first task 3 of test, which repeats 5 frames or more of task 3 of train" in warning


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
def test_published_springs_look_right_and_a_wrong_dt_is_noticed():
    folder = SHARED / "data/springs5_kipf"
    sets = {name: load(folder, part=name) for name in parts(folder)}
    found = inspect(sets["train"], format=recognise(folder).layout, parts=sets)
    facts = dict(found.facts)
    assert found.warnings == ()
    assert facts["part test"].startswith("100 tasks, 99 frames, 5 entities")
    assert facts["symmetric"] == "yes"
    assert facts["type 1"] == "51.0% (5,096 of 10,000 edges)"
    assert "check dt" in the_one_warning(load(folder, part="train", time_step=1.0))
    # Particles reach the wall only in the longer test recordings.
    assert ["jumps" in line and "a wall" in line for line in inspect(sets["test"]).warnings] == [True, True]


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
@pytest.mark.parametrize("name", ["directed3", "springs4", "types3", "free4", "kuramoto5"])
def test_clean_fixtures_give_no_warning(name):
    data = load(SHARED / f"reports/fixtures/{name}.npz")
    assert inspect(data).warnings == data.assumed
