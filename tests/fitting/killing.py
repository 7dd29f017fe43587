"""Kills small runs with SIGKILL and resumes them, as a program that loads torch once and forks for each run.

    python -m tests.fitting.killing KIND KILLS SEED

A run is killed at a random time, or at a random operation on its files, such as an opening, a renaming or a removal.
The second way hits the short moments between two operations. The last line of output is JSON: how many runs were
killed, and when.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from bouncegrad.app.cli import main
from bouncegrad.core import inference
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting import recorder as recording
from bouncegrad.regression import run as regression
from bouncegrad.regression import training as regression_training
from bouncegrad.runs.folder import Run

from ..comparing import assert_same, assert_same_runs, timeless

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate"}
SMALL = ["--edge_hidden", "[8]", "--node_hidden", "[8]", "--message", "4", "--threads", "1", "--holdout", "0"]
FEW = ["--search_steps", "2", "--tasks", "16", "--hidden", "[8-8]", "--batch", "4"]
KINDS: dict[str, list[str]] = {
    "springs": ["--data", "data.npz", *SMALL, "--epochs", "10", "--batch", "6", "--forecast", "0.3"],
    "paper": [
        "--data",
        "data.npz",
        *SMALL,
        "--epochs",
        "10",
        "--batch",
        "6",
        "--search",
        "paper",
        "--proposal",
        "learned",
    ],
    "sines": ["--preset", "sines-maml", *FEW, "--meta_steps", "60"],
    "functions": ["--preset", "functions-bouncegrad", *FEW, "--meta_steps", "90"],
}
WORDS_AGAIN = ["--data", "data.npz"]  # a run on recordings keeps its settings


def in_child(work: Callable[[], int], wait: float | None = None) -> int:
    """Returns the status of a fork that does this work; it is killed after `wait` seconds, if these are given."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            status = work()
        finally:
            os._exit(status)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def watched(folder: str, act: Callable[[], None]) -> None:
    """Calls `act` at every operation on files in a folder from now on."""

    def look(event: str, given: tuple[Any, ...]) -> None:
        if event in OPERATIONS and any(folder in str(one) for one in given[:2]):
            act()

    sys.addaudithook(look)


def counted(work: Callable[[], int], folder: str) -> int:
    """Does this work, and writes the number of its operations on a folder to the file `operations`."""
    found: list[None] = []
    watched(folder, lambda: found.append(None))
    status = work()
    Path("operations").write_text(str(len(found)))
    return status


def killed_at(operation: int, folder: str) -> None:
    """Kills this process at operation number `operation` on a folder."""
    left = iter(range(operation))
    watched(folder, lambda: None if next(left, None) is not None else os.kill(os.getpid(), signal.SIGKILL))


def next_words(kind: str, folder: str) -> list[str]:
    """Returns the words that begin a run, or that resume it."""
    run = Run(folder)
    begun = run.folder.exists() and any(run.folder.iterdir()) and not run.killed_early
    if begun and kind in ("springs", "paper"):
        return ["train", "--resume", *WORDS_AGAIN, "--out", folder]
    return ["train", *KINDS[kind], *(["--resume"] if begun else []), "--out", folder]


def assert_equal(kind: str, one: Path, two: Path) -> None:
    """Asserts that two runs have the same files with the same contents, except for times."""
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    if kind in ("springs", "paper"):
        assert_same_runs(Run(one), Run(two))
        return
    states = [timeless(torch.load(folder / regression.MODULES, weights_only=True)) for folder in (one, two)]
    assert_same(*states)
    assert timeless(Run(one).rows()) == timeless(Run(two).rows())
    errors = [timeless(json.loads((folder / regression.ERRORS).read_text())) for folder in (one, two)]
    assert errors[0] == errors[1]


def program(kind: str, kills: int, seed: int) -> dict[str, int]:
    """Kills runs, resumes them and compares; returns counts."""
    torch.set_num_threads(1)
    import_module("bouncegrad.app.commands.train")  # once, before the forks
    recording.RECORDING = recording.Recording(visits_a_row=10, seconds_a_checkpoint=0.02)
    regression_training.INTERVALS = regression_training.Intervals(steps_a_row=10, seconds_a_checkpoint=0.02)
    # Parts of 4 tasks, so that some runs are killed within the search for final structures.
    inference.EFFORT = inference.InferenceEffort(tasks_at_once=4)
    save(simulate("springs", 18, entities=3, frames=12, seed=0), "data.npz")
    draw, seen = random.Random(seed), Counter[str]()
    begin = time.monotonic()
    assert in_child(lambda: counted(lambda: main(next_words(kind, "whole")), "whole")) == 0
    took = time.monotonic() - begin
    operations = int(Path("operations").read_text())
    while seen["killed"] < kills:
        folder = f"run{seen['runs']}"
        seen["runs"] += 1
        for _ in range(draw.choice([1, 1, 2, 4])):  # some are killed several times before they may end
            after, at, timed = draw.uniform(0, took), draw.randrange(operations), draw.random() < 0.5

            def work(at: int | None = None if timed else at, folder: str = folder) -> int:
                if at is not None:
                    killed_at(at, folder)
                return main(next_words(kind, folder))

            ended = in_child(work, after if timed else None)
            assert ended in (0, signal.SIGKILL), (folder, ended)
            seen["killed" if ended else "ended before"] += 1
            seen["before its first checkpoint"] += bool(ended) and (
                not Path(folder).exists() or Run(folder).killed_early
            )
        assert in_child(partial(main, next_words(kind, folder))) == 0, folder
        assert_equal(kind, Path(folder), Path("whole"))
        shutil.rmtree(folder)
    return {**seen, "operations": operations, "milliseconds": round(1000 * took)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        print(json.dumps(program(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
