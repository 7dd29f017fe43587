"""Reads places of body parts from memory: arrays of xarray, as `movement` makes them, and labels of sleap-io."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.keypoints import AXES, Points, recordings_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.times import times
from bouncegrad.data.trajectories import Trajectories

ANIMALS, PARTS = ("individuals", "individual"), ("keypoints", "keypoint")
SURE = ("DeepLabCut", "LightningPose")  # programs whose confidence is a probability, which `likelihood` is about


def from_xarray(given: Any, manner: Manner) -> Trajectories:
    """Returns the recording in a data set with the variable `position`, or in such an array itself.

    Raises:
        InputError: a dimension is missing or is not known, or the coordinates of space are not x, y, z.
    """
    name = Path(type(given).__name__)
    _require_no_columns(manner, name)
    place = given
    if hasattr(given, "data_vars"):
        if "position" not in given.data_vars:
            found = listed([str(one) for one in given.data_vars]) or "none"
            raise InputError(f"{name}: no variable position among {found}; give the array with the places itself")
        place = given["position"]
    dims = [str(dim) for dim in place.dims]
    animal, part = (next((word for word in words if word in dims), None) for words in (ANIMALS, PARTS))
    if not {"time", "space"} <= set(dims) or len(dims) > 2 + (animal is not None) + (part is not None):
        raise InputError(
            f"{name}: its dimensions are {', '.join(dims)}; needed are time, space, and individuals or keypoints or "
            "both: rename them"
        )
    axes = _names(place, "space") or AXES[: place.sizes["space"]]
    if not set(axes) <= set(AXES):
        raise InputError(f"{name}: the coordinates of space are {listed(list(axes))}; give places in x, y, z")
    order = [dim for dim in ("time", animal, part, "space") if dim is not None]
    values = _filled(np.array(place.transpose(*order).values, np.float64), 1, animal is None, part is None)
    values = values[..., [axes.index(axis) for axis in AXES if axis in axes]]
    said: tuple[tuple[str, str], ...] = ()
    program = getattr(given, "attrs", {}).get("source_software")
    if program in SURE and "confidence" in getattr(given, "data_vars", ()):
        sure = np.array(given["confidence"].transpose(*order[:-1]).values, np.float64)
        unlikely = _filled(sure, 1, animal is None, part is None) < manner.likelihood
        values[unlikely] = np.nan
        count = f"{int(unlikely.sum()):,} of {unlikely.size:,} places (--likelihood)"
        said = (("left out", f"confidence: below {manner.likelihood:g} a body part is missing, {count}"),)
    animals = _names(place, animal) if animal else ("animal",)
    parts = _names(place, part) if part else ("centre",)
    animals = animals or tuple(map(str, range(values.shape[1])))
    parts = parts or tuple(map(str, range(values.shape[2])))
    moments = place.coords["time"].values if "time" in place.coords else np.arange(len(values))
    return _of(values, (animals, parts), moments, name, manner, said)


def from_sleap(given: Any, manner: Manner) -> Trajectories:
    """Returns the recording in labels of sleap-io, of one video.

    Raises:
        InputError: there are several videos, no place, or several animals without tracks.
    """
    name = Path(type(given).__name__)
    _require_no_columns(manner, name)
    if not all(hasattr(given, field) for field in ("videos", "tracks", "skeletons", "numpy")):
        raise InputError(f"{name}: holds no labels; give the Labels of sleap-io")
    if len(given.videos) != 1 or not given.skeletons:
        raise InputError(f"{name}: has {len(given.videos)} videos; give the labels of one video, with its skeleton")
    animals = tuple(str(track.name) for track in given.tracks)
    values = np.array(given.numpy() if animals else given.numpy(untracked=True), np.float64)[..., :2]
    if not animals and values.shape[1:2] != (1,):
        raise InputError(f"{name}: has several animals and no tracks; track the animals in SLEAP first")
    parts = tuple(map(str, given.skeletons[0].node_names))
    if len(set(animals)) < len(animals):
        animals = tuple(f"{i} {animal}" for i, animal in enumerate(animals))
    return _of(values, (animals or ("animal",), parts), np.arange(len(values)), name, manner, ())


def _of(
    values: np.ndarray,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    moments: np.ndarray,
    source: Path,
    manner: Manner,
    said: tuple[tuple[str, str], ...],
) -> Trajectories:
    """Returns the recording, without the frames before the first and after the last place."""
    import pandas as pd

    if not np.isfinite(values).any():
        raise InputError(f"{source}: no body part has a place in any frame; give at least one recording")
    time = times(pd.DataFrame({"time": moments}), "time", source, manner.fps)
    said += (("times", time.read_as),) if time.read_as else ()
    points = Points(values, *names, time.values, np.arange(len(values)))
    return recordings_of(points, source, manner, said)


def _names(array: Any, dim: str) -> tuple[str, ...]:
    """Returns the names along a dimension; none if it has no coordinates."""
    return tuple(str(value) for value in array.coords[dim].values) if dim in array.coords else ()


def _filled(values: np.ndarray, at: int, no_animals: bool, no_parts: bool) -> np.ndarray:
    """Returns an array with axes of length 1 in place of missing ones."""
    values = np.expand_dims(values, at) if no_animals else values
    return np.expand_dims(values, at + 1) if no_parts else values


def _require_no_columns(manner: Manner, source: Path) -> None:
    if manner.columns is not None:
        raise InputError(f"{source}: option columns goes with a table, and this is none; leave it out")
