"""Small data sets with known answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.numbers import Number
from bouncegrad.results.report import Report
from bouncegrad.results.result import Result

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
FIXTURES = SHARED / "reports" / "fixtures"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Trajectories]:
    """Reads one of the recorded systems that are stored outside the repository."""

    def read(name: str) -> Trajectories:
        path = FIXTURES / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"{path.name} is not in ../shared/reports/fixtures")
        with np.load(path, allow_pickle=False) as file:
            return Trajectories(file["state"], edges=file["edges"], dt=float(file["dt"]), source=name)

    return read


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data sets outside the repository; it may be absent."""
    return SHARED / "data"


@pytest.fixture
def systems() -> Trajectories:
    """Eight tasks of four named entities on straight lines, with random true edges of two types."""
    generator = np.random.default_rng(0)
    start, velocity = generator.normal(size=(2, 8, 1, 4, 2))
    time = 0.5 * np.arange(12)[:, None, None]
    x = np.concatenate([start + time * velocity, np.broadcast_to(velocity, (8, 12, 4, 2))], axis=-1)
    edges = generator.integers(0, 2, (8, 4, 4)) * (1 - np.eye(4, dtype=int))
    return Trajectories(x, edges=edges, dt=0.5, entities=("Ada", "Boris", "Chen", "Dalia"))


@pytest.fixture
def result(systems: Trajectories) -> Result:
    """The truth of `systems` with swapped type labels, and a probability of 90 % for every edge."""
    assert systems.edges is not None
    return Result.from_probability(sure_of(1 - systems.edges, 2, 0.9), np.arange(8.0), 10, entities=systems.entities)


@pytest.fixture
def full(systems: Trajectories, result: Result) -> Report:
    return Report(
        title="Springs & <friends>",
        question="Eight tasks of four entities.",
        command="bouncegrad train --preset demo",
        facts=(("Data", systems.summary()), ("Seed", "0")),
        numbers=(
            Number("Edge accuracy", 0.9432, "held-out tasks", {"least_squares": 0.87, "correlation": None}),
            Number("Error 1 frame ahead", 3.1e-8, "free-running", {"static": 0.002}),
        ),
        curves=tuple(
            {"epoch": e, "seconds": 2.0 * e, "loss": 1 / (e + 1), "edge_accuracy": 0.5 + e / 20, "temperature": 0.5**e}
            for e in range(8)
        ),
        data=systems,
        result=result,
        errors={"this run": np.array([1e-6, 1e-5]), "static": np.array([1e-3, 1e-2])},
    )


def sure_of(edges: np.ndarray, types: int, share: float) -> np.ndarray:
    """Probabilities in which the type of every edge has `share`, and all other types have equal parts of the rest."""
    rest = (1 - share) / (types - 1)
    probability = np.where(edges[..., None] == np.arange(types), share, rest)
    return probability * (1 - np.eye(edges.shape[1]))[:, :, None]
