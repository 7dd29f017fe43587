"""Pairs of successive frames, and the regressors that explain the change from the first to the second.

Angles enter as sine and cosine. Their changes go the shorter way round, and so do the previous changes of a target.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.angles import as_sines, wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories

LAGS = (0, 1, 2, 4, 8, 16)  # numbers of previous frames
LEAST_PAIRS = 40
MOST_LOST = 0.2  # share of the pairs that may be lost to lags at starts and gaps


@dataclass(frozen=True)
class OwnPast:
    """What predicts an entity from itself alone.

    Args:
        degree: of the monomials of its present state, with products between its features.
        lags: number of previous changes.
        trend: degree of a polynomial in time. Without it, series with trends seem to explain each other.
    """

    degree: int = 1
    lags: int = 0
    trend: int = 0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of successive frames in which every entity was observed, and so were the frames before them.

    Args:
        states: before the change; the first of `lags + 1` is the present one, the others are those of previous frames.
        before: previous changes, the latest first.
        change: to the next frame.
        at: (task, frame) of the next frame.
        frames: T of the recordings.
        unit: a typical change: the standard deviation of each feature over all pairs and entities; 1 if it is 0.
        middle, scale: mean and standard deviation of the states of each entity; the latter is 1 if it is 0.
        clock: time since the first frame, from -1 to 1.
    """

    states: Float[np.ndarray, "rows lags+1 N F"]
    before: Float[np.ndarray, "rows lags N D"]
    change: Float[np.ndarray, "rows N D"]
    at: Int[np.ndarray, "rows 2"]
    frames: int
    unit: Float[np.ndarray, " D"]
    middle: Float[np.ndarray, "N F"]
    scale: Float[np.ndarray, "N F"]
    clock: Float[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def lags(self) -> int:
        """The number of previous frames."""
        return self.before.shape[1]

    def time(self, frame: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Returns the clock of frames; beyond the last frame it is above 1."""
        return 2 * frame / (self.frames - 1) - 1


def pairs_of(data: Trajectories, lags: int | None = None, least: int = LEAST_PAIRS) -> Pairs:
    """Returns the usable pairs of frames of all recordings, none across their borders.

    Args:
        data: the recordings.
        lags: previous frames; by default the most of `LAGS` that loses few pairs at starts and gaps.
        least: the number of pairs that is needed.

    Raises:
        InputError: there are fewer pairs.
    """
    m, frames = data.shape[:2]
    seen = np.ones((m, frames), bool) if data.mask is None else np.logical_and.reduce(data.mask, axis=2)

    def usable(lags: int) -> Int[np.ndarray, "rows 2"]:
        whole = seen[:, 1:].copy()
        whole[:, :lags] = False
        for lag in range(min(lags + 1, frames - 1)):
            whole[:, lag:] &= seen[:, : frames - 1 - lag]
        task, frame = np.nonzero(whole)
        return np.stack([task, frame + 1], 1)

    if lags is None:
        enough = max(least, (1 - MOST_LOST) * len(usable(0)))
        lags = max((lag for lag in LAGS if lag < frames - 1 and len(usable(lag)) >= enough), default=0)
    at = usable(lags)
    if len(at) < least:
        raise InputError(
            f"{data.source}: {len(at)} pairs of frames in which every entity was observed, after {lags} more; a "
            f"regression that is held against held-out frames needs {least}"
        )
    (task, frame), x = at.T, np.asarray(data.x, np.float64)
    steps = [wrapped(x[task, frame - lag] - x[task, frame - 1 - lag], data.periods) for lag in range(lags + 1)]
    states = np.stack([as_sines(x[task, frame - 1 - lag], data.periods) for lag in range(lags + 1)], 1)
    unit, scale = steps[0].std((0, 1)), states[:, 0].std(0)
    tiny = 1e-12 * np.abs(states[:, 0]).max((0, 1))
    return Pairs(
        states,
        np.stack(steps, 1)[:, 1:],
        steps[0],
        at,
        frames,
        np.where(unit > tiny[: len(unit)], unit, 1.0),
        states[:, 0].mean(0),
        np.where(scale > tiny, scale, 1.0),
        2 * frame / (frames - 1) - 1,
    )


def monomials(states: Float[np.ndarray, "rows F"], degree: int, least: int = 1) -> Float[np.ndarray, "rows P"]:
    """Returns all products of `least` to `degree` features, in order of degree."""
    powers = (of for k in range(least, degree + 1) for of in combinations_with_replacement(range(states.shape[1]), k))
    return np.stack([states[:, list(of)].prod(1) for of in powers], 1)


def own_columns(pairs: Pairs, target: int, which: OwnPast) -> Float[np.ndarray, "rows P"]:
    """Returns what predicts a target from itself alone: monomials of its state, previous changes, powers of time."""
    state = (pairs.states[:, 0, target] - pairs.middle[target]) / pairs.scale[target]
    previous = pairs.before[:, : which.lags, target].reshape(len(pairs), -1)
    time = [pairs.clock[:, None] ** power for power in range(1, which.trend + 1)]
    return np.concatenate([monomials(state, which.degree), previous, *time], 1)
