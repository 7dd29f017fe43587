"""Counterfactual forecasts: tracks of all other entities, with one entity and without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bouncegrad.data.angles import wrapped
from bouncegrad.data.trajectories import POSITIONS
from bouncegrad.results.forecast import frame_columns
from bouncegrad.results.stored import save_fields, write_table

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
ARRAYS = ("with_entity", "without_entity", "last", "removed_last", "distance")
NAMES = ("features", "entities", "tasks")


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """Tracks of the N - 1 remaining entities, S frames ahead, in the user's units.

    Args:
        with_entity: forecast with all entities, `Float[M, S, N-1, D]`.
        without_entity: forecast from the same states without the removed entity, same shape.
        last: the states from which both forecasts start, `Float[M, N-1, D]`.
        removed: name of the removed entity.
        removed_number: index of the removed entity.
        removed_last: last state of the removed entity, `Float[M, D]`.
        context: number of frames of each task that inference used.
        dt: time between frames.
        scale: spread of each feature in the training data.
        features: names of the D features.
        entities: names of the remaining entities.
        tasks: names of the M tasks.
        periods: length of a full turn for each feature that is an angle, 0 for other features.
    """

    with_entity: Float[np.ndarray, "M S N-1 D"]
    without_entity: Float[np.ndarray, "M S N-1 D"]
    last: Float[np.ndarray, "M N-1 D"]
    removed: str
    removed_number: int
    removed_last: Float[np.ndarray, "M D"]
    context: int
    dt: float
    scale: tuple[float, ...]
    features: tuple[str, ...]
    entities: tuple[str, ...]
    tasks: tuple[str, ...]
    periods: tuple[float, ...] = ()

    @property
    def distance(self) -> Float[np.ndarray, "M S N-1"]:
        """Distance of each entity between the two forecasts.

        If the data has positions x, y, z, it is the distance between positions. Otherwise, it is the root mean square
        over all features, each in units of its spread in the training data.
        """
        apart = self.without_entity - self.with_entity
        apart = wrapped(apart, np.array(self.periods or [0.0]))
        axes = [i for i, name in enumerate(self.features) if name in POSITIONS]
        if axes:
            return np.asarray(np.sqrt(np.square(apart[..., axes]).sum(-1)))
        return np.asarray(np.sqrt(np.square(apart / np.array(self.scale)).mean(-1)))

    @property
    def measured_in(self) -> str:
        """Description of `distance`, in words."""
        axes = [name for name in self.features if name in POSITIONS]
        return (
            f"distance in {', '.join(axes)}" if axes else "root mean square of all features, in units of their spread"
        )

    def table(self) -> pd.DataFrame:
        """Returns one row per task, frame and entity.

        Columns: `task, frame, time, entity`, then `F` and `F_without` for every feature F, then `distance`.
        """
        import pandas as pd  # here, since it is slow to load

        columns = frame_columns(self.tasks, self.entities, self.context, self.with_entity.shape[1], self.dt)
        for d, name in enumerate(self.features):
            columns[name] = self.with_entity[..., d].ravel()
            columns[f"{name}_without"] = self.without_entity[..., d].ravel()
        return pd.DataFrame(columns | {"distance": self.distance.ravel()})

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV, with all digits."""
        write_table(self.table(), path)

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file. An older file is replaced only when the new one is complete."""
        save_fields(self, (*ARRAYS, "context", "dt", *NAMES, "removed"), path, FORMAT_VERSION)
