"""The regression tasks of the 2018 paper: formulas, seeds, splits and the published file layout."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.functions import FUNCTIONS, functions, sines
from bouncegrad.data.hdf5 import read_hdf5, write_hdf5
from bouncegrad.data.regression import RegressionTasks


def test_sines_are_sines_within_the_published_ranges():
    data = sines(2000, seed=3)
    amplitude, phase = (np.array(part) for part in zip(*map(numbers, data.names), strict=True))
    assert np.array_equal(data.y[..., 0], amplitude[:, None] * np.sin(data.x[..., 0] - phase[:, None]))
    for values, least, most in ((amplitude, 0.1, 5), (phase, 0, np.pi), (data.x, -5, 5)):
        assert least <= values.min() < least + 0.02 * (most - least)
        assert most - 0.02 * (most - least) < values.max() <= most
    assert (data.x.shape, data.fitted) == ((2000, 20, 1), 10)


def numbers(name: str) -> list[float]:
    return [float(word.replace("d", ".")) for word in name.split("_")]


def test_functions_are_all_sums_of_two_out_of_sixteen():
    data = functions(fitted=5, held_out=7)
    assert (len(FUNCTIONS), data.x.shape, data.fitted) == (16, (120, 12, 1), 5)
    a, b = data.names[50].split("_")
    assert a < b
    assert np.array_equal(data.y[50], (FUNCTIONS[a](data.x[50]) + FUNCTIONS[b](data.x[50])) / 2)
    assert (np.abs(data.x).max(), np.abs(data.y).max()) < (1, 1 + 1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_stays_within_one(name):
    assert np.abs(FUNCTIONS[name](np.linspace(-1, 1, 1001))).max() <= 1 + 1e-12


@pytest.mark.parametrize("make", [lambda seed: sines(30, seed=seed), lambda seed: functions(seed=seed)])
def test_a_seed_gives_the_same_tasks_and_another_seed_others(make):
    one, again, other = make(0), make(0), make(1)
    assert np.array_equal(one.x, again.x)
    assert np.array_equal(one.y, again.y)
    assert not np.isclose(one.x, other.x).any(axis=(1, 2)).all()


def test_first_sines_do_not_depend_on_how_many_follow():
    assert np.array_equal(sines(5).y, sines(50).y[:5])


def test_a_split_leaves_no_task_in_both_parts():
    old, new = functions().split(0.25, seed=0)
    assert (len(old.names), len(new.names)) == (90, 30)
    assert not set(old.names) & set(new.names)
    assert old.names == functions().split(0.25, seed=0)[0].names != functions().split(0.25, seed=1)[0].names
    with pytest.raises(InputError, match="a share of 0"):
        functions().split(0.0, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": np.zeros((2, 3, 1))}, "the same tasks and points"),
        ({"y": np.full((2, 4, 1), np.nan)}, "y of task 0, point 0 is not finite"),
        ({"fitted": 4}, "4 of 4 points are fitted"),
        ({"names": ("a",)}, "1 names for 2 tasks"),
        ({"names": ("a", "a")}, "two tasks are called 'a'"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, said):
    given = {"x": np.zeros((2, 4, 1)), "y": np.zeros((2, 4, 1)), "fitted": 2, "names": ("a", "b")}
    with pytest.raises(InputError, match=said):
        RegressionTasks(**(given | change))


def test_numbers_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="sines: tasks is 0; give a whole number of 1 or more"):
        sines(0)
    with pytest.raises(InputError, match="functions: fitted is True"):
        functions(fitted=True)


def test_the_published_layout_is_written_and_read(tmp_path):
    h5py = pytest.importorskip("h5py", reason="the extra hdf5 is not installed")
    data = functions(fitted=3, held_out=4)
    write_hdf5(data, tmp_path / "sums.hdf5")
    with h5py.File(tmp_path / "sums.hdf5") as file:
        assert len(file) == 240
        assert np.array_equal(file["abs_cos-IN"], data.x[data.names.index("abs_cos")])
    back = read_hdf5(tmp_path / "sums.hdf5", fitted=3, held_out=4, seed=1)
    assert back.names == data.names
    assert np.array_equal(np.sort(back.x, 1), np.sort(data.x, 1))
    a, b = back.names[7].split("_")
    assert np.array_equal(back.y[7], (FUNCTIONS[a](back.x[7]) + FUNCTIONS[b](back.x[7])) / 2)
    few = read_hdf5(tmp_path / "sums.hdf5", fitted=1, held_out=2, seed=1)
    assert (few.x.shape, few.fitted) == ((120, 3, 1), 1)
    with pytest.raises(InputError, match="8 points are asked for"):
        read_hdf5(tmp_path / "sums.hdf5", fitted=4, held_out=4)


def test_files_of_another_layout_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="the extra hdf5 is not installed")
    with h5py.File(tmp_path / "lonely.hdf5", "w") as file:
        file["a-IN"] = np.zeros((3, 1))
    (tmp_path / "text.hdf5").write_text("no")
    for name, said in (("lonely", "a-IN has no a-OUT"), ("text", "cannot be read"), ("none", "cannot be read")):
        with pytest.raises(InputError, match=said):
            read_hdf5(tmp_path / f"{name}.hdf5", fitted=1, held_out=1)


def test_without_h5py_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'bouncegrad\[hdf5\]'"):
        write_hdf5(functions(), tmp_path / "sums.hdf5")
