"""Faults of recordings, the warning of each, and the option that it names: after it, the clean recordings are back."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import numpy as np
import pytest

from bouncegrad.app.cli import main
from bouncegrad.data.doubts import doubts_of
from bouncegrad.data.errors import InputError
from bouncegrad.data.exchanges import exchanges, expected
from bouncegrad.data.formats import load, save
from bouncegrad.data.inspection import inspect
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.units import numbers_of, other_units, with_units
from bouncegrad.models.model import Model

SIZE = 1000.0  # of the box with periodic walls


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(tasks: int) -> Trajectories:
    """Places of five balls on springs in pixels, as a tracker writes them."""
    data = simulate("springs", tasks, entities=5, frames=49, seed=0)
    return replace(data, x=data.x[..., :2] * 100 + 300, features=("x", "y"), units=())


def drifting(data: Trajectories) -> Trajectories:
    """The same, seen from a camera that moves at a constant velocity; entities stay less than half a box apart."""
    rng = np.random.default_rng(1)
    way = rng.normal(size=(len(data), 1, 1, 2))
    time = np.arange(data.shape[1])[None, :, None, None] * data.dt
    away = 180 * way / np.linalg.norm(way, axis=-1, keepdims=True) * time
    return replace(data, x=data.x + away + rng.uniform(0, SIZE, size=(len(data), 1, 1, 2)))


def with_zeros(data: Trajectories) -> Trajectories:
    x = data.x.copy()
    x[np.random.default_rng(2).random(x.shape[:3]) < 0.03] = 0
    return replace(data, x=x)


def in_a_box(data: Trajectories) -> Trajectories:
    return replace(data, x=np.mod(data.x, SIZE))


def exchanged(data: Trajectories, near: bool = False) -> Trajectories:
    """Half of the tasks have two entities whose names are exchanged from a frame on, perhaps where they are close."""
    rng, x = np.random.default_rng(3), data.x.copy()
    for task in np.flatnonzero(rng.random(len(data)) < 0.5):
        one, other = rng.choice(data.shape[2], 2, replace=False)
        apart = np.linalg.norm(x[task, 5:44, one] - x[task, 5:44, other], axis=-1)
        frame = 5 + int(apart.argmin()) if near else int(rng.integers(5, 44))
        x[task, frame:, [one, other]] = x[task, frame:, [other, one]]
    return replace(data, x=x)


def partly_in_metres(data: Trajectories) -> Trajectories:
    x, some = data.x.copy(), np.random.default_rng(4).random(len(data)) < 0.3
    x[some] = x[some] / 100 - 3
    return replace(data, x=x)


FAULTS = {
    "zeros for lost animals": (places, with_zeros, "exactly x = 0, y = 0", "--missing 0,0"),
    "wrapped box": (lambda m: drifting(places(m)), in_a_box, "feature x wraps", "--periodic '[x:1000,y:1000]'"),
    "swapped identity": (places, exchanged, "two entities exchange their places in one step", "--unswap"),
    "swapped identity where animals meet": (places, lambda d: exchanged(d, True), "two entities exch", "--unswap"),
    "pixels against metres": (places, partly_in_metres, "places and steps are about 1/100", "--same_unit"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_warning_names_place_and_option_and_the_option_restores_the_recordings(here, fault):
    make, spoil, says, option = FAULTS[fault]
    clean = make(40)
    assert not [line for line in inspect(clean).warnings if says in line]
    save(spoil(clean), "a.npz")
    line = next(line for line in inspect(load("a.npz")).warnings if says in line)
    assert option in line
    assert re.search(r"task \d+", line)
    name, *value = shlex.split(option)
    reading = {name[2:]: value[0].strip("[]").split(",") if value else True}
    mended = load("a.npz", **(reading if name != "--missing" else {"missing": value[0]}))
    assert not [line for line in inspect(mended).warnings if says in line]
    there = np.ones(mended.shape[:3], bool) if mended.mask is None else mended.mask
    if name == "--periodic":
        np.testing.assert_allclose(np.mod(clean.x, SIZE), mended.x)
    elif name == "--same_unit":
        # Sizes are exact; the origin is estimated, to a small part of the width of the places.
        apart = mended.x - clean.x
        assert np.ptp(apart, axis=1).max() < 1e-9
        assert np.abs(apart).max() < 0.2 * clean.x.std()
    else:
        wrong = (mended.x != clean.x).any(-1) & there
        # Two entities in nearly the same place are as good as exchanged.
        assert wrong.any((1, 2)).sum() <= (1 if "meet" in fault else 0)
        assert there.mean() > 0.95


def test_the_faults_in_full_are_said_by_frame_and_entity(here):
    zeros = inspect(with_zeros(places(4))).warnings[0]
    assert re.search(r"task 0, frame \d+, entity \d", zeros)
    swapped = exchanged(places(20))
    found = exchanges(swapped)
    (line,) = (line for line in inspect(swapped).warnings if "exchange" in line and "--unswap" in line)
    assert f"{len(found)} times" in line
    assert f"first {found[0].one} and {found[0].other} in task {found[0].task}, frame {found[0].frame}" in line


def test_fast_pairs_are_not_taken_for_exchanges():
    for system, entities in (("charged", 10), ("charged", 5), ("springs3", 5)):
        assert exchanges(simulate(system, 60, entities=entities, frames=49, seed=2)) == []


def test_exchanges_over_gaps_and_back_again():
    data = places(1)
    x = data.x.copy()
    x[0, 20:30, [1, 3]] = x[0, 20:30, [3, 1]]
    x[0, 18:20, [1, 3]] = np.nan
    found = exchanges(replace(data, x=x))
    assert [(swap.frame, swap.one, swap.other) for swap in found] == [(20, 1, 3), (30, 1, 3)]
    assert exchanges(replace(data, x=x[..., :1], features=("x",), units=())) == []


def test_expected_places_go_over_walls():
    track = np.array([2.0, 3.0, 0.0, 1.0])[:, None, None]
    assert expected(track, np.array([4.0])).place[2:, 0, 0].tolist() == [4.0, 1.0]


def test_unit_and_origin_are_stated_for_features():
    data = replace(places(2), periodic=("x:1000",), units=("px", "px"))
    new = with_units(data, ("x:0.01",), ("x:300", "y:300"))
    np.testing.assert_allclose(new.x[..., 0], (data.x[..., 0] - 300) / 100)
    np.testing.assert_allclose(new.x[..., 1], data.x[..., 1] - 300)
    assert (new.periodic, new.units) == (("x:10",), ("", "px"))
    assert with_units(data, (), ()) is data


@pytest.mark.parametrize("text", ["x", "x:", ":2", "x:nan", "x:0", "z:1"])
def test_units_that_cannot_be_used(text):
    with pytest.raises(InputError, match="option unit: "):
        numbers_of((text,), ("x", "y"), "array", "unit", 1.0)
    with pytest.raises(InputError, match="twice"):
        numbers_of(("x:1", "x:2"), ("x",), "array", "origin", 0.0)


def test_tasks_that_are_slow_or_far_away_are_of_one_unit():
    data = places(10)
    slow = data.x.copy()
    slow[3] = slow[3, :1] + (slow[3] - slow[3, :1]) / 50  # steps are shorter, places are not closer together
    far = data.x + 1e4 * np.arange(10)[:, None, None, None]
    for x in (data.x, slow, far):
        assert other_units(replace(data, x=x)) == []
    assert other_units(data.select([0])) == []


def test_the_remedy_for_recordings_in_other_units_is_named_and_works(here):
    data = simulate("springs", 30, entities=3, frames=30, seed=0)
    save(data, "springs.npz")
    assert main(["train", "--data", "springs.npz", "--out", "run", "--epochs", "20", "--threads", "1", "--quiet"]) == 0
    model, x = Model.load("run"), data.x * 100
    x[..., :2] += 1000
    save(replace(data, x=x), "other.npz")
    line = model.infer(load("other.npz")).unlike[0]
    options = dict(re.findall(r"--(unit|origin) '\[(.*?)\]'", line))
    assert options["unit"] == "x:0.01,y:0.01,vx:0.01,vy:0.01"
    assert [text.partition(":")[0] for text in options["origin"].split(",")] == ["x", "y"]
    mended = load("other.npz", **{name: text.split(",") for name, text in options.items()})
    assert model.infer(mended).unlike == ()
    assert np.abs(mended.x - data.x).max() < 0.2 * data.x[..., :2].std()


def test_what_looks_wrong_is_found_where_it_is():
    data = places(3)
    x = data.x.copy()
    x[0, [7, 20, 30], 1] = 0
    x[1, 25:, [0, 4]] = x[1, 25:, [4, 0]]
    x[2, 10:30, 2] = x[2, 10, 2]
    found = doubts_of(replace(data, x=x))
    assert np.argwhere(found["may be lost"]).tolist() == [[0, 7, 1], [0, 20, 1], [0, 30, 1]]
    assert np.argwhere(found["exchanged"]).tolist() == [[1, 25, 0], [1, 25, 4]]
    assert np.argwhere(found["does not move"]).tolist() == [[2, frame, 2] for frame in range(11, 30)]
    assert doubts_of(data) == {}


def accuracy(command, name: str, data: Trajectories, options: list[str], run: str = "") -> float:
    """Trains on the first 200 recordings, unless a run is given, and returns the edge accuracy of the other 100."""
    save(data.select(range(200)), f"{name}.npz")
    save(data.select(range(200, 300)), f"{name}-new.npz")
    quick = ["--epochs", "40", "--threads", "1", "--quiet"]
    if not run:
        found = command("train", "--data", f"{name}.npz", "--out", name, "--velocities", *options, *quick)
        assert found.status == 0, found
    found = command("evaluate", run or name, f"{name}-new.npz", "--velocities", *options, "--json")
    return json.loads(found.out)["edge_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_the_accuracy_of_clean_recordings_is_back(here, command, fault):
    """The figures of `docs/your-data.md`."""
    make, spoil, _, option = FAULTS[fault]
    clean = make(300)
    first = accuracy(command, "clean", clean, [])
    spoiled = accuracy(command, "spoiled", spoil(clean), [])
    mended = accuracy(command, "mended", spoil(clean), shlex.split(option))
    print(f"{fault}: clean {first:.3f}, spoiled {spoiled:.3f}, {option} {mended:.3f}")
    assert first > 0.98
    assert spoiled < first - 0.05
    assert mended >= first - 0.02


@pytest.mark.slow
def test_the_accuracy_of_new_recordings_in_another_unit_is_back(here, command):
    """Case S12 of the reports: all numbers times 100, and an origin of 1000."""
    clean = simulate("springs", 300, entities=5, frames=49, seed=0)
    clean = replace(clean, x=clean.x[..., :2], features=("x", "y"), units=())
    first = accuracy(command, "clean", clean, [])
    other = replace(clean, x=clean.x * 100 + 1000)
    spoiled = accuracy(command, "other", other, [], run="clean")
    line = Model.load("clean").infer(load("other-new.npz", velocities=True)).unlike[0]
    option = line[line.index("--unit") :]
    mended = accuracy(command, "other", other, shlex.split(option), run="clean")
    print(f"other unit: clean {first:.3f}, spoiled {spoiled:.3f}, {option} {mended:.3f}")
    assert spoiled < first - 0.1
    assert mended >= first - 0.02
