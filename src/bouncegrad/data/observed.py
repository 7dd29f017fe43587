"""Looks into recordings: the values that were observed, and names of places for messages."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.trajectories import Trajectories


def not_finite(data: Trajectories) -> Bool[np.ndarray, "M T N D"]:
    """Returns where an observed value is NaN or infinite."""
    bad = ~np.isfinite(data.x)
    return bad if data.mask is None else bad & data.mask[..., None]


def observed_values(data: Trajectories, feature: int) -> Float[np.ndarray, "M T N"]:
    """Returns a copy of one feature, with NaN where it was not observed or is not finite."""
    values = data.x[..., feature].astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    if data.mask is not None:
        values[~data.mask] = np.nan
    return values


def location(data: Trajectories, task: int, frame: int, entity: int, feature: int) -> str:
    """Returns the names of a task, frame, entity and feature, for messages."""
    return f"{moment(data, task, frame, entity)}, feature {data.features[feature]}"


def moment(data: Trajectories, task: int, frame: int, entity: int) -> str:
    """Returns the names of a task, frame and entity, for messages."""
    return f"task {data.tasks[task]}, frame {frame}, entity {data.entities[entity]}"
