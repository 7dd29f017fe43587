"""What a forecast says: the future of every entity, and between which values it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing, save_arrays
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.stored import read_stored

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
INTERVAL = 0.9  # of the futures lie between `low` and `high`
ARRAYS = ("x", "low", "high", "last")
NAMES = ("features", "units", "entities", "tasks")


@dataclass(frozen=True, eq=False)
class Forecast:
    """Free-running forecasts of M tasks, S frames ahead, in the user's units.

    Args:
        x: the point forecast, `Float[M, S, N, D]`.
        low, high: 90 % of the futures lie between them, feature by feature; same shape.
        last: the last frame of the context, `Float[M, N, D]`.
        context: frames of each task that were looked at; the forecast's first frame has this number.
        dt: time between frames.
        features, units, entities, tasks: names.
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
        """With the names of the recordings; all frames of `data` are the context."""
        last = np.asarray(data.x[:, -1], np.float64)
        names = (data.features, data.units, data.entities, data.tasks)
        return cls(x, low, high, last, data.shape[1], float(data.dt), *names)

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file with the fields as keys, replacing an older one only when complete."""
        parts = {name: getattr(self, name) for name in (*ARRAYS, "context", "dt", *NAMES)}
        save_arrays(path, {"format_version": FORMAT_VERSION, **parts})

    @classmethod
    def load(cls, path: str | Path) -> Forecast:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is missing, is no forecast, or was written by a newer version.
        """
        parts = read_stored(path, "forecast", "predict", FORMAT_VERSION)
        try:
            fields: dict[str, Any] = {name: parts[name] for name in ARRAYS}
            fields |= {name: tuple(map(str, parts[name])) for name in NAMES}
            return cls(**fields, context=int(parts["context"]), dt=float(parts["dt"]))
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{path}: not a forecast file; give the forecast.npz of `bouncegrad predict`") from None

    def table(self) -> pd.DataFrame:
        """One row per task, frame and entity: `task, frame, time, entity`, then `F, F_low, F_high` of every feature.

        Frames count on from the context, so that they go with those of the recording; time is frame times `dt`.
        """
        import pandas as pd  # here, since it is slow to load

        columns = frame_columns(self.tasks, self.entities, self.context, self.x.shape[1], self.dt)
        for d, name in enumerate(self.features):
            parts = (("", self.x), ("_low", self.low), ("_high", self.high))
            columns |= {name + end: part[..., d].ravel() for end, part in parts}
        return pd.DataFrame(columns)

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV; every digit is kept."""
        with replacing(path) as temporary:
            self.table().to_csv(temporary, index=False)


def frame_columns(
    tasks: tuple[str, ...], entities: tuple[str, ...], context: int, steps: int, dt: float
) -> dict[str, Any]:
    """The columns `task, frame, time, entity` of a table of the frames after a context, in the order of `[M, S, N]`."""
    m, n, frame = len(tasks), len(entities), np.arange(context, context + steps)
    return {
        "task": np.repeat(tasks, steps * n),
        "frame": np.tile(frame.repeat(n), m),
        "time": np.tile((frame * dt).repeat(n), m),
        "entity": np.tile(entities, m * steps),
    }
