"""What would be without one entity: the tracks of the others, with it and without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bouncegrad.data.angles import wrapped
from bouncegrad.data.files import replacing, save_arrays
from bouncegrad.data.trajectories import POSITIONS
from bouncegrad.results.forecast import frame_columns

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
ARRAYS = ("with_entity", "without_entity", "last", "removed_last", "distance")
NAMES = ("features", "entities", "tasks")


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """Tracks of the N - 1 entities that stay, S frames ahead, in the user's units.

    Args:
        with_entity: as everything is, `Float[M, S, N-1, D]`.
        without_entity: from the same states with the entity taken out, same shape.
        last: where both start, `Float[M, N-1, D]`.
        removed: name of the entity; `removed_number` its number, `removed_last` where it was, `Float[M, D]`.
        context: frames of each task that were looked at.
        dt: time between frames.
        scale: of each feature, from training.
        features, entities, tasks: names; `entities` are those that stay.
        periods: a whole turn of each feature that is an angle, 0 of others.
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
        """How far an entity is from where it would be: between positions x, y, z where there are any.

        Otherwise the root mean square over features, each in units of its spread in training.
        """
        apart = self.without_entity - self.with_entity
        apart = wrapped(apart, np.array(self.periods or [0.0]))
        axes = [i for i, name in enumerate(self.features) if name in POSITIONS]
        if axes:
            return np.asarray(np.sqrt(np.square(apart[..., axes]).sum(-1)))
        return np.asarray(np.sqrt(np.square(apart / np.array(self.scale)).mean(-1)))

    @property
    def measured_in(self) -> str:
        """What `distance` means, in words."""
        axes = [name for name in self.features if name in POSITIONS]
        return (
            f"distance in {', '.join(axes)}" if axes else "root mean square of all features, in units of their spread"
        )

    def table(self) -> pd.DataFrame:
        """One row per task, frame and entity: `task, frame, time, entity`, `F` and `F_without` of every feature F."""
        import pandas as pd  # here, since it is slow to load

        columns = frame_columns(self.tasks, self.entities, self.context, self.with_entity.shape[1], self.dt)
        for d, name in enumerate(self.features):
            columns[name] = self.with_entity[..., d].ravel()
            columns[f"{name}_without"] = self.without_entity[..., d].ravel()
        return pd.DataFrame(columns | {"distance": self.distance.ravel()})

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV; every digit is kept."""
        with replacing(path) as temporary:
            self.table().to_csv(temporary, index=False)

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file, replacing an older one only when complete."""
        parts = {name: getattr(self, name) for name in (*ARRAYS, "context", "dt", *NAMES, "removed")}
        save_arrays(path, {"format_version": FORMAT_VERSION, **parts})
