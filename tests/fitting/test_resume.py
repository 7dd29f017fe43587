"""A resumed run equals an unbroken one, bit for bit; a checkpoint is complete or does not exist."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.recorder import Recording
from bouncegrad.fitting.stages import train
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

from ..comparing import assert_same, assert_same_runs, timeless

EPOCHS, VISITS = 7, 5  # visits of a pass
SETTINGS: dict[str, dict[str, Any]] = {
    "heat bath": {},
    "paper, learned": {"search": "paper", "proposal": "learned", "steps": 2},
    "paper, both encoders": {
        "search": "paper",
        "proposal": "learned",
        "encoder": "both",
        "move": "flip",
        "steps": 2,
        "rate": "plateau",
    },
    "paper, cnn, adam": {
        **{"search": "paper", "proposal": "learned", "encoder": "cnn", "encoder_optimizer": "adam", "steps": 2},
        "mirror": True,
    },
    "paper, oracle": {"search": "paper", "proposal": "truth", "annealer": "residual", "steps": 3},
    "paper, uniform": {"search": "paper", "annealer": "fixed", "steps": 3},
    "block heat bath": {"edge_types": 8, "search": "heat-bath"},
    "joint draws": {"search": "joint-draws"},
    "no evidence": {"evidence": 0.0},
    "restarts": {"cooling": 5},
    "delayed coupling": {"cooling": 15, "entity_types": 2},
}


@pytest.fixture(scope="module", autouse=True)
def rows_every_second_epoch():
    """Batches of 4 tasks make 5 visits per epoch of 18 tasks; a row is written after 10 visits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(visits_a_row=10))
        yield


@pytest.fixture(scope="module")
def tasks():
    return simulate("springs", 18, entities=5, frames=12, seed=0)


def config(name: str) -> Config:
    return Config(epochs=EPOCHS, batch=4, threads=1, edge_hidden=(8,), node_hidden=(8,), **SETTINGS[name])


def stopped_after(visits: int):
    """Returns a `stop` that is true after this many batches."""
    asked = iter(range(visits))
    return lambda: next(asked, None) is None


@pytest.fixture(scope="module", params=SETTINGS)
def unbroken(request, tasks, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run") / "unbroken")
    train(config(request.param), tasks, run)
    assert [row["epoch"] for row in run.rows()] == [2, 4, 6, EPOCHS]
    return request.param, run


@pytest.mark.parametrize("visits", [0, 3, VISITS, 2 * VISITS, 3 * VISITS - 1, EPOCHS * VISITS - 1])
def test_a_stopped_and_resumed_run_equals_an_unbroken_one(unbroken, tasks, tmp_path, visits):
    """Users reported checkpoints without the state of the optimizer; here a run stops within a pass or between two."""
    name, whole = unbroken
    run = Run(tmp_path / "broken")
    train(config(name), tasks, run, environment=Environment(stop=stopped_after(visits)))
    state = run.state()
    assert (state["schedule"]["epoch"], state["pass"]["done"] % VISITS) == divmod(visits, VISITS)
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


def test_a_run_stopped_many_times_equals_an_unbroken_one(unbroken, tasks, tmp_path):
    name, whole = unbroken
    run = Run(tmp_path / "broken")
    train(config(name), tasks, run, environment=Environment(stop=stopped_after(7)))
    while run.state()["schedule"]["progress"] < 1:
        train(run.config(), tasks, run, resume=True, environment=Environment(stop=stopped_after(7)))
    assert_same_runs(run, whole)
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


@pytest.mark.parametrize("visits", [VISITS, VISITS + 2, 2 * VISITS, 2 * VISITS + 1])
def test_rows_written_after_the_checkpoint_are_not_repeated(unbroken, tasks, tmp_path, visits):
    """The rows after the last checkpoint are written again by the resumed run, and are there once at the end."""
    name, whole = unbroken
    run = Run(tmp_path / "broken")
    train(config(name), tasks, run, environment=Environment(stop=stopped_after(visits)))
    checkpoint = run.checkpoint.read_bytes()
    train(run.config(), tasks, run, resume=True, environment=Environment(stop=stopped_after(VISITS + 3)))
    assert [row["epoch"] for row in run.rows()] == [2]
    run.checkpoint.write_bytes(checkpoint)
    with run.metrics.open("a") as file:
        file.write('{"epoch": 4, "prog')
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


def test_the_loop_in_memory_equals_the_checkpoint(unbroken, tasks, tmp_path):
    name, whole = unbroken
    run = Run(tmp_path / "broken")
    train(config(name), tasks, run, environment=Environment(stop=stopped_after(3 * VISITS)))
    model, loop, rows = train(run.config(), tasks, run, resume=True)
    assert torch.equal(loop.z, whole.state()["z"])
    assert_same(dict(model.composition.state_dict()), dict(whole.state()["composition"]))
    assert timeless(rows) == timeless(whole.rows())


def test_the_count_of_skipped_gradient_steps_goes_on(tasks, tmp_path):
    run = Run(tmp_path / "broken")
    train(config("heat bath"), tasks, run, environment=Environment(stop=stopped_after(3)))
    state = run.state()
    torch.save(state | {"guard": state["guard"] | {"skipped": 5}}, run.checkpoint)
    train(run.config(), tasks, run, resume=True)
    assert run.rows()[-1]["skipped_steps"] == run.state()["guard"]["skipped"] == 5


class Died(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), Died()])
def test_if_saving_fails_the_checkpoint_before_stays(tasks, tmp_path, monkeypatch, error):
    """Users reported checkpoints from which training could not continue."""
    run, whole = Run(tmp_path / "broken"), Run(tmp_path / "unbroken")
    train(config("heat bath"), tasks, whole)
    train(config("heat bath"), tasks, run, environment=Environment(stop=stopped_after(3)))
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}

    def half(state, stream):
        stream.write(before["checkpoint.pt"][:500])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        # An error of the system becomes one line for the user.
        with pytest.raises(InputError if isinstance(error, OSError) else type(error)):
            train(run.config(), tasks, run, resume=True, environment=Environment(stop=stopped_after(3)))
    assert {path.name for path in run.folder.iterdir()} == {*before, "metrics.jsonl"}
    assert run.checkpoint.read_bytes() == before["checkpoint.pt"]
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)


def test_a_run_killed_in_its_first_pass_can_be_resumed(tasks, tmp_path):
    """The process dies before the first pass ends."""
    run, whole = Run(tmp_path / "broken"), Run(tmp_path / "unbroken")
    train(config("heat bath"), tasks, whole)

    def die() -> bool:
        raise Died

    with pytest.raises(Died):
        train(config("heat bath"), tasks, run, environment=Environment(stop=die))
    train(run.config(), tasks, run, resume=True)
    assert_same_runs(run, whole)
