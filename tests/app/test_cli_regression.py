"""`train --preset` and `evaluate` for the experiments of the 2018 paper."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bouncegrad.app import regression as commands
from bouncegrad.data.errors import InputError
from bouncegrad.regression import PRESETS, run, training
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.runs.folder import Run

from ..comparing import timeless
from ..refusals import assert_refused
from ..runs.test_tensorboard import expected, points

SHORT = ["--meta-steps", "4", "--search-steps", "2", "--tasks", "20", "--hidden", "[8-8]"]
NAMES = ("mse_training_fitted", "mse_training_held_out", "mse_new_fitted", "mse_new_held_out", "inner_steps")


def test_a_single_layer_may_be_a_number():
    widths = (("8",), (8,))
    assert [RegressionConfig(hidden=hidden).hidden for hidden in widths] == [*widths]
    with pytest.raises(InputError, match="give widths divided by -"):
        RegressionConfig(hidden=(0,))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_the_experiment_of_its_name(name):
    config = RegressionConfig.from_mapping(yaml.safe_load(PRESETS[name].read_text()), name)
    assert f"{config.data}-{config.algorithm}" == name


@pytest.mark.parametrize("name", ["sines-maml", "functions-moma"])
def test_a_run_is_trained_and_evaluated(command, here, name):
    trained = command("train", "--preset", name, "--out", "r", *SHORT)
    assert "held-out points" in trained.out
    assert trained.out.endswith("wrote r\n")
    stored = json.loads(Path("r/errors.json").read_text())
    measured = json.loads(command("evaluate", "--json", "r").out)
    assert tuple(measured) == NAMES
    assert measured == pytest.approx({key: stored[key] for key in NAMES}, rel=1e-6)
    assert stored["meta_steps"] >= 4
    assert "new tasks" in command("evaluate", "r").out


def test_options_win_over_the_preset(command, here):
    printed = yaml.safe_load(command("train", "--preset=sines-maml", "--inner-steps", "3", "--print_config").out)
    assert (printed["data"], printed["algorithm"], printed["inner_steps"]) == ("sines", "maml", 3)


def test_hdf5_files_are_data(command, here):
    pytest.importorskip("h5py", reason="the extra hdf5 is not installed")
    from bouncegrad.data.functions import functions
    from bouncegrad.data.hdf5 import write_hdf5

    write_hdf5(functions(), "sums.hdf5")
    command("train", "--preset", "functions-bouncegrad", "--data", "sums.hdf5", "--out", "r", *SHORT)
    assert tuple(json.loads(command("evaluate", "r", "--json").out)) == NAMES


def test_bad_use_is_one_line(command, here):
    assert_refused(command, ["train", "--preset", "sines-maml"], "--out is missing")
    assert_refused(
        command, ["train", "--preset", "sines-none", "--out", "r"], "'sines-none' is not known", "sines-maml"
    )
    line = ["train", "--preset", "sines-maml", "--out", "r", "--data", "sums.csv"]
    assert_refused(command, line, "setting data: 'sums.csv' cannot be used", "a file that ends in .hdf5 or .h5")
    Path("full").mkdir()
    Path("full/notes").write_text("kept")
    assert_refused(command, ["train", "--preset", "sines-maml", "--out", "full"], "full: is not empty")


def test_a_damaged_run_is_refused(command, here):
    command("train", "--preset", "sines-pooled", "--out", "r", *SHORT)
    Path("r/modules.pt").write_bytes(b"no")
    assert_refused(command, ["evaluate", "r"], "damaged or do not fit")


@pytest.mark.parametrize("name", ["sines-moma", "functions-bouncegrad"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(command, here, monkeypatch, name):
    train = ["train", "--preset", name, *SHORT, "--batch", "8"]
    forty = ["--meta-steps", "40"]

    @contextmanager
    def soon() -> Iterator[Callable[[], bool]]:
        asked = iter([False, True])
        yield lambda: next(asked)

    with monkeypatch.context() as patch:
        patch.setattr(commands, "stop_signal", soon)
        stopped = command(*train, "--out", "r", *forty)
    assert stopped.status == 130
    assert stopped.out.endswith("--resume\n")
    assert_refused(command, ["evaluate", "r"], "was stopped before its end")
    assert_refused(command, [*train, "--out", "r", *forty], "is not empty")
    assert_refused(command, [*train, "--out", "r", "--meta-steps", "50", "--resume"], "other settings")
    assert command(*train, "--out", "whole", *forty).status == 0
    assert command(*shlex.split(stopped.out)[5:]).status == 0
    measured = [json.loads(command("evaluate", folder, "--json").out) for folder in ("whole", "r")]
    assert measured[0] == measured[1]
    assert timeless(Run("whole").rows()) == timeless(Run("r").rows())
    assert not Path("r/checkpoint.pt").exists()
    assert_refused(command, [*train, "--out", "whole", "--resume"], "other settings")
    assert command(*train, "--out", "whole", *forty, "--resume").out.startswith("whole: has ended before\n")
    Path("whole/errors.json").unlink()
    assert_refused(command, [*train, "--out", "whole", *forty, "--resume"], "holds no run that was stopped")


class Died(Exception):
    """Ends a run, as if its process were killed."""


@pytest.mark.parametrize("name", ["maml", "bouncegrad"])
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, monkeypatch, name):
    """Rows that were written after the checkpoint are not there twice."""
    monkeypatch.setattr(training, "INTERVALS", training.Intervals(steps_a_row=5))
    config = RegressionConfig(algorithm=name, meta_steps=48, batch=32, search_steps=2, hidden=("8",), modules=None)

    def trained(folder: Path, going: training.Training, most: int) -> run.Errors:
        def count(progress: float) -> None:
            if going.steps.done > most:
                raise Died

        going.run(count, add_row=Run(folder).add_row, save=lambda: run.pause(going, folder))
        return going.finish().errors

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    errors = trained(whole, run.begin(whole, config), 1000)
    rows = Run(whole).rows()
    assert [row["epoch"] for row in rows] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert all((row["acceptance"] is None) == (name == "maml") for row in rows)
    with pytest.raises(Died):
        trained(broken, run.begin(broken, config), 20)  # no checkpoint but the first
    assert len(Run(broken).rows()) == 3
    assert run.again(broken, config).steps.done == 0
    assert Run(broken).rows() == []
    always = training.Intervals(steps_a_row=5, seconds_a_checkpoint=-1.0)
    monkeypatch.setattr(training, "INTERVALS", always)
    with pytest.raises(Died):
        trained(broken, run.again(broken, config), 20)
    assert run.again(broken, config).steps.done == 18
    assert trained(broken, run.again(broken, config), 1000) == errors
    assert timeless(Run(broken).rows()) == timeless(rows)


def test_tensorboard_shows_the_same_numbers(command, here, monkeypatch):
    train = ["train", "--preset", "sines-moma", *SHORT, "--tensorboard", "--out"]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch.utils.tensorboard", None)
        assert_refused(command, [*train, "r"], "pip install 'bouncegrad[tensorboard]'")
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    assert command(*train, "r").status == 0
    found = points(Run("r"))
    assert found == expected(Run("r"))
    assert {"loss", "temperature", "acceptance"} <= found.keys()


def test_widths_as_they_are_typed(command, here):
    line = ["train", "--preset", "sines-pooled", "--meta-steps", "1", "--tasks", "20", "--out"]
    assert command(*line, "one", "--hidden", "[8]").status == 0
    assert_refused(command, [*line, "two", "--hidden", "8"], "option hidden: '8' cannot be used; give a list")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (
            "--hidden [20000-20000]",
            "20000-20000 with 400,040,000 weights takes about 6.4 GB, 1.0 GB are free",
        ),
        ("--tasks 1000000000", "20,000,000,000 points takes about 960.0 GB, 1.0 GB are free; give fewer tasks"),
        ("--data functions --fitted 1000000000", "120,000,001,920 points takes about 5760.0 GB"),
    ],
)
def test_sizes_are_refused_before_they_are_tried(command, here, monkeypatch, option, says):
    monkeypatch.setattr("bouncegrad.settings.memory.free_bytes", lambda: 1e9)
    assert_refused(command, ["train", "--preset", "sines-maml", "--out", "r", *option.split()], says)


def test_the_clock_ends_a_run_within_a_pass(monkeypatch):
    ticks = count()
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    config = RegressionConfig("sines", "pooled", hidden=(4,), tasks=400, batch=1, minutes=0.5)
    begun, rows = training.Training(config), []
    assert begun.run(lambda progress: None, add_row=rows.append)
    assert 0 < begun.steps.done < 30 < begun.steps.per_pass == 300
    assert [row["epoch"] for row in rows] == [1]
