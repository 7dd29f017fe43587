"""Files and small trained runs for the tests of users' reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncegrad.app.cli import main
from bouncegrad.data.formats import load
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference

FIXTURES = Path(__file__).resolve().parents[2].parent / "shared" / "reports" / "fixtures"
QUICK = {"epochs": 3, "threads": 1, "edge_hidden": [16], "node_hidden": [16]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fixture_path(name: str) -> Path:
    """A file of the reports; skips where it is not beside the project."""
    if not (FIXTURES / name).exists():
        pytest.skip(f"{name} is not beside the project")
    return FIXTURES / name


@pytest.fixture(scope="session")
def springs4() -> Trajectories:
    return load(fixture_path("springs4.npz"))


@pytest.fixture(scope="session")
def run4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on springs4, by the command line."""
    folder = tmp_path_factory.mktemp("springs4") / "run"
    words = ["train", "--data", str(fixture_path("springs4.npz")), "--out", str(folder)]
    settings = ["--epochs", "3", "--threads", "1", "--edge_hidden", "[16]", "--node_hidden", "[16]"]
    assert main([*words, *settings]) == 0
    return folder


@pytest.fixture(scope="session")
def model4(springs4: Trajectories) -> RelationalInference:
    """A model that was trained on springs4 for a few passes; its accuracy is low."""
    return RelationalInference(seed=0, **QUICK).fit(springs4)
