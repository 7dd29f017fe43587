"""Several processes take the same steps as one, and any number of processes can resume a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bouncegrad.core.distributed import Processes
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.prepare import require_shareable
from bouncegrad.fitting.stages import train
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

from ..measuring import HANG

# Adam is used because with the polar factors of Muon, rounding errors grow within some dozen steps.
SETTINGS = "--epochs 12 --batch 5 --cooling 20 --optimizer adam --edge_hidden [8] --node_hidden [8] --holdout 0"
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}


def start(folder: Path, words: str, count: int = 2) -> list[subprocess.Popen[str]]:
    """Starts the command in several processes, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "bouncegrad", *words.split()],
            cwd=folder,
            env=os.environ | places | {"RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains on springs.npz with two processes; returns the folder, which holds the run `two`, and their output."""
    folder = tmp_path_factory.mktemp("processes")
    save(simulate("springs", 21, entities=3, frames=12, seed=0), folder / "springs.npz")
    begun = start(folder, f"train --data springs.npz --out two {SETTINGS}")
    return folder, [(*process.communicate(timeout=HANG), process.returncode) for process in begun]


def one_process(folder: Path, name: str, **options) -> Run:
    run = Run(folder / name)
    data, settings = load(folder / "springs.npz"), Run(folder / "two").config()
    train(settings, data, run, **options)
    return run


def assert_close(first: Run, second: Run) -> None:
    one, two = first.state(), second.state()
    assert torch.equal(one["z"], two["z"])
    assert torch.equal(one["generator"], two["generator"])
    torch.testing.assert_close(two["composition"], one["composition"], **TOLERANCE)
    torch.testing.assert_close(two["search"]["evidence"], one["search"]["evidence"], rtol=1e-4, atol=1e-3)
    for name in ("loss", "acceptance", "edge_accuracy", "epoch"):
        assert [row[name] for row in first.rows()] == pytest.approx([row[name] for row in second.rows()], abs=1e-5)


def test_two_processes_equal_one(trained):
    folder, _ = trained
    assert_close(one_process(folder, "one"), Run(folder / "two"))


def test_only_the_first_process_prints(trained):
    _, ((out, err, status), (*silence, other)) = trained
    assert (status, other) == (0, 0)
    assert out.endswith("wrote two\n")
    assert err == ""
    assert silence == ["", ""]


def test_one_process_begins_a_run_and_two_finish_it(trained):
    folder, _ = trained
    visits = iter(range(23))  # within a pass
    one_process(folder, "broken", environment=Environment(stop=lambda: next(visits, None) is None))
    for process in start(folder, "train --data springs.npz --out broken --resume"):
        _, err = process.communicate(timeout=HANG)
        assert (process.returncode, err) == (0, "")
    assert_close(one_process(folder, "unbroken"), Run(folder / "broken"))


def test_a_killed_process_leaves_a_checkpoint_that_can_be_resumed(trained):
    folder, _ = trained
    first, second = start(folder, f"train --data springs.npz --out killed {SETTINGS} --epochs 3000")
    run = Run(folder / "killed")
    while not run.rows():
        assert first.poll() is None
        time.sleep(0.05)
    second.send_signal(signal.SIGKILL)
    _, err = first.communicate(timeout=HANG)
    second.communicate()
    assert first.returncode == 1
    assert err.splitlines() == [
        "bouncegrad: another process has ended; go on from the last checkpoint with: "
        "bouncegrad train --resume --data springs.npz --out killed"
    ]
    visits = iter(range(10))
    train(
        run.config(),
        load(folder / "springs.npz"),
        run,
        resume=True,
        environment=Environment(stop=lambda: next(visits, None) is None),
    )
    assert run.state()["schedule"]["epoch"] == 2


def test_a_signal_stops_all_processes_and_saves_a_checkpoint(trained):
    folder, _ = trained
    first, second = start(folder, f"train --data springs.npz --out stopped {SETTINGS} --epochs 3000")
    run = Run(folder / "stopped")
    while not run.rows():
        assert first.poll() is None
        time.sleep(0.05)
    second.send_signal(signal.SIGTERM)  # one process gets the signal, and all stop
    out, err = first.communicate(timeout=HANG)
    second.communicate(timeout=HANG)
    assert (first.returncode, second.returncode, err) == (130, 130, "")
    assert out.splitlines()[-1].startswith("stopped; go on with: bouncegrad train --resume")
    assert run.state()["schedule"]["epoch"] >= run.rows()[-1]["epoch"]


def test_all_processes_together_print_one_line_of_refusal(trained):
    folder, _ = trained
    printed = [p.communicate(timeout=HANG)[1] for p in start(folder, f"train --data springs.npz --out two {SETTINGS}")]
    assert printed == ["bouncegrad: two: is not empty; choose another --out, or continue with --resume\n", ""]


def test_shards_are_all_tasks_in_order():
    parts = [Processes(rank, 3).shard(10) for rank in range(3)]
    assert parts == [(0, 3), (3, 6), (6, 10)]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "a batch of 3 tasks cannot be shared by 4 processes; start 3 at most"),
        ({"batch": 2}, "a batch of 2 tasks cannot be shared by 4 processes; start 2 at most, or give a larger --batch"),
    ],
)
def test_more_processes_than_tasks_are_refused(settings, line):
    with pytest.raises(InputError, match=f"^{line}$"):
        require_shareable(resolve(Config(**settings), (3, 10, 3, 4)), 3, Processes(0, 4))


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"search": "paper"}, "search paper"), ({"loss": "rollout"}, "loss rollout"), ({"shared_graph": True}, "shared_")],
)
def test_settings_for_one_process_are_refused_for_several(settings, name):
    require_shareable(resolve(Config(**settings), (64, 10, 3, 4)), 64, Processes())
    with pytest.raises(InputError, match=f"^2 processes cannot share a run with --{name}"):
        require_shareable(resolve(Config(**settings), (64, 10, 3, 4)), 64, Processes(1, 2))


def test_other_commands_refuse_several_processes(command, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for words in (["infer", "run", "data"], ["train", "--preset", "sines-maml"]):
        outcome = command(*words)
        assert outcome.status == 2
        assert outcome.err.endswith("cannot be shared by 2 processes; start it without torchrun\n")
