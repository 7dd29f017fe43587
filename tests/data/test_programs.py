"""Files of other programs are read as they are; `inspect` says how, and a refusal names what would be read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, recognise
from bouncegrad.data.inspection import inspect

from .programs import FILES, FRAMES, PLACES
from .test_formats import refused


def written(folder, kind):
    name, content = FILES[kind]
    path = folder / name
    path.write_text(content)
    return path


@pytest.mark.parametrize("kind", FILES)
def test_every_program_is_recognised_and_read(tmp_path, kind):
    path = written(tmp_path, kind)
    data = load(path)
    assert recognise(path).name == kind.split()[0]
    assert data.features == ("x", "y")
    np.testing.assert_allclose(data.x[0], PLACES)
    assert data.dt == (3600 if kind == "movebank" else 1)
    facts = dict(inspect(data).facts)
    assert "columns" in facts or "read as" in facts


@pytest.mark.parametrize("kind", FILES)
def test_what_inspect_prints_can_be_pasted(tmp_path, kind):
    path = written(tmp_path, kind)
    data = load(path)
    option = dict(data.origin).get("columns")
    if option is None:
        assert kind.split()[0] in ("deeplabcut", "sleap", "motchallenge", "trajnet", "metrica", "lammps", "xyz")
        return
    again = load(path, columns=option.removeprefix("--columns ").strip("'"))
    np.testing.assert_array_equal(again.x, data.x)
    assert (again.features, again.entities, again.dt) == (data.features, data.entities, data.dt)


def left_out(path, **options):
    return " | ".join(f"{name}: {text}" for name, text in load(path, **options).origin)


def test_what_is_left_out_is_said(tmp_path):
    text = left_out(written(tmp_path, "trackpy"))
    assert "mass, size, ecc, signal, raw_mass: a measurement of the spot" in text
    assert "ep: the error of the place" in text
    assert "(no name): counts rows" in text
    text = left_out(written(tmp_path, "trackmate"))
    assert "POSITION_Z: has one value only" in text
    assert "rows: 1 left out: spots without TRACK_ID" in text
    assert "1 row with visible = false left out" in left_out(written(tmp_path, "movebank"))
    assert "1 box with conf = 0 left out" in left_out(written(tmp_path, "motchallenge"))
    assert "z: has one value only" in left_out(written(tmp_path, "lammps"))
    assert "box: 9 by 9 by 2 (pp pp pp" in left_out(written(tmp_path, "lammps"))
    assert "at 5 frames a second" in left_out(written(tmp_path, "trackpy"), fps=5)


@pytest.mark.parametrize("kind", ["trackpy", "trackmate", "sleap", "deeplabcut", "metrica", "lammps", "xyz", "napari"])
def test_frames_in_a_second(tmp_path, kind):
    assert load(written(tmp_path, kind), fps=30).dt == pytest.approx(1 / 30)


@pytest.mark.parametrize("kind", sorted(set(FILES) - {"trajnet"}))
def test_a_lost_state_and_resampling_act_on_every_program(tmp_path, kind):
    path = written(tmp_path, kind)
    data = load(path, missing=PLACES[2, 1].tolist())
    assert np.argwhere(~data.mask).tolist() == [[0, 2, 1]]
    with pytest.raises(
        InputError, match=r"1 of 12 observations are missing, the first at task ., time \d+ \(frame 2\)"
    ):
        load(path, missing=PLACES[2, 1].tolist(), strict=True)
    dt = data.dt / 2
    assert load(path, resample=dt).shape[1] == 2 * FRAMES - 1


def test_unlikely_body_parts_are_missing_and_likelihood_is_no_state(tmp_path):
    path = written(tmp_path, "deeplabcut")
    path.write_text(path.read_text().replace("0.8", "0.5", 2))
    assert np.argwhere(~load(path).mask).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert load(path, likelihood=0.4).mask is None
    assert "below 0.6 a body part is missing, 2 of 12 places" in left_out(path)


def test_body_parts_are_entities_or_features(tmp_path):
    path = written(tmp_path, "deeplabcut animals")
    text = path.read_text().replace("nose,nose,nose,nose,nose,nose", "nose,nose,nose,nose,nose,nose")
    assert load(path).entities == ("mia", "tom")
    assert load(path, keypoints="entities").entities == ("mia nose", "tom nose")
    wide = [line.split(",") for line in text.splitlines()]
    both = "\n".join(",".join([*row, *row[1:]]) for row in wide)
    path.write_text(both.replace(",nose" * 12, ",nose" * 6 + ",tail" * 6))
    data = load(path)
    assert (data.entities, data.features) == (("mia", "tom"), ("nose_x", "nose_y", "tail_x", "tail_y"))
    assert load(path, keypoints="entities").entities == ("mia nose", "mia tail", "tom nose", "tom tail")
    assert ": 1 entity in shape" in refused(written(tmp_path, "deeplabcut"), keypoints="features")


def test_refusals_of_programs(tmp_path):
    path = written(tmp_path, "sleap")
    path.write_text(path.read_text().replace("track_0", "").replace("track_1", ""))
    assert ": no instance has a track; track the animals in SLEAP" in refused(path)
    path = written(tmp_path, "motchallenge")
    path.write_text("".join(f"{t},-1,1,2,3,4,1,-1,-1,-1\n" for t in range(3)))
    assert "boxes have no tracks (id is -1)" in refused(path)
    path.write_text("1 2 3\n4 5 6\n")
    assert "holds 3 numbers and no names; write the column names there, or number the columns: --columns" in refused(
        path
    )
    path.write_text("".join(f"{t} {e} {t + e}\n" for t in range(3) for e in (1, 2)))
    assert load(path, columns="time=1,entity=2,features=[h=3]").features == ("h",)
    objects = tmp_path / "trajectories.npy"
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    assert "as idtracker.ai writes them, which could run code; give its table" in refused(objects)
    lines = written(tmp_path, "lammps").read_text().splitlines()
    (tmp_path / "b.dump").write_text("\n".join(lines[:-1]))
    assert "a frame has 2 particles, and 1 follow" in refused(tmp_path / "b.dump")


def test_files_of_trackers_in_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = PLACES.transpose(1, 2, 0)[:, :, None, :]  # [animal, axis, node, frame]
        file["track_names"], file["node_names"] = [b"mia", b"tom"], [b"nose"]
    data = load(path, fps=25)
    assert (data.entities, data.dt) == (("mia", "tom"), 0.04)
    np.testing.assert_array_equal(data.x[0], PLACES)
    with h5py.File(path, "w") as file:
        file["trajectories"] = PLACES
        file.attrs["frames_per_second"] = 50
    data = load(path)
    assert (data.entities, data.dt, data.features) == (("1", "2"), 0.02, ("x", "y"))
    np.testing.assert_array_equal(data.x[0], PLACES)
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(3)
    assert "has the keys a, which are not known" in refused(path)


def test_parquet_without_its_package_is_refused_in_one_line(tmp_path, monkeypatch):
    import pandas as pd

    def missing(path):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", missing)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert refused(tmp_path / "a.parquet").startswith(
        ": needs the package pyarrow; install it with: pip install pyarrow"
    )
    frame = pd.DataFrame({"time": [0, 0, 1, 1], "entity": list("abab"), "x": [1.0, 2, 3, 4]})
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    assert load(tmp_path / "a.parquet").shape == (1, 2, 2, 1)


def test_a_box_of_lammps_names_its_periodic_walls(tmp_path):
    name, content = FILES["lammps"]
    (tmp_path / name).write_text(content)
    box = dict(load(tmp_path / name).origin)["box"]
    assert box.startswith("9 by 9 by 2 (pp pp pp; p means periodic); places wrap there: add --periodic '[x:9,y:9]'")
    stated = load(tmp_path / name, periodic=["x:9", "y:9"])
    assert stated.periodic == ("x:9", "y:9")
    (tmp_path / name).write_text(content.replace(" x y z", " xu yu zu"))
    assert "add --periodic" not in dict(load(tmp_path / name).origin)["box"]
