"""The forecasting stage, `predict` and `without`: their files, the frames that they read, and refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad import InputError
from bouncegrad.app.cli import main
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting import forecasting
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.last_good import LastGood
from bouncegrad.fitting.stages import train
from bouncegrad.models.forecasts import forecast, predict, without
from bouncegrad.models.model import Model
from bouncegrad.results.forecast import Forecast
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

CONFIG = Config(epochs=60, threads=1, forecast=0.5, horizon=3, pinned=True, seed=1)


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 20, entities=4, frames=14, seed=0)


@pytest.fixture(scope="module")
def run(tasks, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("forecasting") / "run")
    train(CONFIG, tasks, run)
    return run


@pytest.fixture(scope="module")
def model(run) -> Model:
    return Model.load(run.folder)


def test_a_run_on_short_tracks_is_loaded_as_it_was_trained(tasks, model):
    trained = forecast(train(CONFIG, tasks)[0], tasks, 5, 8)
    loaded = forecast(model, tasks, 5, 8)
    for name in ("x", "low", "high"):
        np.testing.assert_array_equal(getattr(trained, name), getattr(loaded, name))


def test_inference_equals_that_of_a_run_without_the_stage(tasks, model):
    alone = train(replace(CONFIG, forecast=0.0), tasks)[0]
    np.testing.assert_array_equal(alone.infer(tasks).probability, model.infer(tasks).probability)


def test_a_run_without_shortcuts_forecasts_as_if_they_were_zero_and_resumes_with_a_new_stage(tasks, run, tmp_path):
    state = run.state()
    trained = state["forecast"]["loop"]["composition"]
    shortcuts = [name for name in trained if name.endswith("shortcut")]
    assert len(shortcuts) == 2  # of edges and of entities
    for name in shortcuts:
        assert trained.pop(name).any()
    older = Run(shutil.copytree(run.folder, tmp_path / "older"))
    older.save(state)
    again = train(CONFIG, tasks, Run(shutil.copytree(older.folder, tmp_path / "again")), resume=True)[0]
    np.testing.assert_array_equal(predict(again, tasks, 5, 8), predict(Model.load(run.folder), tasks, 5, 8))
    model = Model.load(run.folder)
    for shortcut in (model.forecaster.graph.edge.shortcut, model.forecaster.graph.node.shortcut):
        torch.nn.init.zeros_(shortcut)
    np.testing.assert_array_equal(predict(Model.load(older.folder), tasks, 5, 8), predict(model, tasks, 5, 8))


def test_the_first_rate_falls_with_the_root_of_the_length_and_halves_when_weights_are_restored(tasks, run, monkeypatch):
    rates = [row["learning_rate"] for row in run.rows() if row.get("stage") == "forecast"]
    monkeypatch.setattr(forecasting, "SHORT", run.state()["forecast"]["steps"] / 4)
    begin = LastGood.__init__

    def begin_restored(self, *parts):
        begin(self, *parts)
        self.restored = 1

    monkeypatch.setattr(LastGood, "__init__", begin_restored)
    _, _, rows = train(CONFIG, tasks)
    slower = [row["learning_rate"] for row in rows if row.get("stage") == "forecast"]
    np.testing.assert_allclose(slower, np.array(rates) / 4, rtol=1e-6)


def test_a_stage_that_was_stopped_resumes_to_the_same_result(tasks, run, tmp_path):
    broken, asked = Run(tmp_path / "run"), []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 63  # 60 passes of the first stage and its end, an inference, then a pass of the second

    train(CONFIG, tasks, broken, environment=Environment(stop=stop))
    assert 0 < broken.state()["forecast"]["progress"] < 1
    train(CONFIG, tasks, broken, resume=True)
    one, other = run.state()["forecast"], broken.state()["forecast"]
    for name, value in one["loop"]["composition"].items():
        assert torch.equal(value, other["loop"]["composition"][name]), name
    assert [row["epoch"] for row in run.rows()] == [row["epoch"] for row in broken.rows()]


@pytest.mark.parametrize("after", [np.nan, 7.0])
def test_forecasts_read_only_the_context(tasks, model, after):
    other = replace(tasks, x=np.where(np.arange(14)[:, None, None] < 8, tasks.x, after))
    one, same = forecast(model, tasks, 5, 8), forecast(model, other, 5, 8)
    for name in ("x", "low", "high"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    np.testing.assert_array_equal(one.x, predict(model, tasks, 5, 8))
    assert (one.low <= one.x).all()
    assert (one.x <= one.high).all()


def test_removing_an_entity_that_sends_nothing_changes_no_forecast(tasks, model):
    probability = np.zeros((20, 4, 4, 2))
    probability[..., 1] = 1 - np.eye(4)
    probability[:, 2, :, :] = np.eye(2)[0] * (1 - np.eye(4))[2][:, None]
    result = replace(model.infer(tasks), probability=probability, edges=probability.argmax(-1))
    alone, missed = (without(model, tasks, name, 5, 8, result) for name in ("2", "0"))
    assert alone.distance.max() < 1e-6
    assert missed.distance.max() > 1e-3
    assert alone.entities == ("0", "1", "3")


def test_the_commands_write_the_files_that_they_name(tasks, run, tmp_path, capsys):
    save(tasks, tmp_path / "new.npz")
    words = [str(run.folder), str(tmp_path / "new.npz"), "--context", "8", "--steps", "5", "--json"]
    assert main(["predict", *words, "--out", str(tmp_path / "p")]) == 0
    assert json.loads(capsys.readouterr().out)["context_frames"] == 8
    forecast = Forecast.load(tmp_path / "p" / "forecast.npz")
    assert forecast.table().shape == (20 * 5 * 4, 4 + 3 * 4)
    assert (forecast.table()["frame"].min(), forecast.table()["frame"].max()) == (8, 12)
    assert main(["without", *words, "--entity", "1", "--out", str(tmp_path / "w")]) == 0
    assert len(json.loads(capsys.readouterr().out)["distance"]) == 5
    made = {path.name for folder in ("p", "w") for path in (tmp_path / folder).iterdir()}
    assert made == {f"{name}.{end}" for name in ("forecast", "without") for end in ("csv", "npz", "svg")}


def test_impossible_requests_are_refused(tasks, model, tmp_path):
    with pytest.raises(InputError, match="has no entity '9'; it has 0, 1, 2, 3"):
        without(model, tasks, "9", 5)
    with pytest.raises(InputError, match="a forecast of 0 steps; give 1 to 100,000"):
        forecast(model, tasks, 0)
    with pytest.raises(InputError, match=r"setting forecast: 1\.0 cannot be used"):
        Config(forecast=1.0)
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"bad.npz: not a forecast"):
        Forecast.load(tmp_path / "bad.npz")


def test_other_units_and_another_origin_change_nothing(tasks):
    """With positions × 100 + 1000 and velocities × 100, edges are the same, and forecasts change in the same way."""

    def moved(x: np.ndarray) -> np.ndarray:
        return 100 * x + 1000 * np.array([1.0, 1.0, 0.0, 0.0])

    far = replace(tasks, x=moved(tasks.x))
    near, there = train(CONFIG, tasks)[0], train(CONFIG, far)[0]
    np.testing.assert_array_equal(near.infer(tasks, 8).edges, there.infer(far, 8).edges)
    first, second = forecast(near, tasks, 6, 8), forecast(there, far, 6, 8)
    for name in ("x", "low", "high"):
        wanted = moved(getattr(first, name))
        np.testing.assert_allclose(
            getattr(second, name), wanted, rtol=0, atol=1e-3 * 100 * tasks.x.std((0, 1, 2)).min()
        )
