"""Forecasts: the future states of every entity, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.by_name import by_name
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.stored import read_stored, save_fields, write_table

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
INTERVAL = 0.9  # share of futures between `low` and `high`; texts say "90 %"
ARRAYS = ("x", "low", "high", "last")
NAMES = ("features", "units", "entities", "tasks")


@dataclass(frozen=True, eq=False)
class Forecast:
    """Free-running forecasts of M tasks, S frames ahead, in the user's units.

    Args:
        x: the point forecast, `Float[M, S, N, D]`.
        low: lower end of the interval that holds 90 % of the futures, for each feature separately; same shape.
        high: upper end of this interval; same shape.
        last: states of the last frame of the context, `Float[M, N, D]`.
        context: number of frames of each task that inference used. It is also the index of the first forecast frame.
        dt: time between frames.
        features: names of the D features.
        units: units of the D features.
        entities: names of the N entities.
        tasks: names of the M tasks.
    """

    x: Float[np.ndarray, "M S N D"]
    low: Float[np.ndarray, "M S N D"]
    high: Float[np.ndarray, "M S N D"]
    last: Float[np.ndarray, "M N D"]
    context: int
    dt: float
    features: tuple[str, ...]
    units: tuple[str, ...]
    entities: tuple[str, ...]
    tasks: tuple[str, ...]

    @classmethod
    def of(
        cls,
        data: Trajectories,
        x: Float[np.ndarray, "M S N D"],
        low: Float[np.ndarray, "M S N D"],
        high: Float[np.ndarray, "M S N D"],
    ) -> Forecast:
        """Returns a forecast with the names and units of `data`, whose frames are all context."""
        last = np.asarray(data.x[:, -1], np.float64)
        names = (data.features, data.units, data.entities, data.tasks)
        return cls(x, low, high, last, data.shape[1], float(data.dt), *names)

    def _repr_html_(self) -> str | None:
        card: str | None = by_name("results.notebook", "card_of")(self)
        return card

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file with the fields as keys.

        An older file is replaced only when the new one is complete.
        """
        save_fields(self, (*ARRAYS, "context", "dt", *NAMES), path, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> Forecast:
        """Reads a file that `save` wrote.

        Raises:
            InputError: the file is missing, is not a forecast, or was written by a newer version.
        """
        parts = read_stored(path, "forecast", "predict", FORMAT_VERSION)
        try:
            fields: dict[str, Any] = {name: parts[name] for name in ARRAYS}
            fields |= {name: tuple(map(str, parts[name])) for name in NAMES}
            return cls(**fields, context=int(parts["context"]), dt=float(parts["dt"]))
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{path}: not a forecast file; give the forecast.npz of `bouncegrad predict`") from None

    def table(self) -> pd.DataFrame:
        """Returns one row per task, frame and entity.

        Columns: `task, frame, time, entity`, then `F, F_low, F_high` for every feature F. The first frame has the
        number `context`, so that frame numbers agree with those of the recording. Time is frame number times `dt`.
        """
        import pandas as pd  # here, since it is slow to load

        columns = frame_columns(self.tasks, self.entities, self.context, self.x.shape[1], self.dt)
        for d, name in enumerate(self.features):
            parts = (("", self.x), ("_low", self.low), ("_high", self.high))
            columns |= {name + end: part[..., d].ravel() for end, part in parts}
        return pd.DataFrame(columns)

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV, with all digits."""
        write_table(self.table(), path)


def unknown_from(
    low: Float[np.ndarray, "S N D"], high: Float[np.ndarray, "S N D"], recorded: Float[np.ndarray, "*B D"]
) -> Int[np.ndarray, " N"]:
    """Returns for each entity the first frame from which on the forecast tells nothing; S if there is none.

    This is so if the interval of every feature holds the middle 90 % of all recorded values, in this frame and in all
    later ones.

    Args:
        low: lower ends of the intervals.
        high: upper ends.
        recorded: states of the recordings; values that are not finite do not count.
    """
    values = recorded.reshape(-1, recorded.shape[-1])
    values = values[np.isfinite(values).all(1)]
    if not len(values):
        return np.full(low.shape[1], len(low))
    ends = np.quantile(values, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], axis=0)
    told = ~((low <= ends[0]) & (high >= ends[1])).all(-1)
    return len(low) - told[::-1].argmax(0) * told.any(0) - len(low) * ~told.any(0)


def frame_columns(
    tasks: tuple[str, ...], entities: tuple[str, ...], context: int, steps: int, dt: float
) -> dict[str, Any]:
    """Returns the columns `task, frame, time, entity` of a table of frames after the context.

    Rows are in the order of an array `[M, S, N]`.
    """
    m, n, frame = len(tasks), len(entities), np.arange(context, context + steps)
    return {
        "task": np.repeat(tasks, steps * n),
        "frame": np.tile(frame.repeat(n), m),
        "time": np.tile((frame * dt).repeat(n), m),
        "entity": np.tile(entities, m * steps),
    }
