"""What was found of entities that were not recorded: their tracks, and the edges of everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.files import replacing, save_arrays
from bouncegrad.results.forecast import frame_columns
from bouncegrad.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
ARRAYS = ("tracks", "determined", "apart")
NAMES = ("features", "units", "unseen", "tasks")


@dataclass(frozen=True, eq=False)
class Unseen:
    """H entities that were not recorded, in M tasks of C frames.

    Args:
        tracks: their states in the user's units, `Float[M, C, H, D]`.
        determined: whether the recordings tell where they were, `Bool[M]`: starts that explain as well agree.
        apart: how far such starts lie from each other, in units of the features' spread, `Float[M]`.
        result: edges among all entities; the unseen ones are the last.
        errors: mean squared error of forecasts of the visible ones, in the published normalisation, by how many
            unseen entities are assumed; empty where no frames were held out.
        dt: time between frames.
        features, units: names of the D features and of their units.
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
        """One row per task, frame and unseen entity: `task, frame, time, entity`, the features, and `determined`."""
        import pandas as pd  # here, since it is slow to load

        frames = self.tracks.shape[1]
        columns = frame_columns(self.tasks, self.unseen, 0, frames, self.dt)
        columns |= {name: self.tracks[..., d].ravel() for d, name in enumerate(self.features)}
        sure = np.where(self.determined, "yes", "no").repeat(frames * len(self.unseen))
        return pd.DataFrame(columns | {"determined": sure})

    def write_csv(self, path: str | Path) -> None:
        """Writes `table` as CSV; every digit is kept."""
        with replacing(path) as temporary:
            self.table().to_csv(temporary, index=False)

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file, replacing an older one only when complete; edges are saved apart, see `result`."""
        parts = {name: getattr(self, name) for name in (*ARRAYS, "dt", *NAMES)}
        save_arrays(path, {"format_version": FORMAT_VERSION, **parts})
