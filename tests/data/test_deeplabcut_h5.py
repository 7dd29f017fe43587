"""The `.h5` of DeepLabCut, written by h5py in the layout of pandas; its pickled names are read and never run."""

from __future__ import annotations

import contextlib
import os
import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.formats.plain_pickles import plain_value
from bouncegrad.data.inspection import inspect

from .programs import NAMES, PLACES, deeplabcut_table

CSV = "give its CSV, made with deeplabcut.analyze_videos_converth5_to_csv(FOLDER)"


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a.h5"


def write(path, form: str = "table", **given) -> None:
    with h5py.File(path, "w") as file:
        deeplabcut_table(file, form, **given)


@pytest.mark.parametrize("form", ["table", "fixed"])
def test_animals_and_body_parts_are_those_of_the_csv(path, form):
    write(path, form)
    data = load(path, fps=25)
    assert (data.entities, data.features, data.dt) == (("mia", "tom"), ("x", "y"), 0.04)
    np.testing.assert_array_equal(data.x[0], PLACES)
    assert any(line.startswith("read as") and "2 animals" in line for line in inspect(data).lines())
    single = [("net", animal, axis) for _, animal, _, axis in NAMES]
    write(path, form, names=single)
    data = load(path)
    assert "1 animal with 2 body parts" in dict(data.origin)["read as"]
    np.testing.assert_array_equal(data.x[0], PLACES)


def test_unlikely_places_are_missing(path):
    write(path)
    with h5py.File(path, "r+") as file:
        cells = file["df_with_missing/table"][()]
        cells["values_block_0"][2, 5] = 0.3
        file["df_with_missing/table"][...] = cells
    assert np.argwhere(~load(path).mask).tolist() == [[0, 2, 1]]
    assert load(path, likelihood=0.2).mask is None


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_the_names_is_run(path, protocol):
    write(path, pickled=pickle.dumps([Evil()], protocol).replace(b"\0", b""))
    with pytest.raises(InputError, match="the names of its columns are no plain texts") as error:
        load(path)
    assert CSV in str(error.value)
    assert not (path.parent / "evil").exists()
    with pytest.raises(ValueError, match="is not followed"):
        plain_value(pickle.dumps(Evil(), protocol))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (NAMES[:-1], "the names of the columns of df_with_missing are not"),
        ([name[:2] for name in NAMES], "its columns have no names"),
        ([name[1:] if i else name for i, name in enumerate(NAMES)], "are not (scorer, bodyparts, coords)"),
        ("nose", "its columns have no names"),
    ],
)
def test_names_that_do_not_fit_are_refused(path, names, says):
    write(path, pickled=pickle.dumps(names, 0))
    with pytest.raises(InputError) as error:
        load(path)
    assert says in str(error.value)
    assert CSV in str(error.value)


def test_tables_of_other_programs_and_labels_of_images_are_refused(path):
    write(path, "fixed")
    with h5py.File(path, "r+") as file:
        del file["df_with_missing/axis1"]
    with pytest.raises(InputError, match="its rows are images, not the frames of a video"):
        load(path)
    with h5py.File(path, "w") as file:
        file.create_group("df_with_missing")["table"] = np.zeros(3)
    with pytest.raises(InputError, match="is no table within this file"):
        load(path)


plain = st.recursive(
    st.text(st.characters(codec="utf-8")) | st.integers(-(2**31), 2**31 - 1) | st.none(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@given(plain, st.integers(0, 5))
def test_plain_values_are_those_of_pickle(value, protocol):
    assert plain_value(pickle.dumps(value, protocol)) == value


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(content):
    with contextlib.suppress(ValueError):  # no other error
        plain_value(content)


def test_a_list_in_itself_is_refused():
    itself: list = []
    itself.append(itself)
    with pytest.raises(ValueError, match="what is no list"):
        plain_value(pickle.dumps(itself, 0))
