"""The layouts of other projects' data: dNRI, NetSim and Lorenz-96, and tracks of pedestrians."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, parts, recognise, save
from bouncegrad.data.formats.dnri import frame_edges

from .test_formats import SHARED, assert_equal, few, recordings, refused

FEATS = np.arange(2 * 4 * 3 * 4.0).reshape(2, 4, 3, 4)
beside = pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")


def dnri(folder: Path, part: str = "train", **arrays: object) -> Path:
    folder.mkdir(exist_ok=True)
    for kind, array in ({"feats": torch.from_numpy(FEATS)} | arrays).items():
        torch.save(array, folder / f"{part}_{kind}")
    return folder


def series(path: Path, **arrays: object) -> Path:
    """Three entities, four frames; entity 0 acts on entity 2: row 2, column 0."""
    truth = np.eye(3, dtype=int)
    truth[2, 0] = 1
    np.savez(path, **({"X_np": np.arange(12.0).reshape(3, 4), "Gref": truth, "n": 3, "T": 4} | arrays))  # type: ignore[arg-type]
    return path


def scene(folder: Path, frames: list[int], people: list[int], groups: str | None = "2 1\n", **gone: list[int]) -> Path:
    """A folder of one scene: at frame f person p stands at (p, f) and walks with (0.1, 0.2)."""
    folder.mkdir()
    rows = [f"{f:e} {p:e} {p} 0 {f} 0.1 0 0.2" for p in people for f in frames if f not in gone.get(f"person{p}", [])]
    (folder / "obsmat.txt").write_text("\n".join(rows) + "\n")
    if groups is not None:
        (folder / "groups.txt").write_text(groups)
    return folder


class TestDnri:
    def test_pairs_go_by_sender_then_receiver_at_every_frame(self, tmp_path):
        edges = torch.zeros(2, 4, 6)
        edges[0, 1:3, 3] = 1  # (0,1) (0,2) (1,0) (1,2) (2,0) (2,1): entity 1 acts on entity 2 in frames 1 and 2
        data = load(dnri(tmp_path, edges=edges))
        assert data.edges is not None
        assert np.argwhere(data.edges).tolist() == [[0, 1, 2]]
        assert np.array_equal(data.x, FEATS)
        assert data.features == ("x", "y", "vx", "vy")
        assert data.dt == 1.0
        assert np.argwhere(frame_edges(tmp_path)).tolist() == [[0, 1, 1, 2], [0, 2, 1, 2]]

    def test_a_pair_has_the_type_with_which_it_acts_in_most_frames(self, tmp_path):
        edges = torch.zeros(2, 4, 6, dtype=torch.int64)
        edges[1, :, 0] = torch.tensor([0, 2, 1, 2])
        data = load(dnri(tmp_path, edges=edges))
        assert data.edges is not None
        assert np.argwhere(data.edges).tolist() == [[1, 0, 1]]
        assert data.edges[1, 0, 1] == 2

    def test_parts_are_named_like_those_of_other_folders(self, tmp_path):
        for part in ("train", "val", "test"):
            dnri(tmp_path, part)
        assert parts(tmp_path) == ("train", "valid", "test")
        assert refused(tmp_path) == ": has the parts train, valid, test; choose one"
        assert load(tmp_path / "val_feats").edges is None
        with pytest.raises(InputError, match="val_edges: no such file; it holds the edges of this part, add it"):
            frame_edges(tmp_path, "valid")

    @few
    @given(
        shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4)),
        part=st.sampled_from(["train", "valid", "test"]),
        truth=st.booleans(),
    )
    def test_round_trip(self, tmp_path_factory, shape, part, truth):
        data = recordings(*shape, dt=1.0) if truth else recordings(*shape, dt=1.0).without_edges()
        folder = tmp_path_factory.mktemp("dnri") / "folder"
        save(data, folder, part, format="dnri")
        assert parts(folder) == (part,)
        assert_equal(load(folder), data)

    def test_python_objects_are_not_loaded(self, tmp_path):
        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "harm"),)

        line = refused(dnri(tmp_path, feats=Harm()) / "train_feats")
        assert line == (
            ": cannot be read as a tensor (cut short, no torch file, or Python objects); "
            "save one tensor with torch.save"
        )
        assert not (tmp_path / "harm").exists()

    @pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M"])
    def test_damaged_files(self, tmp_path, content):
        path = dnri(tmp_path) / "train_feats"
        path.write_bytes(content)
        assert refused(path).startswith(": cannot be read as a tensor")

    def test_files_that_do_not_fit(self, tmp_path):
        dnri(tmp_path, edges=torch.zeros(2, 6))
        with pytest.raises(
            InputError, match=r"train_edges: shape \(2, 6\), but 2 tasks of 4 frames and 3 entities need"
        ):
            load(tmp_path)
        dnri(tmp_path, edges=torch.full((2, 4, 6), 0.5))
        with pytest.raises(InputError, match=r"train_edges: the value 0\.5 among the edges of task 0"):
            load(tmp_path)
        assert refused(dnri(tmp_path, feats=[1]) / "train_feats").startswith(": holds list, not one dense tensor;")
        (tmp_path / "train_feats").unlink()
        with pytest.raises(InputError, match="train_feats: no such file; it belongs to the same part as the edges"):
            load(tmp_path / "train_edges")

    def test_what_it_cannot_hold_is_not_written(self, tmp_path):
        with pytest.raises(InputError, match="holds the features x, y, vx, vy, found x0, x1; save as"):
            save(recordings(d=2), tmp_path / "a", "test", format="dnri")
        with pytest.raises(InputError, match="of 24 cells are unobserved"):
            save(recordings(mask=FEATS[..., 0] > 9), tmp_path / "a", "test", format="dnri")
        assert not (tmp_path / "a").exists()

    @beside
    @pytest.mark.parametrize(("part", "acting"), [("train", 0), ("valid", 1), ("test", 2)])
    def test_published_files(self, part, acting):
        folder = SHARED / "data/dnri_synth"
        data, moving = load(folder, part=part), frame_edges(folder, part)
        assert data.summary() == "100 tasks, 50 frames, 3 entities, 4 features (x, y, vx, vy), truth for 6 edges"
        with np.load(folder / "dnri_synth.npz") as arrays:
            name = {"valid": "val"}.get(part, part)
            assert np.array_equal(data.x, arrays[f"{name}_feats"])
            assert np.array_equal(moving[:, :, 0, 2], arrays[f"{name}_edges"][..., 1])
            assert np.array_equal(moving[:, :, 1, 2], arrays[f"{name}_edges"][..., 3])
        # Entities 0 and 1 push entity 2 while closer than 1 at the frame before, and nobody pushes them.
        gap = np.linalg.norm(data.x[:, :, :2, :2] - data.x[:, :, 2:, :2], axis=-1)
        assert np.array_equal(moving[:, 1:, :2, 2], gap[:, :-1] < 1)
        assert not moving[..., :2].any()
        assert data.edges is not None
        assert np.array_equal(data.edges, moving.any(1))
        # Positions move by the velocity of their frame: the time step is 1.
        assert np.abs(np.diff(data.x[..., :2], axis=1) - data.x[:, 1:, :, 2:]).max() < 1e-5


class TestNetsim:
    def test_rows_are_entities_and_receivers(self, tmp_path):
        data = load(series(tmp_path / "a.npz"))
        assert recognise(tmp_path / "a.npz").name == "netsim"
        assert data.shape == (1, 4, 3, 1)
        assert data.x[0, :, 1, 0].tolist() == [4, 5, 6, 7]
        assert data.edges is not None
        assert np.argwhere(data.edges).tolist() == [[0, 0, 2]]
        assert data.dt == 1.0

    def test_the_time_step_is_read_where_it_is_stated(self, tmp_path):
        data = load(series(tmp_path / "a.npz", F=10, delta_t=0.05, sd=0.1, burn_in=1000, seed=3))
        assert data.dt == 0.05

    def test_a_folder_is_one_data_set_sorted_by_number(self, tmp_path):
        for number in (10, 9, 0):
            series(tmp_path / f"sub_{number}.npz", X_np=np.full((3, 4), float(number)))
        data = load(tmp_path)
        assert parts(tmp_path) == ()
        assert data.tasks == ("sub_0", "sub_9", "sub_10")
        assert data.x[:, 0, 0, 0].tolist() == [0, 9, 10]
        assert data.edges is not None
        assert np.argwhere(data.edges).tolist() == [[m, 0, 2] for m in range(3)]

    def test_files_of_other_names_are_parts(self, tmp_path):
        series(tmp_path / "F_10_T_4_dataset_1.npz")
        series(tmp_path / "F_10_T_5_dataset_1.npz", X_np=np.zeros((3, 5)), T=5)
        save(recordings(), tmp_path / "other.npz")
        assert parts(tmp_path) == ("F_10_T_4_dataset", "F_10_T_5_dataset")
        assert refused(tmp_path) == ": has the parts F_10_T_4_dataset, F_10_T_5_dataset; choose one"
        assert "has no part 'test'; choose one of F_10" in refused(tmp_path, part="test")
        assert load(tmp_path, part="F_10_T_5_dataset").shape == (1, 5, 3, 1)

    def test_files_of_a_folder_that_do_not_fit(self, tmp_path):
        series(tmp_path / "a_1.npz")
        series(tmp_path / "a_2.npz", delta_t=0.1)
        with pytest.raises(
            InputError, match=r"a_2\.npz: .*, dt 0\.1, but .*a_1\.npz: .*, dt 1; keep files of one kind"
        ):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"n": 4}, ": n is 4, but X_np has shape (3, 4) (entity, frame); transpose it or correct n"),
            ({"T": [4, 4]}, ": T is [4, 4], but X_np has shape (3, 4)"),
            ({"X_np": np.zeros(3)}, ": X_np has shape (3,); give (entity, frame)"),
            ({"Gref": np.zeros((4, 4))}, ": Gref has shape (4, 4), but 3 entities need (3, 3) (receiver, sender)"),
            ({"Gref": np.full((3, 3), 0.5)}, ": the value 0.5 among the edges of task 0"),
            ({"delta_t": "fast"}, ": delta_t must be one number, found <U4 of shape (); save a number"),
            ({"names": 1}, ": unknown key names; known are X_np, Gref, n, T, F, delta_t"),
        ],
    )
    def test_unusable_archives(self, tmp_path, arrays, message):
        assert refused(series(tmp_path / "a.npz", **arrays)).startswith(message)

    @few
    @given(shape=st.tuples(st.integers(2, 4), st.integers(2, 4)), dt=st.floats(1e-6, 1e6), truth=st.booleans())
    def test_round_trip(self, tmp_path_factory, shape, dt, truth):
        data = recordings(1, *shape, 1, dt=dt)
        path = tmp_path_factory.mktemp("netsim") / "a.npz"
        save(data if truth else data.without_edges(), path, format="netsim")
        assert_equal(load(path), data if truth else data.without_edges())

    def test_what_it_cannot_hold_is_not_written(self, tmp_path):
        path = tmp_path / "a.npz"
        with pytest.raises(InputError, match="holds one task with one feature, found 2 tasks; write a file for each"):
            save(recordings(d=1), path, format="netsim")
        with pytest.raises(InputError, match="found 4 features; save as"):
            save(recordings(m=1), path, format="netsim")
        with pytest.raises(InputError, match="of 12 cells are unobserved"):
            save(recordings(m=1, d=1, mask=np.arange(12).reshape(1, 4, 3) > 3), path, format="netsim")
        assert not path.exists()

    @beside
    def test_published_regions(self):
        data = load(SHARED / "data/netsim_acd")
        assert data.summary() == "50 tasks, 200 frames, 15 entities, 1 feature (x0), truth for 210 edges"
        assert data.tasks[:3] == ("sim3_subject_0", "sim3_subject_1", "sim3_subject_2")
        assert data.edges is not None
        assert data.edges.sum((1, 2)).tolist() == [18] * 50
        with np.load(SHARED / "data/netsim_acd/sim3_subject_2.npz") as arrays:
            assert np.array_equal(data.x[2, :, 4, 0], arrays["X_np"][4])
            receiver, sender = np.argwhere(arrays["Gref"] - np.eye(15))[0]
        assert data.edges[2, sender, receiver] == 1

    @beside
    @pytest.mark.parametrize(("frames", "tasks"), [(250, 6), (500, 5), (1000, 5)])
    def test_published_lorenz(self, frames, tasks):
        data = load(SHARED / "data/lorenz96", part=f"F_10_T_{frames}_dataset")
        assert data.shape == (tasks, frames, 10, 1)
        assert data.dt == 0.05
        assert data.edges is not None
        # Entity i is driven by i + 1, i - 1 and i - 2.
        for target in range(10):
            assert sorted(np.flatnonzero(data.edges[0, :, target])) == sorted((target + k) % 10 for k in (1, -1, -2))
        # The law along these edges moves the states; the law along the reversed ones does not.
        x = data.x[..., 0]
        moved = (x[:, 2:] - x[:, :-2]) / (2 * data.dt)
        for turn, low, high in ((1, 0.98, 1.0), (-1, -1.0, 0.5)):
            after, before, second = (np.roll(x[:, 1:-1], turn * k, axis=2) for k in (-1, 1, 2))
            law = (after - second) * before - x[:, 1:-1] + 10
            assert low < np.corrcoef(law.ravel(), moved.ravel())[0, 1] < high


FRAMES = list(range(5, 5 + 10 * 25, 10))


class TestPedestrians:
    def test_a_case_has_those_who_are_there_throughout(self, tmp_path):
        folder = scene(tmp_path / "hall", FRAMES, [7, 1, 2, 3], "2 7\n\n3 9 4\n", person3=[105])
        data = load(folder)
        assert parts(folder) == ("hall_5",)
        assert (data.tasks, data.entities) == (("hall_5",), ("1", "2", "7"))
        assert (data.features, data.units) == (("x", "y", "vx", "vy"), ("m", "m", "m/s", "m/s"))
        assert data.dt == 0.4
        assert data.x[0, :, 2].tolist() == [[7, f, 0.1, 0.2] for f in FRAMES[:20]]
        assert data.edges is not None
        assert data.edges[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]

    def test_cases_follow_each_other_and_start_as_early_as_they_can(self, tmp_path):
        frames = list(range(0, 450, 10))
        folder = scene(tmp_path / "hall", frames, [1, 2, 3], person3=[0, 10])
        assert parts(folder) == ("hall_20", "hall_220")
        assert load(folder).tasks == load(folder, part="hall").tasks == ("hall_20", "hall_220")
        assert refused(folder, part="hall_30") == ": has no part 'hall_30'; choose one of hall"
        assert load(folder / "obsmat.txt", part="hall_220").x[0, 0, 0, 1] == 220

    def test_no_case_crosses_a_gap_in_time(self, tmp_path):
        frames = [f for f in range(0, 450, 10) if f != 100]
        assert parts(scene(tmp_path / "hall", frames, [1, 2, 3])) == ("hall_110",)

    def test_a_folder_of_scenes(self, tmp_path):
        scene(tmp_path / "a", FRAMES, [1, 2, 3], groups=None)
        scene(tmp_path / "b", FRAMES, [4, 5, 6, 7])
        assert parts(tmp_path) == ("a_5", "b_5")
        assert load(tmp_path, part="a_5").edges is None
        assert load(tmp_path, part="b_5").summary() == (
            "1 task, 20 frames, 4 entities, 4 features (x, y, vx, vy), truth for 12 edges"
        )

    @pytest.mark.parametrize(
        ("groups", "together"),
        [
            ("2\n1 2\n3\n", [(0, 1)]),
            ("1 2\n1 3\n", [(0, 1), (0, 2)]),
            (" \n", []),
            ("3 2 1\n", [(0, 1), (0, 2), (1, 2)]),
        ],
        ids=["a count first", "one person in two groups", "nobody", "three"],
    )
    def test_groups(self, tmp_path, groups, together):
        data = load(scene(tmp_path / "hall", FRAMES, [1, 2, 3], groups))
        assert data.edges is not None
        assert np.argwhere(np.triu(data.edges[0])).tolist() == [list(pair) for pair in together]
        assert np.array_equal(data.edges, data.edges.transpose(0, 2, 1))

    @pytest.mark.parametrize(
        "line", ["1 2 3", "1 2 3 4 5 6 7 8 9", "1 2.5 3 4 5 6 7 8", "1 2 3 4 5 6 7 nan", "frame person x z y vx vz vy"]
    )
    def test_lines_that_are_no_row(self, tmp_path, line):
        path = scene(tmp_path / "hall", FRAMES, [1, 2, 3]) / "obsmat.txt"
        path.write_text(f"1 1 0 0 0 0 0 0\n\n{line}\n")
        assert refused(path) == (
            f", line 3: {line!r} is not 8 numbers (frame, person, x, z, y, vx, vz, vy); correct the line"
        )

    def test_other_unusable_files(self, tmp_path):
        folder = scene(tmp_path / "hall", FRAMES, [1, 2, 3], "1 b\n")
        with pytest.raises(InputError, match=r"groups\.txt: 'b' is no number of a person; write one group"):
            load(folder)
        (folder / "obsmat.txt").write_text("1 1 0 0 0 0 0 0\n" * 2)
        assert refused(folder / "obsmat.txt") == ": frame 1 has person 1 twice; remove one of the rows"
        (folder / "obsmat.txt").write_text("")
        assert refused(folder).startswith(
            ": no 20 frames in a row in which the same 3 people are present; give a longer"
        )
        (folder / "obsmat.txt").write_bytes(b"\xff\xfe")
        assert refused(folder / "obsmat.txt") == ": is no text in UTF-8; give the file as it was published"

    @beside
    def test_published_scenes_hold_the_published_windows(self):
        folder = SHARED / "data/pedestrian_groups"
        found = parts(folder)
        with np.load(folder / "windows20.npz") as windows:
            cases = [f"{scene}_{frame}" for scene, frame in zip(windows["scene"], windows["start_frame"], strict=True)]
            assert set(cases) <= set(found)
            # In seq_eth the count of frames slips later on; the windows of the archive end there.
            assert {name[:7] for name in set(found) - set(cases)} == {"seq_eth"}
            for i in range(0, len(cases), 6):
                data, n = load(folder, part=cases[i]), windows["n"][i]
                assert data.entities == tuple(map(str, windows["ids"][i, :n]))
                assert np.allclose(data.x[0], windows["state"][i, :, :n], atol=1e-5)
                assert data.edges is not None
                assert np.array_equal(data.edges[0], windows["group"][i, :n, :n])
        sizes = [load(folder, part=name).shape[2] for name in found]
        assert (min(sizes), max(sizes)) == (3, 42)

    @beside
    def test_a_scene_is_a_data_set_of_its_cases(self):
        folder = SHARED / "data/pedestrian_groups"
        scene = load(folder, part="zara01")
        assert scene.x.shape == load(folder / "zara01").x.shape == (28, 20, 9, 4)
        for i, name in enumerate(scene.tasks):
            case = load(folder, part=name)
            n = case.shape[2]
            np.testing.assert_array_equal(scene.x[i, :, :n], case.x[0])
            np.testing.assert_array_equal(scene.edges[i, :n, :n], case.edges[0])
            assert not scene.mask[i, :, n:].any()
            assert (scene.edges[i, n:] == np.eye(9, dtype=int)[n:] - 1).all()
        with pytest.raises(InputError, match="has the parts seq_eth, seq_hotel"):
            load(folder)
