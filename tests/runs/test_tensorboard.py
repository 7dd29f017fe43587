"""`train --tensorboard`: the numbers of metrics.jsonl under the same names, once each, also after a resume."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from bouncegrad.app import training
from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run
from bouncegrad.runs.tensorboard import FILES, events

from ..refusals import assert_refused

LINE = ("train", "--data", "springs.npz", "--epochs", "150", "--threads", "1", "--edge_hidden", "[4]")


def points(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Returns all scalars that TensorBoard reads from the folder."""
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    )
    events = reading.EventAccumulator(str(run.folder)).Reload()
    return {key: [(point.step, point.value) for point in events.Scalars(key)] for key in events.Tags()["scalars"]}


def expected(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Returns the numbers of metrics.jsonl, to be compared in single precision, as TensorBoard stores them."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in run.rows():
        for key in row.keys() - {"epoch"}:
            if isinstance(row[key], int | float):
                found.setdefault(key, []).append((row["epoch"], pytest.approx(row[key], rel=1e-6)))
    return found


@pytest.fixture
def interrupted(monkeypatch):
    """Makes training stop after so many passes, as after Ctrl-C."""

    def arm(passes: int) -> None:
        @contextmanager
        def soon():
            asked = iter(range(passes))
            yield lambda: next(asked, None) is None

        monkeypatch.setattr(training, "stop_signal", soon)

    return arm


def test_points_are_those_of_the_rows(command, work):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    assert command(*LINE, "--new", "springs.npz", "--tensorboard", "--out", "new").status == 0
    run = Run("new")
    found = points(run)
    assert found == expected(run)
    assert {"loss", "edge_accuracy", "new_edge_accuracy", "mse_1", "new_mse_10", "acceptance"} <= found.keys()
    assert len(found["loss"]) == 3


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_resumed_run_goes_on_in_the_same_curves(command, work, interrupted, from_the_start):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    interrupted(70)
    assert command(*LINE, *(["--tensorboard"] if from_the_start else []), "--out", "new").status == 130
    run = Run("new")
    assert len(list(run.folder.glob(FILES))) == from_the_start
    with run.metrics.open("a") as file:
        file.write('{"epoch": 70, "seconds": 9.0, "loss": 7.0}\n')  # a row that the checkpoint does not know
    resume = ["train", "--resume", "--data", "springs.npz", "--out", "new"]
    interrupted(1000)
    assert command(*resume, *([] if from_the_start else ["--tensorboard"])).status == 0
    assert len(list(run.folder.glob(FILES))) == 1
    found = points(run)
    assert found == expected(run)
    assert [step for step, _ in found["loss"]] == [64, 128, 150]
    assert command(*resume).status == 0  # it had ended: nothing is added
    assert points(run) == found


def test_without_the_package_there_is_one_line(command, work, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    line = [*LINE, "--tensorboard", "--out", "new"]
    assert_refused(command, line, "needs the package tensorboard", "pip install 'bouncegrad[tensorboard]'")


def test_a_training_that_is_refused_writes_none(work, monkeypatch):
    made = []
    package = SimpleNamespace(SummaryWriter=lambda *_, **__: made.append(1))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", package)
    assert Run("run").rows()
    with pytest.raises(InputError), events(Run("run"), True):
        raise InputError("another process is training here; wait")
    assert made == []
