"""Tracks that stay on disk. The tracks of a visit are read and scaled when needed, so any number of tasks fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.data.angles import without_seams
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories


class StreamedTracks:
    """Scaled states `Float[M, T, N, D]` of memory-mapped recordings without gaps; indexed by task.

    `(x - shift) / scale`, computed in double precision, stored in single, as for tracks that are kept in memory.

    Args:
        data: recordings.
        scaling: of their states.
    """

    def __init__(self, data: Trajectories, scaling: Scaling) -> None:
        self.x, self.shape = data.x, torch.Size(data.shape)
        self.periods = data.periods
        self.shift, self.scale = np.array(scaling.shift), np.array(scaling.scale)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, tasks: Any) -> Float[Tensor, "B T N D"]:
        rows = self.x[tasks.cpu().numpy() if isinstance(tasks, Tensor) else tasks]
        rows = without_seams(np.asarray(rows, dtype=np.float64), None, self.periods)
        # To the default device: recordings are arrays, and tasks may be a slice.
        return torch.as_tensor(((rows - self.shift) / self.scale).astype(np.float32))
