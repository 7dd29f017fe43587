"""A small trained run, made once through the command line, and the command line as a function."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, settings

from bouncegrad.app.cli import main
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

# By default Hypothesis fails an example that takes longer than 0.2 s, which a slow machine may need.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


class Outcome(NamedTuple):
    """The status and the output of a command."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(capsys) -> Callable[..., Outcome]:
    """Runs `command("infer", run, data, "--out", folder)` in this process."""

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def springs() -> Trajectories:
    """24 tasks of 3 entities, 30 frames."""
    return simulate("springs", 24, entities=3, frames=30, seed=0)


@pytest.fixture(scope="session")
def made(tmp_path_factory, springs) -> Path:
    """A folder with springs.npz, named.csv (and its edges), run/ (20 epochs on springs.npz) and result/."""
    folder = tmp_path_factory.mktemp("made")
    save(springs, folder / "springs.npz")
    named = replace(springs, entities=("ann", "bob", "cat"), tasks=tuple(f"day {i}" for i in range(len(springs.tasks))))
    save(named, folder / "named.csv")
    train = ["train", "--data", "springs.npz", "--out", "run", "--epochs", "20", "--threads", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(train) == 0
        assert main(["infer", "run", "springs.npz", "--out", "result"]) == 0
    return folder


@pytest.fixture
def work(made, tmp_path, monkeypatch) -> Path:
    """Copies `made` into a folder that a test may change; it is also the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
