"""The published folder layouts of Kipf and of Alet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, parts, save
from bouncegrad.data.trajectories import Trajectories

from .test_formats import SHARED, assert_equal, few, recordings, refused

LOC = np.arange(2 * 4 * 2 * 3.0).reshape(2, 4, 2, 3)


def kipf(folder: Path, part: str = "train", suffix: str = "", **arrays: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for kind, array in ({"loc": LOC, "vel": -LOC} | arrays).items():
        np.save(folder / f"{kind}_{part}{suffix}.npy", array)
    return folder


def alet(folder: Path, part: str = "train", name: str = "springs", **arrays: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for kind, array in ({"state": recordings().x} | arrays).items():
        np.save(folder / f"{kind}_{name}_{part}.npy", array)
    return folder


def test_kipf_has_dimension_before_entity_and_row_is_receiver(tmp_path):
    edges = np.zeros((2, 3, 3))
    edges[0, 1, 2] = 1  # row 1, column 2: entity 2 acts on entity 1
    data = load(kipf(tmp_path, edges=edges))
    assert data.edges is not None
    assert np.argwhere(data.edges).tolist() == [[0, 2, 1]]
    assert data.features == ("x", "y", "vx", "vy")
    assert data.x[1, 2, 0].tolist() == [LOC[1, 2, 0, 0], LOC[1, 2, 1, 0], -LOC[1, 2, 0, 0], -LOC[1, 2, 1, 0]]
    assert data.dt == 0.1
    assert data.source == str(tmp_path)


def test_alet_lists_pairs_by_sender_then_receiver(tmp_path):
    edges = -np.ones((2, 6))
    edges[0, 3] = 1  # (0,1) (0,2) (1,0) (1,2) (2,0) (2,1): entity 1 acts on entity 2
    data = load(alet(tmp_path, edges=edges))
    assert data.edges is not None
    assert np.argwhere(data.edges).tolist() == [[0, 1, 2]]
    assert np.array_equal(data.x, recordings().x)
    assert data.dt == 0.1


def test_products_of_charges_become_types_and_the_diagonal_is_ignored(tmp_path):
    charge = np.array([1.0, -1.0, -1.0])
    data = load(kipf(tmp_path, edges=np.stack([np.outer(charge, charge)] * 2)))
    assert data.edges is not None
    assert data.edges[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("write", [kipf, alet])
@pytest.mark.parametrize(("values", "found"), [([0, 0.5, 1], "0.5"), ([-1, 1, 0], "0.0"), ([1, np.nan, 2], "nan")])
def test_other_edge_values_are_refused(tmp_path, write, values, found):
    edges = np.ones((2, 6))
    edges[1] = values * 2
    if write is kipf:
        vectors, edges = edges, np.ones((2, 3, 3))
        edges[:, ~np.eye(3, dtype=bool)] = vectors
    file = next(write(tmp_path, edges=edges).glob("edges_*"))
    assert refused(file) == (
        f": the value {found} among the edges of task 1; write the types 0, 1, ... or, for charges, only -1 and +1"
    )


def test_edges_that_are_no_numbers(tmp_path):
    path = kipf(tmp_path, edges=np.full((2, 3, 3), "a")) / "edges_train.npy"
    assert refused(path).startswith(": edges have dtype <U1; write the types")


@few
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4)),
    dimensions=st.integers(1, 3),
    part=st.sampled_from(["train", "valid", "test"]),
    truth=st.booleans(),
)
def test_kipf_round_trip(tmp_path_factory, shape, dimensions, part, truth):
    axes = ("x", "y", "z")[:dimensions]
    data = recordings(*shape, 2 * dimensions, features=(*axes, *(f"v{axis}" for axis in axes)))
    data = data if truth else data.without_edges()
    folder = tmp_path_factory.mktemp("kipf") / "folder"
    save(data, folder, part, format="kipf")
    assert parts(folder) == (part,)
    assert_equal(load(folder), data)


@few
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4), st.integers(1, 5)),
    part=st.sampled_from(["train", "valid", "test"]),
    truth=st.booleans(),
)
def test_alet_round_trip(tmp_path_factory, shape, part, truth):
    data = recordings(*shape) if truth else recordings(*shape).without_edges()
    folder = tmp_path_factory.mktemp("alet") / "springs"
    save(data, folder, part, format="alet")
    assert (folder / f"state_springs_{'val' if part == 'valid' else part}.npy").exists()
    assert_equal(load(folder, part=part), data)


def test_kipf_writes_features_by_name(tmp_path):
    data = recordings(features=("vy", "x", "y", "vx"))
    save(data, tmp_path / "a", "test", format="kipf")
    assert np.array_equal(load(tmp_path / "a").x, data.x[..., [1, 2, 3, 0]])


def test_parts_are_named_alike_and_stand_in_order(tmp_path):
    for part in ("test", "valid", "train"):
        kipf(tmp_path / "kipf", part)
    for part in ("test", "val"):
        alet(tmp_path / "alet", part)
    assert parts(tmp_path / "kipf") == ("train", "valid", "test")
    assert parts(tmp_path / "alet") == ("valid", "test")
    assert refused(tmp_path / "kipf") == ": has the parts train, valid, test; choose one"
    assert refused(tmp_path / "alet", part="train") == ": has no part 'train'; choose one of valid, test"


def test_a_file_chooses_data_set_and_part(tmp_path):
    kipf(tmp_path, "train", "_a")
    kipf(tmp_path, "test", "_a", loc=LOC + 1)
    kipf(tmp_path, "train", "_b", loc=LOC + 2)
    line = refused(tmp_path, part="train")
    assert line == f": holds 2 data sets, '_a', '_b'; give one of the files itself, such as {tmp_path}/loc_train_a.npy"
    file = tmp_path / "vel_train_a.npy"
    assert parts(file) == ("train", "test")
    assert load(file).x[0, 0, 0, 0] == 0
    assert load(file).source == str(file)
    assert load(file, part="test").x[0, 0, 0, 0] == 1
    assert load(tmp_path / "loc_train_b.npy").x[0, 0, 0, 0] == 2
    assert "has no part 'test'; choose one of train" in refused(tmp_path / "loc_train_b.npy", part="test")


def test_names_of_alet_data_sets_may_hold_underscores(tmp_path):
    alet(tmp_path, "val", "charged_5_train")
    assert parts(tmp_path) == ("valid",)
    alet(tmp_path, "val", "other")
    assert "2 data sets, 'charged_5_train', 'other'" in refused(tmp_path)
    assert load(tmp_path / "state_other_val.npy").shape == (2, 4, 3, 4)


@pytest.mark.parametrize(
    ("arrays", "file", "message"),
    [
        ({"loc": LOC[0]}, "loc", ": shape (4, 2, 3) is not (task, frame, dimension, entity)"),
        ({"loc": np.zeros((2, 4, 5, 2))}, "loc", ": shape (2, 4, 5, 2) is not (task, frame, dimension, entity)"),
        ({"vel": LOC[:1]}, "vel", ": shape (1, 4, 2, 3), but the positions have (2, 4, 2, 3)"),
        ({"edges": np.zeros((2, 9))}, "edges", ": shape (2, 9), but 2 tasks of 3 entities"),
        ({"loc": LOC[:1], "vel": LOC[:1], "edges": np.zeros((2, 3, 3))}, "edges", ": shape (2, 3, 3), but 1 tasks"),
    ],
)
def test_kipf_files_that_do_not_fit(tmp_path, arrays, file, message):
    kipf(tmp_path, **arrays)
    assert message in refused(tmp_path / f"{file}_train.npy")


def test_alet_files_that_do_not_fit(tmp_path):
    alet(tmp_path, edges=np.zeros((2, 9)))
    assert ": shape (2, 9), but 2 tasks of 3 entities need (2, 6)" in refused(tmp_path / "edges_springs_train.npy")
    np.save(tmp_path / "state_springs_train.npy", LOC[0])
    assert ": states need 4 axes" in refused(tmp_path / "state_springs_train.npy")


@pytest.mark.parametrize(("kept", "missing"), [("loc", "vel"), ("vel", "loc")])
def test_a_missing_companion_is_named(tmp_path, kept, missing):
    kipf(tmp_path)
    (tmp_path / f"{missing}_train.npy").unlink()
    with pytest.raises(InputError, match=rf"{missing}_train\.npy: no such file; it belongs to the same part"):
        load(tmp_path / f"{kept}_train.npy")


def test_what_a_folder_cannot_hold_is_not_written(tmp_path):
    data = recordings()
    hidden = Trajectories(data.x, mask=data.x[..., 0] > 0)
    for format in ("kipf", "alet"):
        with pytest.raises(InputError, match="part None cannot be written; choose one of train, valid, test"):
            save(data, tmp_path / "a", format=format)
        with pytest.raises(InputError, match="part 'val' cannot be written"):
            save(data, tmp_path / "a", "val", format=format)
        with pytest.raises(InputError, match="of 24 cells are unobserved, which this format cannot hold"):
            save(hidden, tmp_path / "a", "test", format=format)
    with pytest.raises(InputError, match=r"positions and velocities \(x, y, vx, vy\), found x0, x1; save as \.npz"):
        save(recordings(d=2), tmp_path / "a", "test", format="kipf")
    with pytest.raises(InputError, match="a, b, c, d would be read as x, y, vx, vy"):
        save(recordings(features=tuple("abcd")), tmp_path / "a", "test", format="alet")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("format", ["kipf", "alet", "csv"])
def test_recordings_without_truth_are_not_written_beside_another_truth(tmp_path, format):
    path, part = (tmp_path / "a.csv", None) if format == "csv" else (tmp_path / "a", "train")
    save(recordings(), path, part, format=format)
    with pytest.raises(InputError, match=r"edges.*: would be read as the true edges of the recordings; remove it"):
        save(recordings(seed=1).without_edges(), path, part, format=format)
    assert_equal(load(path), recordings())


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
@pytest.mark.parametrize(("part", "tasks", "frames"), [("train", 500, 49), ("valid", 100, 49), ("test", 100, 99)])
def test_published_springs(part, tasks, frames):
    data = load(SHARED / "data/springs5_kipf", part=part)
    assert data.shape == (tasks, frames, 5, 4)
    assert data.dt == 0.1
    assert data.edges is not None
    assert 0.49 < data.edges[:, ~np.eye(5, dtype=bool)].mean() < 0.52
    assert not np.einsum("mii->mi", data.edges).any()
    # The published scheme moves by the mean of velocities over a frame, so central differences nearly fit.
    derived = np.gradient(data.x[..., 0], data.dt, axis=1)[:, 1:-1]
    assert np.median(np.abs(derived - data.x[:, 1:-1, :, 2])) < 1e-3
    # Springs pull: the change of velocity points to the entities that an edge comes from (weight 0.01 a frame).
    gap = data.x[:, :-1, :, None, 0] - data.x[:, :-1, None, :, 0]
    pull = np.einsum("mst,mfst->mft", data.edges, gap)
    push = np.diff(data.x[..., 2], axis=1)
    assert np.median(np.abs(push - 0.01 * pull)) < 0.03 * np.median(np.abs(push))
