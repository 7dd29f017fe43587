"""Folders of `.npy` files that stay on disk: read as written; what is summed up is summed up in blocks."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.streaming import StreamedTracks
from bouncegrad.data import trajectories
from bouncegrad.data.conversion import convert
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate


@pytest.fixture(scope="module")
def springs():
    data = simulate("springs", 12, entities=3, frames=10, seed=0)
    return replace(data, entities=("ann", "bob", "cat"), dt=0.1, units=("m", "m", "m/s", "m/s"))


@pytest.fixture
def folder(springs, tmp_path):
    save(springs, tmp_path / "springs.mmap")
    return tmp_path / "springs.mmap"


def test_what_was_written_is_read_and_stays_on_disk(springs, folder):
    again = load(folder)
    assert again.mapped
    assert not springs.mapped
    for field in ("x", "edges"):
        assert np.array_equal(getattr(again, field), getattr(springs, field))
    for field in ("dt", "features", "entities", "units", "tasks", "mask"):
        assert getattr(again, field) == getattr(springs, field)


def test_tasks_in_a_row_are_a_view_and_others_a_copy(folder):
    data = load(folder)
    assert data.select(slice(2, 5)).mapped
    assert data.select([2, 3]).tasks == ("2", "3")
    assert not data.select([1, 5]).mapped
    assert np.array_equal(data.select([1, 5]).x, np.asarray(data.x)[[1, 5]])


def test_of_mapped_states_the_last_tasks_are_held_out(folder):
    whole = load(folder)
    rest, held = whole.split(0.25, seed=3)
    assert (rest.tasks, held.tasks) == (whole.tasks[:9], whole.tasks[9:])
    for part in (rest, held):
        assert part.mapped
        assert np.shares_memory(part.x, whole.x)


def test_conversion_there_and_back(springs, folder, tmp_path):
    masked = replace(springs, mask=np.arange(360).reshape(12, 10, 3) % 50 > 0)
    save(masked, tmp_path / "a.npz")
    convert(tmp_path / "a.npz", folder, force=True)
    convert(folder, tmp_path / "b.npz")
    assert np.array_equal(load(tmp_path / "b.npz").mask, masked.mask)
    with pytest.raises(InputError, match="exists already"):
        convert(tmp_path / "a.npz", folder)


def test_streamed_tracks_are_those_in_memory(folder):
    data = load(folder)
    scaling = Scaling.fit(data)
    kept, streamed = scaled_tracks(data, scaling), StreamedTracks(data, scaling)
    tasks = torch.tensor([7, 0, 3])
    assert torch.equal(streamed[tasks], kept[tasks])
    assert torch.equal(streamed[:5], kept[:5])
    assert (len(streamed), streamed.shape) == (12, kept.shape)


@pytest.mark.parametrize("numbers", [1, 300, 1000])
def test_statistics_do_not_depend_on_the_size_of_blocks(springs, monkeypatch, numbers):
    masked = replace(springs, mask=np.arange(360).reshape(12, 10, 3) % 7 > 0)
    whole = [Scaling.fit(data) for data in (springs, masked)]
    tracks = scaled_tracks(springs, whole[0])
    monkeypatch.setattr(trajectories, "BLOCK", numbers)
    for data, one in zip((springs, masked), whole, strict=True):
        for name, value in vars(Scaling.fit(data)).items():
            np.testing.assert_allclose(value, getattr(one, name), rtol=1e-12, atol=1e-14)
    assert torch.equal(scaled_tracks(springs, whole[0]), tracks)


def test_a_value_in_a_later_block_is_named_as_in_the_first(springs, monkeypatch):
    x = springs.x.copy()
    x[7, 3, 1, 2] = x[9, 0, 0, 0] = np.inf
    bad = replace(springs, x=x)
    line = r"^array: inf at task 7, frame 3, entity bob, feature vx \(2 such values\)"
    monkeypatch.setattr(trajectories, "BLOCK", 200)
    with pytest.raises(InputError, match=line.replace("array", bad.source)):
        bad.require_finite()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda about: about | {"format_version": 9}, "format_version 9 is newer than 1; update bouncegrad"),
        (lambda about: about | {"dt": "fast"}, "is missing, damaged or incomplete"),
        (lambda about: about | {"features": [["x"]]}, "is missing, damaged or incomplete"),
        (lambda about: [], "is missing, damaged or incomplete"),
    ],
)
def test_descriptions_that_are_refused(folder, change, line):
    about = folder / "about.json"
    about.write_text(json.dumps(change(json.loads(about.read_text()))))
    with pytest.raises(InputError, match=line):
        load(folder)


def test_files_that_are_refused(folder):
    x = folder / "x.npy"
    whole = x.read_bytes()
    for content in (b"", whole[:40], whole[:-8], pickle.dumps([1])):
        x.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npy"):
            load(folder)
    np.save(x, np.array([{}, {}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"x\.npy"):
        load(folder)
    x.unlink()
    with pytest.raises(InputError, match=r"x\.npy"):
        load(folder)
