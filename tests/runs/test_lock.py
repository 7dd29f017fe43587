"""Two trainings in one folder: the second is refused in one line, touches nothing, and the first goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.runs import lock
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked

from ..comparing import assert_same_runs
from ..refusals import assert_refused

pytest.importorskip("fcntl", reason="this system has no locks that go with a process")
TRAIN = ["train", "--data", "springs.npz", "--threads", "1"]
RESUME = ["train", "--resume", "--data", "springs.npz", "--out"]
SINES = ["train", "--preset", "sines-maml", "--tasks", "16", "--hidden", "[8-8]", "--batch", "4", "--out", "sines"]
SAYS = ": another process is training in it; wait until that has ended, or choose another --out"


def test_one_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match=SAYS), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "beside"):
        assert (tmp_path / "beside").is_dir()


def test_what_is_made_for_nothing_is_removed_again(tmp_path):
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
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
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
def test_systems_and_folders_that_know_no_locks_do_without(tmp_path, monkeypatch, missing):
    def unknown(*_):
        raise OSError("no locks available")

    if missing == "module":
        monkeypatch.setattr(lock, "fcntl", None)
    else:
        monkeypatch.setattr(lock.fcntl, "flock", unknown)
    with locked(tmp_path), locked(tmp_path):
        pass


def test_nobody_trains_in_a_folder_that_is_held(command, work):
    assert command(*SINES, "--meta_steps", "8").status == 0
    Path("begun").mkdir()
    Path("begun", "config.yaml").write_text("half")  # of somebody who has not got to the first checkpoint
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
    process = subprocess.Popen([sys.executable, "-m", "bouncegrad.app.cli", *line, "new"], stderr=subprocess.PIPE)
    run = Run("new")
    while not run.rows() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGSTOP)
    assert_refused(command, [*RESUME, "new"], f"new{SAYS}")
    assert_refused(command, [*line, "new"], f"new{SAYS}")
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60) == (None, b"")
    assert process.returncode == 0
    assert command(*line, "alone").status == 0
    assert_same_runs(run, Run("alone"))
