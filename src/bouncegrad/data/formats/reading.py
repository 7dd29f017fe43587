"""The options of reading, which `load` and `convert` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.roles import Columns, columns_of
from bouncegrad.data.resampling import Evenly, Step

if TYPE_CHECKING:
    import pandas as pd

LIKELIHOOD = 0.6  # what DeepLabCut itself takes
KEYPOINTS = ("entities", "features")


class Reading(TypedDict, total=False):
    """How recordings are read. Every option may be left out or, except the lists and switches, be None.

    Args:
        edges: a file of true edges, which replaces the edges that the recordings come with. It is a table (task,
            source, target, type), a matrix or a vector, see `read_truth`. A pandas table (task, source, target, type)
            is accepted too.
        edges_order: `source` or `target`, by which the pairs in a vector of edges are sorted first.
        velocities: whether to add velocities that are derived from the positions, see `with_velocities`.
        time_step: the time between two frames, which replaces the time step that the format states.
        fps: frames in a second, in place of a time step: a table counts frames, and an array has one a frame.
        resample: the time between the new frames, or `usual`. States are interpolated at these frames, see
            `resampling.py`. Velocities are derived afterwards.
        angles: features that are angles, `phase` in radians or `heading:deg` in degrees, in addition to those that the
            format states. Differences of angles wrap around, see `angles.py`.
        periodic: positions that wrap at the walls of a periodic box, with the size of the box, `x:10`, in addition to
            those that the format states.
        groups: a table (task, group). Tasks of one group have one graph in common.
        kinds: a table (entity, kind). Entities of different kinds move by different laws.
        columns: the columns of a table by their roles, as text `time=frame,entity=particle,task=video,features=[x,y]`
            or as a mapping with these keys; for an array the names of its features.
        keypoints: `entities` if each body part is an entity, `features` if it is a feature of its animal.
        likelihood: the bound of DeepLabCut; a body part with a lower likelihood is missing. By default 0.6.
        missing: numbers that stand for a lost state, such as `0,0`: a state whose first features have these values is
            missing.
        strict: whether to refuse recordings in which anything is missing.
        unit: what features are multiplied by, `x:0.01`, see `units.py`.
        origin: what is subtracted from features before that, `x:320`.
        same_unit: whether tasks in another unit than most are brought to the unit and the origin of most.
        unswap: whether names that two entities exchange in one step are exchanged back, see `exchanges.py`.
    """

    edges: str | Path | pd.DataFrame | None
    edges_order: str | None
    velocities: bool
    time_step: float | None
    fps: float | None
    resample: Step | None
    angles: Sequence[str]
    periodic: Sequence[str]
    groups: str | Path | None
    kinds: str | Path | None
    columns: str | Mapping[str, Any] | None
    keypoints: Literal["entities", "features"] | None
    likelihood: float | None
    missing: str | float | Sequence[float] | None
    strict: bool
    unit: Sequence[str]
    origin: Sequence[str]
    same_unit: bool
    unswap: bool


OPTIONS = tuple(Reading.__annotations__)
"""The names of the options."""


class Manner(NamedTuple):
    """How tables are read: the checked options that act before rows become frames.

    Args:
        evenly: the resampling that is asked for, or None.
        columns: the roles of columns that the user names, or None.
        keypoints: `entities`, `features`, or None for the choice of the layout.
        likelihood: the bound below which a body part is missing.
        fps: frames in a second, if times count frames.
        missing: numbers that stand for a lost state; empty if there are none.
    """

    evenly: Evenly | None = None
    columns: Columns | None = None
    keypoints: str | None = None
    likelihood: float = LIKELIHOOD
    fps: float | None = None
    missing: tuple[float, ...] = ()


def manner_of(reading: Reading) -> Manner:
    """Returns the options that act before rows become frames.

    Raises:
        InputError: one of them cannot be used.
    """
    resample = reading.get("resample")
    angles, periodic = tuple(reading.get("angles", ())), tuple(reading.get("periodic", ()))
    keypoints, fps, likelihood = reading.get("keypoints"), reading.get("fps"), reading.get("likelihood")
    if keypoints is not None and keypoints not in KEYPOINTS:
        raise InputError(f"option keypoints: {keypoints!r} cannot be used; give {' or '.join(KEYPOINTS)}")
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise InputError(f"option fps: {fps:g} cannot be used; give the frames in a second, such as 30")
    if fps is not None and reading.get("time_step") is not None:
        raise InputError("option fps: states the time step already; give fps or time_step, not both")
    if likelihood is not None and not 0 <= likelihood <= 1:
        raise InputError(f"option likelihood: {likelihood:g} cannot be used; give a number from 0 to 1")
    return Manner(
        evenly=None if resample is None else Evenly(resample, angles, periodic),
        columns=columns_of(reading.get("columns")),
        keypoints=keypoints,
        likelihood=LIKELIHOOD if likelihood is None else likelihood,
        fps=fps,
        missing=_numbers(reading.get("missing")),
    )


def _numbers(given: str | float | Sequence[float] | None) -> tuple[float, ...]:
    """Returns the numbers that stand for a lost state."""
    if given is None:
        return ()
    words = given.strip("[]() ").split(",") if isinstance(given, str) else np.ravel(given).tolist()
    try:
        found = tuple(float(word) for word in words)
    except (TypeError, ValueError):
        found = ()
    if not found or not np.isfinite(found).all():
        raise InputError(f"option missing: {str(given)[:60]!r} cannot be used; give the numbers of a lost state: 0,0")
    return found
