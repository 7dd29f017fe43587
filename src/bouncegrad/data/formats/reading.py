"""The options of reading, which `load` and `convert` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from bouncegrad.data.resampling import Step

if TYPE_CHECKING:
    import pandas as pd


class Reading(TypedDict, total=False):
    """How recordings are read. Every option may be left out or, except `velocities` and `angles`, be None.

    Args:
        edges: a file of true edges, which replaces the edges that the recordings come with. It is a table (task,
            source, target, type), a matrix or a vector, see `read_truth`. A pandas table (task, source, target, type)
            is accepted too.
        edges_order: `source` or `target`, by which the pairs in a vector of edges are sorted first.
        velocities: whether to add velocities that are derived from the positions, see `with_velocities`.
        time_step: the time between two frames, which replaces the time step that the format states.
        resample: the time between the new frames, or `usual`. States are interpolated at these frames, see
            `resampling.py`. Velocities are derived afterwards.
        angles: features that are angles, `phase` in radians or `heading:deg` in degrees, in addition to those that the
            format states. Differences of angles wrap around, see `angles.py`.
        groups: a table (task, group). Tasks of one group have one graph in common.
        kinds: a table (entity, kind). Entities of different kinds move by different laws.
    """

    edges: str | Path | pd.DataFrame | None
    edges_order: str | None
    velocities: bool
    time_step: float | None
    resample: Step | None
    angles: Sequence[str]
    groups: str | Path | None
    kinds: str | Path | None


OPTIONS = tuple(Reading.__annotations__)
"""The names of the options."""
