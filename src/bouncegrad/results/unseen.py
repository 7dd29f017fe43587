"""Inferred tracks of entities that were not recorded, and the edges among all entities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.by_name import by_name
from bouncegrad.results.forecast import frame_columns
from bouncegrad.results.result import Result
from bouncegrad.results.stored import save_fields, write_table

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
ARRAYS = ("tracks", "determined", "apart")
NAMES = ("features", "units", "unseen", "tasks")


@dataclass(frozen=True, eq=False)
class Unseen:
    """H entities that were not recorded ("unseen entities"), in M tasks of C frames.

    Their tracks are searched for several times, from different first tracks.

    Args:
        tracks: states of the unseen entities in the user's units, `Float[M, C, H, D]`.
        determined: whether the recordings determine the tracks, `Bool[M]`. It is true if all tracks that explain the
            recordings equally well agree.
        apart: distance between these tracks, in units of the spread of the features, `Float[M]`.
        result: edges among all entities; the unseen entities are the last ones.
        errors: mean squared forecast error of the recorded entities, in the published normalisation, by the assumed
            number of unseen entities. It is empty if no frames were held out.
        dt: time between frames.
        features: names of the D features.
        units: units of the D features.
    """

    tracks: Float[np.ndarray, "M C H D"]
    determined: Bool[np.ndarray, " M"]
    apart: Float[np.ndarray, " M"]
    result: Result
    errors: dict[int, float]
    dt: float
    features: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Names of the unseen entities."""
        return self.result.entities[len(self.result.entities) - self.tracks.shape[2] :]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return self.result.tasks

    def table(self) -> pd.DataFrame:
        """Returns one row per task, frame and unseen entity.

        Columns: `task, frame, time, entity`, the features, and `determined`.
        """
        import pandas as pd  # here, since it is slow to load

        frames = self.tracks.shape[1]
        columns = frame_columns(self.tasks, self.unseen, 0, frames, self.dt)
        columns |= {name: self.tracks[..., d].ravel() for d, name in enumerate(self.features)}
        answer = np.where(self.determined, "yes", "no").repeat(frames * len(self.unseen))
        return pd.DataFrame(columns | {"determined": answer})

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV, with all digits."""
        write_table(self.table(), path)

    def _repr_html_(self) -> str | None:
        card: str | None = by_name("results.notebook", "card_of")(self)
        return card

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file without the edges; `result.save` writes these.

        An older file is replaced only when the new one is complete.
        """
        save_fields(self, (*ARRAYS, "dt", *NAMES), path, FORMAT_VERSION)
