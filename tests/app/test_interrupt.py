"""Ctrl-C stops a run with a checkpoint; the printed command resumes it to the same end."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.app.signals import stop_signal
from bouncegrad.runs.folder import Run

from ..comparing import assert_same_runs
from ..measuring import HANG

# The command, in a process that sends itself Ctrl-C at the first row of metrics.
INTERRUPTED = """
import os, signal, sys
from bouncegrad.app import training
from bouncegrad.app.cli import main

numbers, sent = training.training_numbers, []

def interrupt(row):
    if not sent:
        sent.append(os.kill(os.getpid(), signal.SIGINT))
    return numbers(row)

training.training_numbers = interrupt
sys.exit(main(sys.argv[1:]))
"""


def test_signals_ask_once_and_insist_twice():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with stop_signal() as asked:
            assert not asked()
            signal.raise_signal(number)
            assert asked()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ctrl_c_and_the_line_that_says_how_to_go_on(command, made, tmp_path, monkeypatch):
    """A real process and a real signal; the name of the folder needs quotes in a shell."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "springs.npz", tmp_path)
    line = ["train", "--data", "springs.npz", "--epochs", "150", "--threads", "1", "--out"]
    program = [sys.executable, "-c", INTERRUPTED, *line, "my run"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=HANG)
    run = Run("my run")
    assert (done.returncode, done.stderr) == (130, "")
    stopped = run.state()["schedule"]["epoch"]
    assert 64 <= stopped < 150
    printed = done.stdout.splitlines()[-1]
    early = command("infer", "my run", "springs.npz", "--out", "early")
    assert (early.status, early.err.count("\n")) == (0, 1)
    assert "note: training of my run was stopped at " in early.err
    assert printed.startswith("stopped; go on with: bouncegrad train --resume --data springs.npz --out ")
    assert command(*shlex.split(printed.partition("bouncegrad ")[2])).status == 0
    assert command(*line, "unbroken").status == 0
    assert_same_runs(run, Run("unbroken"))
    assert command("infer", "my run", "springs.npz", "--out", "late").err == ""


def test_a_run_goes_on_with_the_options_of_reading_it_began_with(command, work, springs):
    np.savez("bare.npz", x=springs.x[..., :2], features=["x", "y"])
    line = ["train", "--data", "bare.npz", "--epochs", "1", "--threads", "1", "--out", "new"]
    assert command(*line, "--velocities", "--time_step", "0.1").status == 0
    assert command("train", "--resume", "--data", "bare.npz", "--out", "new").status == 0
    assert json.loads(Path("new/data.json").read_text())["read"]["velocities"] is True
