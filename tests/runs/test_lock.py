"""Two trainings in one folder: the second is refused in one line and changes no file, the first continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.runs import lock
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked

from ..comparing import assert_same_runs
from ..measuring import HANG
from ..refusals import assert_refused

pytest.importorskip("fcntl", reason="this system has no locks that go with a process")
TRAIN = ["train", "--data", "springs.npz", "--threads", "1"]
RESUME = ["train", "--resume", "--data", "springs.npz", "--out"]
SINES = ["train", "--preset", "sines-maml", "--tasks", "16", "--hidden", "[8-8]", "--batch", "4", "--out", "sines"]
# The command line in a process that stops itself after its first row of metrics, until it gets SIGCONT.
STOPS_ITSELF = """
import os, signal, sys
from bouncegrad.app.cli import main
from bouncegrad.runs.folder import Run

add_row = Run.add_row

def add_row_and_stop(run, row):
    add_row(run, row)
    Run.add_row = add_row
    os.kill(os.getpid(), signal.SIGSTOP)

Run.add_row = add_row_and_stop
sys.exit(main(sys.argv[1:]))
"""
SAYS = ": another process is training in it; wait until that has ended, or choose another --out"


def test_one_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match=SAYS), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "beside"):
        assert (tmp_path / "beside").is_dir()


def test_folders_that_the_lock_made_are_removed_if_they_are_empty(tmp_path):
    with locked(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").touch()
    with locked(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a" / "b" / "file").exists()


def test_a_lock_goes_with_a_process_that_is_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from bouncegrad.runs.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=SAYS), locked(tmp_path):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("missing", ["module", "kind"])
def test_where_locks_are_not_supported_nothing_is_refused(tmp_path, monkeypatch, missing):
    def unknown(*_):
        raise OSError("no locks available")

    if missing == "module":
        monkeypatch.setattr(lock, "fcntl", None)
    else:
        monkeypatch.setattr(lock.fcntl, "flock", unknown)
    with locked(tmp_path), locked(tmp_path):
        pass


def test_training_in_a_locked_folder_is_refused(command, work):
    assert command(*SINES, "--meta_steps", "8").status == 0
    Path("begun").mkdir()
    Path("begun", "config.yaml").write_text("half")  # of a training that has not reached its first checkpoint
    half = Path("begun", ".config.yaml.abcd1234.yaml")
    half.write_text("half")
    for folder, *lines in (
        ("run", [*TRAIN, "--out", "run"], [*RESUME, "run"]),
        ("begun", [*TRAIN, "--out", "begun"]),
        ("sines", [*SINES, "--meta_steps", "12"]),
    ):
        with locked(Path(folder)):
            for line in lines:
                assert_refused(command, line, f"{folder}{SAYS}")
    with locked(Path("demo")):
        assert_refused(command, ["demo"], f"demo{SAYS}")


def test_a_training_beside_which_others_were_refused_ends_as_if_alone(command, work):
    line = [*TRAIN, "--epochs", "150", "--out"]
    process = subprocess.Popen([sys.executable, "-c", STOPS_ITSELF, *line, "new"], stderr=subprocess.PIPE)
    run = Run("new")
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    assert_refused(command, [*RESUME, "new"], f"new{SAYS}")
    assert_refused(command, [*line, "new"], f"new{SAYS}")
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=HANG) == (None, b"")
    assert process.returncode == 0
    assert command(*line, "alone").status == 0
    assert_same_runs(run, Run("alone"))
