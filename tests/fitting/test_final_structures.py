"""The inference of final structures: a run that is stopped in it, or has no time for all of it, ends correctly."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bouncegrad.core.inference import InferenceEffort, Interrupted, infer
from bouncegrad.core.priors import known_edges
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.final_structures import FinalStructures
from bouncegrad.fitting.recorder import Recording
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.stages import train
from bouncegrad.models.forecasts import predict
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

from ..comparing import assert_same_runs

PARTS = 5
CONFIG = Config(epochs=20, threads=1, forecast=0.4, horizon=2, edge_hidden=(8,), node_hidden=(8,), seed=1)


@pytest.fixture(autouse=True)
def four_tasks_at_once(monkeypatch):
    """18 tasks are inferred in five parts, and a checkpoint is written after each part."""
    monkeypatch.setattr("bouncegrad.core.inference.EFFORT", InferenceEffort(tasks_at_once=4))
    monkeypatch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(seconds_a_checkpoint=-1.0))


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 18, entities=3, frames=10, seed=0)


def first_stage(tasks) -> int:
    """Returns how often a run calls `stop` before the inference."""
    asked = []
    train(replace(CONFIG, forecast=0.0), tasks, environment=Environment(stop=lambda: bool(asked.append(1))))
    return len(asked)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_run_stopped_within_inference_resumes_to_the_same_result(tasks, tmp_path, parts):
    run, whole = Run(tmp_path / "broken"), Run(tmp_path / "whole")
    train(CONFIG, tasks, whole)
    asked = iter(range(first_stage(tasks) + parts))
    train(CONFIG, tasks, run, environment=Environment(stop=lambda: next(asked, None) is None))
    state = run.state()
    assert (state["schedule"]["progress"], state["inferred"]["done"], state["forecast"]) == (1, parts, None)
    assert run.progress == 1 - CONFIG.forecast
    assert predict(Model.load(run.folder), tasks, 1).shape == (18, 1, 3, 4), "half learned, but a model"
    train(CONFIG, tasks, run, resume=True)
    assert run.state()["inferred"]["done"] == PARTS
    assert_same_runs(run, whole)


def parts_of(loop, schedule):
    """Returns the parts of a run that the search for final structures reads."""
    return SimpleNamespace(loop=loop, schedule=schedule, composition=loop.composition)


def test_inference_in_parts_equals_inference_of_all_tasks(tasks):
    model, loop, _ = train(replace(CONFIG, forecast=0.0), tasks)
    tracks = torch.as_tensor((tasks.x - np.array(model.scaling.shift)) / np.array(model.scaling.scale)).float()
    found = FinalStructures(parts_of(loop, Schedule(resolve(CONFIG, (18, 10, 3, 4)))), tracks, lambda: False)
    assert found.find(lambda: None)
    search = loop.search
    assert torch.equal(found.z, infer(loop.composition, tracks, 1, search.coupling, search.prior).z)


def test_groups_keep_their_known_edges(tasks):
    """Each of two groups has its own known edges."""
    model, loop, _ = train(replace(CONFIG, forecast=0.0), tasks)
    tracks = torch.as_tensor((tasks.x - np.array(model.scaling.shift)) / np.array(model.scaling.scale)).float()
    group = torch.tensor([0] * 9 + [1] * 9)
    stated = group[:, None].expand(18, 6)
    loop.search = SharedGraph(0.0, prior=known_edges(stated, 2), group=group)
    found = FinalStructures(parts_of(loop, Schedule(resolve(CONFIG, (18, 10, 3, 4)))), tracks, lambda: False)
    assert found.find(lambda: None)
    assert torch.equal(found.z, stated)


def test_late_inference_ends_after_its_first_part(tasks, monkeypatch):
    """The clock advances by a second per call, so half of the 12 seconds of the stage are over after the first part."""
    loop = train(replace(CONFIG, forecast=0.0), tasks)[1]
    ticks = iter(range(1000))
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr("bouncegrad.fitting.final_structures.time", clock)
    schedule = Schedule(resolve(replace(CONFIG, epochs=None, minutes=0.2), (18, 10, 3, 4)))
    tracks = torch.arange(18.0)[:, None, None, None].expand(18, 10, 3, 4)
    found = FinalStructures(parts_of(loop, schedule), tracks, lambda: False)
    assert found.find(lambda: None)
    assert 1 <= found.done < PARTS
    tracks, z = found.reached
    assert len(tracks) == len(z)
    places = tracks[:, 0, 0, 0].long()
    assert torch.equal(z, found.z[places])
    assert len(places) < 18
    assert (places.diff() > 0).all()


def test_a_run_by_minutes_ends_if_its_inference_is_late(tasks, monkeypatch):
    monkeypatch.setattr("bouncegrad.fitting.final_structures.TIME_SHARE", 0.0)
    model, _, rows = train(replace(CONFIG, epochs=None, minutes=0.01), tasks)
    assert rows[-1]["progress"] == 1
    assert predict(model, tasks, 1).shape == (18, 1, 3, 4)


def test_inference_that_is_stopped_has_no_result(tasks):
    loop = train(replace(CONFIG, forecast=0.0, epochs=1), tasks)[1]
    with pytest.raises(Interrupted):
        infer(loop.composition, torch.zeros(3, 10, 3, 4), stop=lambda: True)
