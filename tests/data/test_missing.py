"""NaN means a missing value in every form of data, and gives exactly the results of a mask."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save, to_frame
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference

SHORT = {"epochs": 4, "threads": 1, "edge_hidden": (16,), "node_hidden": (16,)}


@pytest.fixture(scope="module")
def masked() -> Trajectories:
    """Recordings with a mask, which hides made-up values."""
    data = simulate("springs", 8, entities=3, frames=20, seed=0).without_edges()
    mask = np.ones(data.x.shape[:3], dtype=bool)
    mask[0, 7, 1] = mask[1, 9:11, 2] = mask[2, 15:, 0] = False
    return replace(data, x=np.where(mask[..., None], data.x, 1e9), mask=mask, source="array", units=())


@pytest.fixture(scope="module")
def array(masked) -> np.ndarray:
    """Returns the same as one array; in each hidden cell one feature is NaN, the others keep their values."""
    whole = simulate("springs", 8, entities=3, frames=20, seed=0).x
    hidden = ~masked.mask[..., None] & (np.arange(4) == np.arange(20)[:, None, None] % 4)
    assert (hidden.any(-1) == ~masked.mask).all()
    return np.where(hidden, np.nan, whole)


def files_of(array: np.ndarray, folder: Path) -> dict[str, Trajectories]:
    """Returns the recordings in every form that can hold a gap; NaN alone marks the gaps."""
    dt, named = 0.1, {"features": ["x", "y", "vx", "vy"]}
    data = Trajectories(array, dt=dt)
    np.save(folder / "bare.npy", array)
    np.savez(folder / "own.npz", x=array, dt=dt, **named)
    save(data, folder / "wide.csv", format="wide")
    frame = to_frame(Trajectories(np.nan_to_num(array, nan=77.25), dt=dt))
    frame.loc[np.isnan(array).ravel().reshape(-1, 4).any(1), ["x", "y", "vx", "vy"]] = np.nan
    for name, missing in (("blank", ""), ("nan", "nan"), ("na", "NA"), ("capital", "NaN")):
        frame.to_csv(folder / f"{name}.csv", index=False, na_rep=missing)
    for folder_name, axes in (("loc", slice(2)), ("vel", slice(2, 4))):
        np.save(folder / f"{folder_name}_train_k.npy", array[..., axes].swapaxes(2, 3))
    np.save(folder / "state_a_train.npy", array)
    (folder / "dnri").mkdir()
    torch.save(torch.tensor(array), folder / "dnri/train_feats")
    torch.save(torch.zeros(8, 20, 6, dtype=torch.int64), folder / "dnri/train_edges")
    return {
        "array": data,
        "masked array": Trajectories(np.ma.masked_invalid(array), dt=dt),
        "npy": load(folder / "bare.npy", time_step=dt),
        "npz": load(folder / "own.npz"),
        **{f"csv, {name}": load(folder / f"{name}.csv") for name in ("blank", "nan", "na", "capital")},
        "wide csv": load(folder / "wide.csv"),
        "frame": load(frame),
        "frame of objects": load(frame.astype({"x": object}).replace({"x": {np.nan: "NaN"}})),
        "frame of nullable numbers": load(frame.astype({"x": "Float64", "vy": "Float64"})),
        "kipf": load(folder / "loc_train_k.npy"),
        "alet": load(folder / "state_a_train.npy"),
        "dnri": load(folder / "dnri", part="train", time_step=dt),
    }


def test_every_form_gives_the_same_recordings(masked, array, tmp_path):
    for name, data in files_of(array, tmp_path).items():
        np.testing.assert_array_equal(data.mask, masked.mask, err_msg=name)
        np.testing.assert_array_equal(data.x[data.mask], masked.x[masked.mask], err_msg=name)
        assert data.features == masked.features, name
        assert data.dt == masked.dt, name
        assert data.summary().endswith("1.7% not observed"), name


def test_one_feature_alone_comes_from_netsim_files_too(array, tmp_path):
    for task in range(8):
        np.savez(tmp_path / f"sim_{task}.npz", X_np=array[task, ..., 0].T, Gref=np.zeros((3, 3)))
    data = load(tmp_path)
    np.testing.assert_array_equal(data.mask, ~np.isnan(array[..., 0]))


def test_fit_infer_and_predict_take_an_array_as_they_take_a_mask(masked, array):
    one, two = RelationalInference(**SHORT).fit(masked), RelationalInference(**SHORT).fit(replace(masked, x=array))
    bare = RelationalInference(**SHORT).fit(array)
    for model, data in ((two, replace(masked, x=array)), (bare, array), (two, list(array))):
        np.testing.assert_array_equal(model.infer(data).probability, one.infer(masked).probability)
        np.testing.assert_array_equal(model.infer(data, 12).probability, one.infer(masked, 12).probability)
        np.testing.assert_array_equal(model.predict(data, 3, 14), one.predict(masked, 3, 14))


def test_the_command_line_takes_files_with_nan(command, tmp_path, monkeypatch, masked, array):
    monkeypatch.chdir(tmp_path)
    np.savez("nan.npz", x=array, dt=0.1)
    save(masked, "mask.npz")
    save(masked, "blank.csv")
    options = ["--epochs", 4, "--threads", 1, "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    for name in ("nan.npz", "mask.npz", "blank.csv"):
        assert (
            "0.8% not observed; 2 tasks held out"
            in command("train", "--data", name, "--out", f"{name}.run", *options).out
        )
        inferred = command("infer", f"{name}.run", name, "--out", f"{name}.result")
        assert inferred.out.startswith(f"{name}: 1.7% not observed\n")
    results = {Path(f"{name}.result/edges.csv").read_text() for name in ("nan.npz", "mask.npz", "blank.csv")}
    assert len(results) == 1
    json.loads(command("infer", "nan.npz.run", "nan.npz", "--out", "json", "--json").out)


def test_a_mask_may_hide_more_and_what_is_cut_off_leaves_no_mask(masked, array):
    both = Trajectories(array, mask=np.arange(20)[:, None].repeat(3, 1) < np.full((8, 1, 1), 18))
    np.testing.assert_array_equal(both.mask, masked.mask & (np.arange(20) < 18)[:, None])
    assert Trajectories(array).frames(0, 7).mask is None
    assert Trajectories(array[3:], mask=np.ones((5, 20, 3), bool)).mask is None


def test_infinities_are_refused_wherever_they_would_be_read(masked):
    x = masked.x.copy()
    x[4, 5, 1, 0] = -np.inf
    with pytest.raises(InputError, match="-inf at task 4, frame 5, entity 1, feature x"):
        RelationalInference(**SHORT).fit(replace(masked, x=x))
    frame = to_frame(masked)
    frame.loc[5, "x"] = np.inf
    with pytest.raises(InputError, match="DataFrame, line 5: x holds 'inf', which is no finite number"):
        load(frame)
