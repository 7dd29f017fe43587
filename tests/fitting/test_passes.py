"""Long passes: the time limit cuts them, checkpoints are saved within them, and a time estimate is printed early."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from bouncegrad.core.batches import RandomFrames
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.parts import Parts
from bouncegrad.fitting.recorder import Recording
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.stages import train
from bouncegrad.fitting.time_estimate import estimate
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

from ..comparing import assert_same_runs

CONFIG = Config(batch=1, threads=1, edge_hidden=(4,), node_hidden=(4,))
SHAPE = (100_000, 49, 5, 4)


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 30, entities=3, frames=10, seed=0)


@pytest.fixture
def a_second_a_look(monkeypatch):
    """The clock advances by a second per call."""
    ticks = count()
    monkeypatch.setattr("bouncegrad.fitting.schedule.time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))


def test_the_time_limit_ends_a_run_within_a_pass(tasks, tmp_path, a_second_a_look):
    run = Run(tmp_path / "run")
    model, _, rows = train(replace(CONFIG, minutes=0.2), tasks, run)
    state = run.state()
    assert state["schedule"]["progress"] == run.progress == rows[-1]["progress"] == 1
    assert (rows[-1]["epoch"], rows[-1]["seconds"], state["pass"]["done"]) == (1, 13, 12)
    train(run.config(), tasks, run, resume=True)
    assert run.state()["pass"]["done"] == 12, "a run that has ended has nothing to go on with"
    assert model.infer(tasks).edges.shape == (30, 3, 3)


class Died(Exception):
    """Stands for the end of a process."""


def test_checkpoints_are_saved_within_a_pass(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(seconds_a_checkpoint=-1.0))
    config, run, whole = replace(CONFIG, epochs=3), Run(tmp_path / "broken"), Run(tmp_path / "whole")
    train(config, tasks, whole)
    asked = iter(range(50))

    def die_at_last() -> bool:
        if next(asked, None) is None:
            raise Died
        return False

    with pytest.raises(Died):
        train(config, tasks, run, environment=Environment(stop=die_at_last))
    state = run.state()
    assert (state["schedule"]["epoch"], state["pass"]["done"], state["pass"]["counts"]["visits"]) == (1, 19, 19)
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


def test_a_checkpoint_of_a_version_without_partial_passes_can_be_resumed(tasks, tmp_path):
    config, run, whole = replace(CONFIG, epochs=2), Run(tmp_path / "broken"), Run(tmp_path / "whole")
    train(config, tasks, whole)
    asked = iter(range(30))
    train(config, tasks, run, environment=Environment(stop=lambda: next(asked, None) is None))
    state = run.state()
    del state["pass"], state["schedule"]["within"]
    torch.save(state, run.checkpoint)
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


def test_a_partial_pass_continues_with_its_other_tasks():
    frames, generator = RandomFrames(torch.zeros(10, 5, 3, 2), 3, 2), torch.Generator().manual_seed(0)
    first = [batch.tasks for batch, _ in zip(frames(generator), range(2), strict=False)]
    assert (frames.count, frames.done) == (4, 3), "zip asks for one more than it gives"
    other = RandomFrames(frames.tracks, 3, 2)
    other.load_state_dict(frames.state_dict() | {"done": 2})
    rest = [batch.tasks for batch in other(generator)]
    assert torch.cat([*first, *rest]).sort().values.tolist() == list(range(10))
    assert (other.order, other.count, other.visited) == (None, 0, None)


def test_which_structures_fit_the_present_modules():
    frames = RandomFrames(torch.zeros(10, 5, 3, 2), 3, 2)
    seen = Parts.visited.fget
    assert seen(SimpleNamespace(frames=frames, cooled=None)) is None
    few = torch.tensor([8, 9])
    assert seen(SimpleNamespace(frames=frames, cooled=few)) is None
    frames.load_state_dict({"order": torch.arange(10), "done": 1})
    assert seen(SimpleNamespace(frames=frames, cooled=few)).tolist() == [0, 1, 2, 8, 9]
    frames.few = few
    assert seen(SimpleNamespace(frames=frames, cooled=few)).tolist() == [8, 9]


@pytest.mark.parametrize(
    ("settings", "step", "message"),
    [
        ({"minutes": 60}, 0.05, ""),
        ({"minutes": 1}, 0.05, "a pass over all 100,000 tasks takes about 78 s, for which --minutes 1 leaves no time"),
        ({"minutes": 1, "forecast": 0.9}, 0.005, "some tasks will not be visited; give "),
        ({"epochs": 1}, 0.05, ""),
        ({"epochs": 100}, 0.05, "about 2.2 h left, 78 s a pass"),
    ],
)
def test_the_time_estimate(settings, step, message):
    line = estimate(Schedule(resolve(Config(**settings), SHAPE), SHAPE[0]), step)
    assert message in line
    assert bool(line) == bool(message)


def test_the_time_estimate_is_printed_once_and_early(monkeypatch):
    """The clock advances by a second per call; the run has 60 seconds."""
    ticks, lines = count(), []
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    train(
        replace(CONFIG, minutes=1),
        simulate("springs", 1200, entities=3, frames=10, seed=0),
        environment=Environment(print_line=lines.append),
    )
    assert len(lines) == 1
    assert lines[0].startswith("a pass over all 1,200 tasks takes about ")
