"""Reads places of body parts from memory: arrays of xarray, as `movement` makes them, and labels of sleap-io."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.keypoints import AXES, Points, recordings_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.table_folder import put_together
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
    """Returns the recordings in labels of sleap-io; each video is a task.

    Raises:
        InputError: there is no video, no place, or there are several animals without tracks.
    """
    name = Path(type(given).__name__)
    _require_no_columns(manner, name)
    if not all(hasattr(given, field) for field in ("videos", "tracks", "skeletons", "numpy")):
        raise InputError(f"{name}: holds no labels; give the Labels of sleap-io")
    if not len(given.videos) or not given.skeletons:
        raise InputError(f"{name}: has {len(given.videos)} videos and {len(given.skeletons)} skeletons; one is needed")
    videos = _video_names(given.videos)
    pieces = [_of_video(given, number, f"{name}, video {video}", manner) for number, video in enumerate(videos)]
    if len(pieces) == 1:
        return pieces[0]
    joined = put_together(pieces, videos, str(name))
    said = ("read as", f"{len(pieces)} videos, each is a task: {listed(videos, 3)}")
    return replace(joined, origin=(said, *pieces[0].origin))


def _video_names(videos: Sequence[Any]) -> list[str]:
    """Returns the names of the files of videos, without endings; numbers if these are not different."""
    files = [getattr(video, "filename", None) for video in videos]
    names = [Path(file).stem if isinstance(file, str) else "" for file in files]
    return names if len(set(names)) == len(names) and all(names) else list(map(str, range(len(videos))))


def _of_video(given: Any, number: int, where: str, manner: Manner) -> Trajectories:
    """Returns the recording of one video, with the tracks that have a place in it."""
    tracks = [str(track.name) for track in given.tracks]
    values = np.array(given.numpy(video=number, untracked=not tracks), np.float64)[..., :2]
    if not tracks and values.shape[1:2] != (1,):
        raise InputError(f"{where}: has several animals and no tracks; track the animals in SLEAP first")
    animals = tracks or ["animal"]
    if tracks and len(given.videos) > 1:  # tracks of other videos have no place in this one
        seen = np.flatnonzero(np.isfinite(values).any((0, 2, 3)))
        values, animals = values[:, seen], [tracks[i] for i in seen]
    parts = tuple(map(str, given.skeletons[0].node_names))
    if len(set(animals)) < len(animals):
        animals = [f"{i} {animal}" for i, animal in enumerate(animals)]
    return _of(values, (tuple(animals), parts), np.arange(len(values)), Path(where), manner, ())


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
