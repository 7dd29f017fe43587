"""Single recordings for which figures are published: Lorenz-96, vector autoregressions, predators and prey, two files.

The regression with held-out frames is measured on them, and simple scores beside it. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bouncegrad.app.benchmarks.series_flows import lorenz96, predators, recorded
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.trajectories import Trajectories

LEVEL_NOISE = 0.1  # standard deviation of the noise of published Lorenz-96 series
ALONE = 40  # frames; shorter recordings of one graph are measured all together


@dataclass(frozen=True)
class PublishedRow:
    """A row whose figures are published.

    Args:
        name: of the row.
        published: AUROC of published methods.
        made: a function (generator) that returns one recording; None: the recordings are read from a file.
        minutes: of training; there is none.
    """

    name: str
    published: str
    made: Callable[[np.random.Generator], Trajectories] | None = None
    minutes: float = 0.0

    def require(self, file: Path | None) -> None:
        """Checks that there is a file if one is needed.

        Raises:
            InputError: there is none.
        """
        if self.made is None and file is None:
            raise InputError(f"row {self.name!r} needs recordings with true edges; name their file with --data")

    def data(self, seed: int, file: Path | None) -> Trajectories:
        """Returns a fresh recording, or those of the file: the one with this number, or all if they are short.

        Raises:
            InputError: a file is needed, cannot be read, has no true edges, or has fewer recordings.
        """
        if self.made is not None:
            return self.made(np.random.default_rng(seed))
        self.require(file)
        assert file is not None
        data = load(file)
        if data.edges is None:
            raise InputError(f"{file}: there are no true edges; row {self.name!r} needs them")
        if data.shape[1] < ALONE:
            return data
        if seed >= data.shape[0]:
            raise InputError(f"{file}: there are {data.shape[0]} recordings; seed {seed} would be one more")
        return data.select(np.array([seed]))


def levels(rng: np.random.Generator, n: int, force: float) -> Trajectories:
    """Lorenz-96 as published: 500 frames, 0.1 apart, and noise of 0.1 on every number."""
    data = lorenz96(rng, 0.0, n=n, frames=500, force=force)
    assert data.edges is not None
    return recorded(data.x[0] + LEVEL_NOISE * rng.standard_normal(data.x[0].shape), data.edges[0], rng, 0.0)


def autoregression(rng: np.random.Generator, n: int = 50, sources: int = 10, frames: int = 600) -> Trajectories:
    """A vector autoregression with 5 lags and ten sources for each series; every edge acts at one lag."""
    edges = np.zeros((n, n), int)
    for target in range(n):
        edges[rng.choice(np.delete(np.arange(n), target), sources, replace=False), target] = 1
    by_lag = np.zeros((5, n, n))
    lag = rng.integers(0, 5, (n, n))
    for k in range(5):
        by_lag[k] = np.where(lag == k, edges * rng.uniform(0.1, 0.3, (n, n)) * rng.choice([-1, 1], (n, n)), 0.0)
    by_lag[0] += 0.3 * np.eye(n)
    companion = np.eye(5 * n, k=n)
    companion[:, :n] = by_lag.reshape(5 * n, n)
    # A factor c^lag multiplies every eigenvalue by c, so that the series stay bounded.
    shrunk = min(1.0, 0.95 / np.abs(np.linalg.eigvals(companion)).max()) ** np.arange(1, 6)
    x = np.zeros((frames + 200, n))
    for t in range(5, len(x)):
        x[t] = rng.standard_normal(n) + sum(shrunk[k] * x[t - 1 - k] @ by_lag[k] for k in range(5))
    return recorded(x[200:, :, None], edges, rng, 0.0)


PUBLISHED = (
    PublishedRow(
        "Lorenz-96 p10 F10",
        "1,000 frames: CUTS 1.000, eSRU 1.000, NGC .997, PCMCI .752",
        partial(levels, n=10, force=10.0),
    ),
    PublishedRow("Lorenz-96 p10 F40", "-", partial(levels, n=10, force=40.0)),
    PublishedRow(
        "Lorenz-96 p20 F10",
        "GVAR 1.000, eSRU 1.000, cLSTM .983, cMLP .972, TCDF .861",
        partial(levels, n=20, force=10.0),
    ),
    PublishedRow(
        "Lorenz-96 p20 F40",
        "cMLP .997, GVAR .983, eSRU .963, cLSTM .717, TCDF .679",
        partial(levels, n=20, force=40.0),
    ),
    PublishedRow("VAR p50", "-", autoregression),
    PublishedRow(
        "Lotka-Volterra p20",
        "GVAR .991, cMLP .835, eSRU .817, TCDF .658, cLSTM .499",
        lambda rng: predators(rng, 0.0, n=20, frames=2000),
    ),
    PublishedRow("NetSim", "CUTS .828, PCMCI .769, NGC .762, GVAR .690, ACD .688"),
    PublishedRow("DREAM3-100", "mean of five networks: CUTS .592, eSRU .559, NGC .558, PCMCI .552"),
)
