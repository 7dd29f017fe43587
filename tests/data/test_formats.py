"""Loading and saving: the own format, and what every format shares."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncegrad.data import formats
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, parts, recognise, save
from bouncegrad.data.trajectories import Trajectories

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


# The time step that a format without a place for it is read with, where that is not the published 0.1.
DT = {"dnri": 1.0}


def recordings(m: int = 2, t: int = 4, n: int = 3, d: int = 4, seed: int = 0, **fields: object) -> Trajectories:
    """Random states, and a directed truth with the types 0, 1, 2."""
    random = np.random.default_rng(seed)
    edges = random.integers(3, size=(m, n, n)) * (1 - np.eye(n, dtype=int))
    return Trajectories(**{"x": random.normal(size=(m, t, n, d)), "edges": edges, "dt": 0.1} | fields)  # type: ignore[arg-type]


def assert_equal(one: Trajectories, other: Trajectories) -> None:
    """Everything but the source."""
    assert np.array_equal(one.x, other.x, equal_nan=True)
    assert one.x.dtype == other.x.dtype
    for field in ("mask", "edges"):
        left, right = getattr(one, field), getattr(other, field)
        assert (left is None) == (right is None)
        assert left is None or np.array_equal(left, right)
    assert one.dt == pytest.approx(other.dt, rel=1e-11)
    for field in ("features", "entities", "tasks", "units"):
        assert getattr(one, field) == getattr(other, field)


def refused(path: Path, **options: object) -> str:
    """The one line with which `load` refuses a path, without that path."""
    with pytest.raises(InputError) as caught:
        load(path, **options)  # type: ignore[arg-type]
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    assert ";" in line or ":" in line.removeprefix(str(path)), "no remedy"
    return line.removeprefix(str(path))


# Writing files is slow at times.
few = settings(max_examples=40, deadline=None)
names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=4)


@few
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4), st.integers(1, 5)),
    dtype=st.sampled_from(["f4", "f8"]),
    dt=st.floats(1e-6, 1e6),
    truth=st.booleans(),
    masked=st.booleans(),
    words=st.lists(names, min_size=5, max_size=5, unique=True),
)
def test_own_format_keeps_everything(tmp_path_factory, shape, dtype, dt, truth, masked, words):
    m, _, n, d = shape
    data = recordings(*shape, dt=dt, features=words[:d], entities=words[:n], tasks=words[:m], units=words[::-1][:d])
    data = replace(data, x=data.x.astype(dtype), edges=data.edges if truth else None)
    data = replace(data, mask=data.x[..., 0] > 0 if masked else None)
    path = tmp_path_factory.mktemp("own") / "a.npz"
    save(data, path)
    again = load(path)
    assert_equal(again, data)
    assert again.dt == dt
    assert again.source == str(path)


def test_equal_recordings_give_equal_files(tmp_path):
    save(recordings(), tmp_path / "a.npz")
    save(recordings(), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert all(file.compress_type == zipfile.ZIP_STORED for file in zipfile.ZipFile(tmp_path / "a.npz").filelist)


def test_numpy_reads_the_own_format_without_pickle(tmp_path):
    save(recordings(entities=("a", "b", "c")), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert archive["format_version"] == 1
        assert archive["entities"].tolist() == ["a", "b", "c"]
        assert "mask" not in archive


def test_only_states_are_needed_and_may_be_called_state(tmp_path):
    x = recordings().x
    np.savez(tmp_path / "a.npz", state=x)
    np.savez_compressed(tmp_path / "b.npz", x=x, entities=np.array([7, 8, 9]))
    np.save(tmp_path / "c.npy", x)
    for name in ("a.npz", "b.npz", "c.npy"):
        data = load(tmp_path / name)
        assert np.array_equal(data.x, x)
        assert data.edges is None
        assert data.dt == 1.0
        assert data.features == ("x", "y", "vx", "vy")
    assert load(tmp_path / "b.npz").entities == ("7", "8", "9")


def test_values_that_are_not_finite_are_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.full((1, 2, 2, 1), np.nan))
    assert np.isnan(load(tmp_path / "a.npz").x).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"edges": np.zeros((2, 3, 3))}, ": has edges but no x; give the states once"),
        ({}, ": has no key but no x"),
        ({"x": 1, "state": 1}, ": has both x and state"),
        ({"x": 1, "edge": 1}, ": unknown key edge; known are x, state, mask, edges, dt, features"),
        ({"x": 1, "format_version": 2}, ": format_version 2 is newer than 1; update bouncegrad"),
        ({"x": 1, "format_version": "one"}, ": format_version must be one number, found <U3"),
        ({"x": 1, "dt": [0.1, 0.2]}, ": dt must be one number, found float64 of shape (2,)"),
        ({"x": np.zeros((2, 4, 3, 1)), "entities": np.zeros(3)}, ": entities must be a list of names, found float64"),
        ({"x": np.zeros((2, 4, 3, 1)), "entities": ["a", "b"]}, ": 2 names in entities for 3"),
        ({"x": np.zeros((4, 3, 1))}, ": states need 4 axes (task, frame, entity, feature), found shape (4, 3, 1)"),
        ({"x": np.zeros((2, 4, 3, 1)), "edges": np.zeros((2, 6))}, ": edges must have shape (2, 3, 3)"),
    ],
)
def test_unusable_archives(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    assert message in refused(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_files_that_are_not_what_they_are_called(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    assert refused(path).startswith(": is empty; save it with numpy.save")
    path.write_text("task,time")
    assert refused(path).startswith(f": is no {suffix} ")
    save_with = np.savez if suffix == ".npz" else np.save
    with path.open("wb") as stream:
        save_with(stream, np.array([{"x": 1}], dtype=object))
    if suffix == ".npy":
        assert refused(path) == ": holds Python objects (pickled); save plain arrays of numbers"
    with path.open("wb") as stream:
        save_with(stream, recordings().x)
    path.write_bytes(path.read_bytes()[:-200])
    assert refused(path).startswith((": cannot be read (cut short or damaged)", ": is no .npz archive"))


def test_python_objects_and_damage_inside_an_archive(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([None], dtype=object))
    assert refused(path) == ", key x: holds Python objects (pickled); save plain arrays of numbers"
    np.savez(path, x=recordings().x)
    content = bytearray(path.read_bytes())
    content[400:410] = b"0123456789"
    path.write_bytes(content)
    assert refused(path).startswith(", key x: cannot be read (cut short or damaged)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "no array")
    assert refused(path).startswith(", key x: cannot be read")


def test_paths_with_nothing_to_read(tmp_path):
    assert refused(tmp_path / "a.npz") == ": no such file or folder; correct the path"
    assert refused(tmp_path).startswith(": this folder has no known format; give a file in it, or a Kipf folder")
    for folder in (tmp_path / "a.csv", tmp_path / "a.npz"):
        folder.mkdir()
        assert refused(folder).startswith(": this folder has no known format")
    (tmp_path / "a.txt").write_text("")
    assert refused(tmp_path / "a.txt").startswith(", line 1: is empty; write the column names there")
    (tmp_path / "a.doc").write_text("")
    assert refused(tmp_path / "a.doc").startswith(": files named *.doc are not known; give a .csv table")


def test_single_files_have_no_parts(tmp_path):
    save(recordings(), tmp_path / "a.npz")
    assert parts(tmp_path / "a.npz") == ()
    assert refused(tmp_path / "a.npz", part="train") == ": has no parts, so no part 'train'; leave the part out"
    with pytest.raises(InputError, match=r"a \.csv file has no parts; leave 'test' out"):
        save(recordings(), tmp_path / "a.csv", "test")


def test_save_wants_a_known_name_or_format(tmp_path):
    for path, format in ((tmp_path / "a.txt", None), (tmp_path / "a", None), (tmp_path / "a.npy", None)):
        with pytest.raises(InputError, match=r"name it \.npz, \.mmap, \.csv, or give the format of a folder, kipf"):
            save(recordings(), path, format=format)
    with pytest.raises(InputError, match="no format 'hdf'"):
        save(recordings(), tmp_path / "a.npz", format="hdf")


def test_time_step_and_velocities_on_loading(tmp_path):
    x = np.arange(3.0)[None, :, None, None].repeat(2, axis=2)
    np.savez(tmp_path / "a.npz", x=x, features=["x"], dt=0.1)
    data = load(tmp_path / "a.npz", time_step=0.5, velocities=True)
    assert data.dt == 0.5
    assert data.features == ("x", "vx")
    assert data.x[..., 1] == pytest.approx(2.0)
    assert "dt is -1" in refused(tmp_path / "a.npz", time_step=-1)


def test_a_table_of_edges_goes_with_any_format(tmp_path):
    save(recordings(tasks=("p", "q")), tmp_path / "a.npz")
    (tmp_path / "truth.csv").write_text("task,source,target,type\nq,2,0,1\n")
    data = load(tmp_path / "a.npz", edges=tmp_path / "truth.csv")
    assert data.edges is not None
    assert np.argwhere(data.edges).tolist() == [[1, 2, 0]]
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        load(tmp_path / "a.npz", edges=tmp_path / "none.csv")


def test_every_written_format_brings_a_directed_system_back(tmp_path):
    edges = np.zeros((1, 3, 3), int)
    edges[0, 2, 0] = 1  # entity 2 acts on entity 0, not the other way round
    for form in formats.FORMATS:
        if form.write is not None:
            data = recordings(m=1, d=1 if form.name == "netsim" else 4, edges=edges, dt=DT.get(form.name, 0.1))
            path = tmp_path / f"{form.name}{form.suffix}"
            save(data, path, None if form.suffix else "train", format=form.name)
            assert recognise(path) is form
            assert_equal(load(path), data)


def test_formats_import_without_torch():
    code = "import sys, bouncegrad.data.formats, bouncegrad.data.inspection; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
@pytest.mark.parametrize(("format", "part"), [("kipf", "valid"), ("alet", "valid"), ("npz", None), ("csv", None)])
def test_the_directed_fixture_through_every_format(tmp_path, format, part):
    data = load(SHARED / "reports/fixtures/directed3.npz")
    assert data.summary() == "96 tasks, 50 frames, 3 entities, 4 features (x, y, vx, vy), truth for 6 edges"
    assert data.dt == 0.1
    assert data.edges is not None
    assert not np.array_equal(data.edges, data.edges.transpose(0, 2, 1))
    path = tmp_path / (format if part else f"a.{format}")
    save(data, path, part, format=format)
    assert_equal(load(path, part=part), data)


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
def test_a_fixture_with_two_truths_is_refused_by_its_keys():
    line = refused(SHARED / "reports/fixtures/switch3.npz")
    assert line.startswith(": unknown keys edges_first, edges_second; known are x, state")
    assert line.endswith("rename or remove the others (edges holds one structure for each task)")
