"""A trained `RelationalInference` in a run folder: the same as that of the command, with the same bits anywhere."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bouncegrad import InputError, RelationalInference, Result, Trajectories, save
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting import variants
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run

SHORT = {"epochs": 3, "threads": 1, "edge_hidden": [16], "node_hidden": [16]}
FILES = {"config.yaml", "data.json", "metrics.jsonl", "checkpoint.pt"}
# Prints the SHA-256 of what a loaded or pickled estimator returns, in a process of its own.
BITS = """
import hashlib, pickle, sys
from pathlib import Path
from bouncegrad import RelationalInference, load
path, data = Path(sys.argv[1]), load(sys.argv[2])
model = pickle.loads(path.read_bytes()) if path.is_file() else RelationalInference.load(path)
parts = model.infer(data).probability, model.predict(data, 4), model.structures_
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), model.score(data).hex())
"""


@pytest.fixture(scope="module")
def tasks() -> Trajectories:
    return simulate("springs", 12, entities=3, frames=20, seed=0)


@pytest.fixture(scope="module", params=[{}, {"forecast": 0.4}, {"search": "joint-draws"}], ids=str)
def model(request, tasks) -> RelationalInference:
    return RelationalInference(**SHORT | request.param | {"epochs": 70}).fit(tasks)


@pytest.fixture(scope="module")
def one() -> RelationalInference:
    """Trained for a short time on one recording, so that held-out frames are asked."""
    recording = simulate("springs", 1, entities=3, frames=150, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "LEAST_MINUTES", 0.0)
        return RelationalInference(minutes=0.02, threads=1, edge_hidden=[8], node_hidden=[8]).fit(recording)


def same(one: RelationalInference, other: RelationalInference, data: Trajectories) -> bool:
    parts = [(m.infer(data).probability, m.forecast(data, 4, 15).high, m.structures_) for m in (one, other)]
    equal = all(a.tobytes() == b.tobytes() for a, b in zip(*parts, strict=True))
    return equal and one.score(data) == other.score(data) and one.history_ == other.history_


def test_a_saved_estimator_is_the_same_when_it_is_loaded(model, tasks, tmp_path):
    model.save(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    loaded = RelationalInference.load(tmp_path / "run")
    assert same(model, loaded, tasks)
    assert loaded.model_.config == model.model_.config
    assert loaded.model_.loss == model.model_.loss
    loaded.save(tmp_path / "again")
    for name in FILES - {"checkpoint.pt"}:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    assert same(RelationalInference.load(tmp_path / "again"), model, tasks)


def test_the_parameters_of_a_loaded_estimator_train_the_same_model_again(tasks, tmp_path):
    model = RelationalInference(**SHORT).fit(tasks)
    model.save(tmp_path / "run")
    again = RelationalInference(**RelationalInference.load(tmp_path / "run").get_params()).fit(tasks)
    np.testing.assert_array_equal(again.infer(tasks).probability, model.infer(tasks).probability)


def test_other_processes_get_the_same_bits(tasks, tmp_path):
    model = RelationalInference(**SHORT | {"forecast": 0.4}).fit(tasks)
    model.save(tmp_path / "run")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    save(tasks, tmp_path / "tasks.npz")
    printed = [
        subprocess.run(
            [sys.executable, "-c", BITS, str(tmp_path / name), str(tmp_path / "tasks.npz")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for name in ("run", "model.pickle")
    ]
    assert printed[0] == printed[1]
    assert float.fromhex(printed[0][1]) == model.score(tasks)


def test_commands_read_a_saved_estimator(tasks, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    model = RelationalInference(**SHORT).fit(tasks)
    model.save("run")
    save(tasks, "tasks.npz")
    assert command("infer", "run", "tasks.npz", "--out", "result").status == 0
    written, result = Result.load("result/result.npz"), model.infer(tasks)
    assert (written.edges.tobytes(), written.loss.tobytes()) == (result.edges.tobytes(), result.loss.tobytes())
    assert json.loads(command("evaluate", "run", "tasks.npz", "--json").out)["tasks"] == 12
    assert command("predict", "run", "tasks.npz", "--context", "10", "--steps", "5", "--out", "ahead").status == 0
    assert command("report", "run", "--data", "tasks.npz").status == 0
    resumed = command("train", "--resume", "--data", "tasks.npz", "--out", "run")
    assert resumed.status == 0, resumed.err
    assert same(RelationalInference.load("run"), model, tasks)


def test_runs_of_the_command_are_loaded(made, springs, tmp_path):
    model = RelationalInference.load(made / "run")
    data = simulate("springs", 4, entities=3, frames=30, seed=5)
    assert model.infer(data).probability.tobytes() == Model.load(made / "run").infer(data).probability.tobytes()
    assert model.get_params()["epochs"] == 20
    assert len(model.structures_) == Run(made / "run").about()["shape"][0]
    model.save(tmp_path / "copy")
    assert same(RelationalInference.load(tmp_path / "copy"), model, data)


def test_the_verdict_of_held_out_frames_is_kept(one, tmp_path):
    one.save(tmp_path / "run")
    loaded = RelationalInference.load(tmp_path / "run")
    assert one.variants_ is not None
    assert loaded.variants_.verdict == one.variants_.verdict
    assert loaded.variants_.to_json() == one.variants_.to_json()
    assert loaded.model_.trust == one.model_.trust
    other = pickle.loads(pickle.dumps(one))
    new = simulate("springs", 2, entities=3, frames=30, seed=1)
    results = [m.infer(new) for m in (one, loaded, other)]
    assert len({result.probability.tobytes() for result in results}) == 1
    assert all(result.verdict == one.variants_.verdict for result in results)


def test_chosen_edge_types_are_kept(tasks, tmp_path):
    model = RelationalInference(**SHORT | {"edge_types": "auto"}).fit(tasks)
    assert model.config.edge_types == "auto"
    model.save(tmp_path / "run")
    loaded = RelationalInference.load(tmp_path / "run")
    assert loaded.held_out_losses_ == model.held_out_losses_ != {}
    assert loaded.config.edge_types == model.model_.config.edge_types


def test_refusals(one, tasks, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(InputError, match=f"{name}: is not empty; choose another folder"):
            one.save(tmp_path / name)
    with pytest.raises(InputError, match="RelationalInference: is not fitted yet"):
        RelationalInference().save(tmp_path / "new")
    with pytest.raises(InputError, match="is no run folder"):
        RelationalInference.load(tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    one.save(tmp_path / "run")
    about = tmp_path / "run" / "data.json"
    values = json.loads(about.read_text())
    for name, damaged in (("held_out_frames", {"verdict": 3, "in_time": True}), ("held_out_losses", [3])):
        about.write_text(json.dumps(values | {name: damaged}))
        with pytest.raises(InputError, match="do not fit each other"):
            RelationalInference.load(tmp_path / "run")


def test_a_folder_that_training_made_empty_is_used(one, tmp_path):
    (tmp_path / "run").mkdir()
    one.save(tmp_path / "run")
    assert {path.name for path in Path(tmp_path / "run").iterdir()} == FILES
