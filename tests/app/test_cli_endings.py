"""How commands end besides success and bad input: closed pipes, full disks, too little memory, Ctrl-C and real bugs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bouncegrad.app.commands import inspect as command_module

from ..refusals import assert_refused

PROGRAM = [sys.executable, "-m", "bouncegrad.app.cli"]


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["inspect", "springs.npz"], ["train", "--print_config"]]
)
def test_a_pipe_closed_early_is_no_error(work, words):
    process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["inspect", "springs.npz", "--json"]])
def test_a_full_disk_behind_the_output_is_one_line(work, words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("bouncegrad: standard output: No space left on device; ")
    assert done.stderr.count("\n") == 1


def test_without_any_output_the_work_is_done(work):
    line = f"exec {sys.executable} -m bouncegrad.app.cli infer run springs.npz --out new >&-"
    assert subprocess.run(["sh", "-c", line]).returncode == 0
    assert Path("new/edges.csv").exists()


@pytest.fixture
def failing(monkeypatch):
    """`bouncegrad inspect` ends with this error."""

    def make(error: BaseException) -> None:
        def main(words):
            raise error

        monkeypatch.setattr(command_module, "main", main)

    return make


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_too_little_memory(command, work, failing, error):
    failing(error)
    assert_refused(command, ["inspect", "springs.npz"], "memory", "give fewer or shorter recordings")


def test_a_file_that_cannot_be_written(command, work, failing):
    failing(OSError(28, "No space left on device", "run/metrics.jsonl"))
    assert_refused(command, ["inspect", "springs.npz"], "run/metrics.jsonl: No space left on device")


def test_interrupted(command, work, failing):
    failing(KeyboardInterrupt())
    assert command("inspect", "springs.npz") == (130, "", "bouncegrad: interrupted\n")


def test_bugs_are_not_passed_off_as_bad_input(command, work, failing):
    failing(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        command("inspect", "springs.npz")
