"""`bouncegrad convert`: what it keeps, what it says that it cannot, and that it leaves nothing half-written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.conversion import convert
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import FORMATS, load, parts, save
from bouncegrad.data.trajectories import Trajectories

from ..data.test_formats import SHARED, assert_equal, recordings
from ..refusals import assert_refused, snapshot

NAMED = {"entities": ("ann", "bob", "cat"), "tasks": ("p", "q"), "dt": 0.5}
beside = pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder: a.npz with names and units, and nothing else."""
    monkeypatch.chdir(tmp_path)
    save(recordings(**NAMED, units=("m", "m", "m/s", "m/s")), "a.npz")
    return tmp_path


def not_kept(out: str) -> list[str]:
    return [line.removeprefix("not kept: ") for line in out.splitlines() if line.startswith("not kept: ")]


@pytest.mark.parametrize("form", [form for form in FORMATS if form.write], ids=lambda form: form.name)
def test_every_format_that_is_written_comes_back_from_every_other(tmp_path, form):
    data = recordings(1, d=1, dt=1.0) if form.name == "netsim" else recordings(1, dt=1.0)
    save(data, tmp_path / "a.npz")
    there = tmp_path / f"b{form.suffix}"
    first = convert(tmp_path / "a.npz", there, format=form.name, part=None if form.suffix else "test")
    assert [one.path for one in first] == [there]
    # Kipf and Alet folders do not say their time step; the published one is taken.
    assert set(first[0].lost) <= {"dt"}
    convert(there, tmp_path / "c.npz", time_step=1.0)
    assert_equal(load(tmp_path / "c.npz"), data)


def test_a_table_keeps_all_but_units(command, here):
    found = command("convert", "a.npz", "b.csv")
    data = load("a.npz")
    assert found == (0, f"b.csv: {data.summary()}\nnot kept: units m, m, m/s, m/s\n", "")
    assert_equal(load("b.csv"), replace(data, units=("",) * 4))
    assert sorted(path.name for path in here.iterdir()) == ["a.npz", "b.csv", "b_edges.csv"]


def test_the_own_format_keeps_everything(command, here):
    assert not_kept(command("convert", "a.npz", "new/b.npz").out) == []
    assert (here / "new/b.npz").read_bytes() == (here / "a.npz").read_bytes()


def test_a_folder_says_each_thing_that_it_cannot_hold(command, here):
    found = command("convert", "a.npz", "folder", "--format", "kipf", "--part", "train")
    assert not_kept(found.out) == [
        "units m, m, m/s, m/s",
        "entities ann, bob, cat, read back as 0, 1, 2",
        "tasks p, q, read back as 0, 1",
        "time step 0.5, read back as 0.1 unless --time_step 0.5 is given",
    ]
    assert found.out.startswith("folder, part train: 2 tasks")
    assert np.array_equal(load("folder", time_step=0.5).x, load("a.npz").x)


def test_help_names_every_format_that_is_written(command):
    text = " ".join(command("convert", "--help").out.split())
    names = text.partition("does not say it: ")[2].partition(" --force")[0].split(", ")
    assert sorted(names) == sorted(form.name for form in FORMATS if form.write)


def test_json_is_one_object(command, here):
    found = command("convert", "a.npz", "b.csv", "--format", "wide", "--json")
    assert (found.status, found.err, found.out.count("\n")) == (0, "", 1)
    assert json.loads(found.out) == {
        "written": [{"path": "b.csv", "part": None, "tasks": 2}],
        "not_read": "",
        "not_kept": ["units m, m, m/s, m/s"],
    }


def test_nothing_is_replaced_without_force(command, here):
    assert command("convert", "a.npz", "b.csv").status == 0
    before = snapshot(here)
    assert_refused(command, ["convert", "a.npz", "b.csv"], "b.csv: exists already", "add --force")
    assert_refused(command, ["convert", "a.npz", "a.npz"], "a.npz: exists already")
    (here / "b.csv").unlink()
    assert_refused(command, ["convert", "a.npz", "b.csv"], "b_edges.csv: exists already")
    save(recordings(seed=1, **NAMED), "a.npz")
    assert command("convert", "a.npz", "b.csv", "--force").status == 0
    assert_equal(load("b.csv"), recordings(seed=1, **NAMED))
    assert set(snapshot(here)) == set(before)


def test_edges_of_other_recordings_are_not_left_beside(command, here):
    command("convert", "a.npz", "b.csv")
    save(load("a.npz").without_edges(), "c.npz")
    before = snapshot(here)
    line = ["convert", "c.npz", "b.csv", "--force"]
    assert_refused(command, line, "b_edges.csv: would be read as the true edges of the recordings; remove it")
    assert snapshot(here) == before


def test_what_would_be_read_back_as_something_else_leaves_nothing(command, here):
    data = recordings()
    save(replace(data, mask=data.x[..., 0] > 0), "gap.npz")
    save(replace(data, features=tuple("abcd")), "other.npz")
    save(recordings(tasks=("day/1", "day/2")), "slash.npz")
    (here / "folder.npz").mkdir()
    before = snapshot(here)
    for words, says in (
        (["gap.npz", "new", "--format", "alet", "--part", "test"], ["new: 12 of 24 cells are unobserved"]),
        (["other.npz", "new", "--format", "dnri", "--part", "test"], ["new: a dNRI folder holds the features x, y"]),
        (["slash.npz", "new/{task}.npz"], ["new/{task}.npz: 'day/1' in place of {task} is not a file name"]),
        (["a.npz", "new/{part}.npz"], ["new/{part}.npz: there is no name for {part}; leave it out"]),
        (["a.npz", "b.npz", "--part", "test"], ["a.npz: has no parts, so no part 'test'"]),
        (["a.npz", "b", "--format", "kipf"], ["b: part None cannot be written; choose one of train, valid, test"]),
        (
            ["a.npz", "b.npz", "--format", "netsim"],
            ["b.npz: a NetSim file holds one task with one feature, found 2 tasks"],
        ),
        (["a.npz", "b.txt"], ["b.txt: no format by this name; name it .npz, .mmap, .csv, or give the format"]),
        (["a.npz", "b.txt", "--format", "csv"], ["b.txt: the files of format csv are called *.csv; name it so"]),
        (["a.npz", "b.csv", "--format", "pdf"], ["b.csv: no format 'pdf'; choose one of kipf, alet, dnri, netsim"]),
        (["a.npz", "folder.npz", "--force"], ["folder.npz: is a folder; choose another name"]),
        (["none.npz", "b.csv"], ["none.npz: no such file or folder"]),
        (["a.npz", "a.npz/b.csv"], ["a.npz"]),
    ):
        assert_refused(command, ["convert", *words], *says)
        assert snapshot(here) == before
        assert not (here / "new").exists()
        assert not list(here.glob(".bouncegrad-*"))


def test_a_file_for_each_task_and_back(command, here):
    save(recordings(12, d=1, dt=1.0, tasks=[f"sub_{i}" for i in range(12)]), "many.npz")
    found = command("convert", "many.npz", "net/{task}.npz", "--format", "netsim")
    assert found.out.count("\n") == 13
    assert not_kept(found.out) == ["tasks sub_0, read back as 0 (so in 12 files)"]
    assert command("convert", "net", "again.npz").status == 0
    assert_equal(load("again.npz"), load("many.npz"))


def test_all_parts_of_a_folder(command, here):
    for seed, part in enumerate(("train", "valid", "test")):
        save(recordings(seed=seed), "kipf", part, format="kipf")
    assert_refused(
        command,
        ["convert", "kipf", "b.npz"],
        "kipf: has the parts train, valid, test; choose one, or write {part} in the name b.npz for a file each",
    )
    assert command("convert", "kipf", "one.npz", "--part", "valid").status == 0
    assert command("convert", "kipf", "split/{part}.npz").out.count("\n") == 3
    assert command("convert", "kipf", "alet", "--format", "alet").status == 0
    assert command("convert", "kipf/loc_test.npy", "file.npz").status == 0
    assert_equal(load("one.npz"), recordings(seed=1))
    assert_equal(load("file.npz"), recordings(seed=2))
    assert parts("alet") == ("train", "valid", "test")
    for seed, part in enumerate(("train", "valid", "test")):
        assert_equal(load(f"split/{part}.npz"), recordings(seed=seed))
        assert_equal(load("alet", part=part), recordings(seed=seed))


def test_parts_are_written_all_or_none(command, here):
    save(recordings(), "kipf", "train", format="kipf")
    save(recordings(), "kipf", "test", format="kipf")
    (here / "test.npz").write_text("mine")
    assert_refused(command, ["convert", "kipf", "{part}.npz"], "test.npz: exists already")
    assert not (here / "train.npz").exists()


def test_the_current_folder_may_be_the_target(command, here):
    assert command("convert", "a.npz", ".", "--format", "alet", "--part", "test").status == 0
    assert_equal(load("."), recordings())
    assert (here / f"state_{here.name}_test.npy").exists()


@pytest.mark.parametrize(("order", "turned"), [("source", False), ("target", True)])
def test_edges_are_given_beside(command, here, order, turned):
    truth = load("a.npz").edges
    np.save("v.npy", truth[:, ~np.eye(3, dtype=bool)])
    line = ["convert", "a.npz", "b.npz", "--edges", "v.npy"]
    assert_refused(command, line, "v.npy: shape (2, 6)", "for a vector of pairs, name its order: source or target")
    assert command(*line, "--edges-order", order).status == 0
    assert np.array_equal(load("b.npz").edges, truth.transpose(0, 2, 1) if turned else truth)


def test_velocities_that_are_derived_lose_their_mark(command, here):
    """Users asked for a converter of motion capture: columns time, j1_x, j1_y, ... become data, and go back to CSV."""
    t = np.arange(60) / 30
    columns = {f"j{i}_{axis}": np.sin(i * t + (axis == "y")) for i in (1, 2, 3) for axis in "xy"}
    table = np.column_stack([t, *columns.values()])
    np.savetxt("walk.csv", table, delimiter=",", header=",".join(["time", *columns]), comments="", fmt="%.9f")
    found = command("convert", "walk.csv", "walk.npz", "--velocities")
    (line,) = not_kept(found.out)
    assert line.startswith("that vx, vy are derived, each from the frames before and after; with --context")
    data = load("walk.npz")
    assert (data.entities, data.features) == (("j1", "j2", "j3"), ("x", "y", "vx", "vy"))
    assert np.allclose(data.x[0, 1:-1, 1, 2], 2 * np.cos(2 * t[1:-1]), atol=3e-3)
    assert command("convert", "walk.npz", "back.csv", "--format", "wide").status == 0
    rows = np.loadtxt("back.csv", delimiter=",", skiprows=1)
    with Path("back.csv").open() as file:
        names = [name.replace(":", "_") for name in file.readline().strip().split(",")]
    assert np.allclose(rows[:, [names.index(name) for name in ("time", *columns)]], table, atol=1e-6)


def test_a_wide_table_is_summarised_and_a_transposed_one_warned_of(command, here):
    """Users could not load a CSV file; here 200 rows and 8 columns are 200 frames, 4 entities, 2 features."""
    values = np.random.default_rng(0).normal(size=(200, 8)).cumsum(0)
    names = [f"e{i}_{axis}" for i in range(4) for axis in "xy"]
    np.savetxt("w.csv", values, delimiter=",", header=",".join(names), comments="")
    np.savetxt("t.csv", values.T, delimiter=",", header=",".join(f"x_{i}" for i in range(200)), comments="")
    found = command("inspect", "w.csv")
    assert found.out.startswith("1 task, 200 frames, 4 entities, 2 features (x, y), truth unknown\n")
    assert "warning" not in found.out
    assert "warning: more entities (200) than frames (8); if the table is transposed" in command("inspect", "t.csv").out


def test_the_converter_in_python_raises_what_the_command_prints(here):
    with pytest.raises(InputError, match=r"b\.npz: a NetSim file"):
        convert("a.npz", "b.npz", format="netsim")
    assert isinstance(convert("a.npz", "b.npz")[0].data, Trajectories)


@beside
def test_published_data_by_one_command_each(command, here):
    data = SHARED / "data"
    found = command("convert", data / "pedestrian_groups", "cases/{part}.npz")
    assert found.status == 0
    assert "not read, if there: people who are not present in all 20 frames of a case" in found.out
    cases = sorted(here.glob("cases/*.npz"))
    sizes = [load(path).shape[2] for path in cases]
    assert (min(sizes), max(sizes)) == (3, 42)
    case = load("cases/zara01_1.npz")
    assert_equal(case, load(data / "pedestrian_groups", part="zara01_1"))
    assert case.units == ("m", "m", "m/s", "m/s")
    for source, target, more in (
        ("dnri_synth", "dnri/{part}.npz", []),
        ("springs5_kipf", "springs", ["--format", "alet"]),
        ("netsim_acd", "netsim.csv", []),
        ("lorenz96", "lorenz_{part}.npz", []),
    ):
        assert command("convert", data / source, target, *more).status == 0
    assert_equal(load("springs", part="test"), load(data / "springs5_kipf", part="test"))
    assert_equal(load("netsim.csv"), load(data / "netsim_acd"))
    assert load("lorenz_F_10_T_1000_dataset.npz").dt == 0.05
    assert command("inspect", data / "lorenz96").out.startswith(f"{data / 'lorenz96'}: 6 parts, each a data set")
    line = ["train", "--data", data / "lorenz96", "--out", "new"]
    assert_refused(command, line, "has the parts F_10_T_1000_dataset, ", "choose one")
