"""Reads and writes the own format, one `.npz` archive whose keys are the fields of `Trajectories`; and reads `.npy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import one_number, read_archive, read_array, write_archive
from bouncegrad.data.formats.chosen import unnamed
from bouncegrad.data.formats.format import Format
from bouncegrad.data.trajectories import Trajectories

VERSION = 1
NAMES = ("features", "entities", "units", "tasks", "angles", "periodic", "groups", "kinds")
KEYS = ("x", "state", "mask", "edges", "dt", *NAMES, "format_version")


def read(path: Path, part: str | None) -> Trajectories:
    """Returns the recordings of an own archive. Only the key `x`, which may also be called `state`, is required.

    Raises:
        InputError: the archive is damaged or of a later version, or its arrays do not fit together.
    """
    arrays = read_archive(path, KEYS, "rename or remove the others (edges holds one structure for each task)")
    version = one_number(arrays.pop("format_version", np.array(VERSION)), "format_version", path)
    if version > VERSION:
        raise InputError(f"{path}: format_version {version:g} is newer than {VERSION}; update bouncegrad")
    states = [key for key in ("x", "state") if key in arrays]
    if len(states) != 1:
        found = "both x and state" if states else f"{', '.join(arrays) or 'no key'} but no x"
        raise InputError(f"{path}: has {found}; give the states once, as x (task, frame, entity, feature)")
    names: dict[str, Any] = {key: _names(arrays[key], key, path) for key in NAMES if key in arrays}
    data = Trajectories(
        x=arrays[states[0]],
        mask=arrays.get("mask"),
        edges=arrays.get("edges"),
        dt=one_number(arrays.get("dt", np.array(1.0)), "dt", path),
        source=str(path),
        **names,
    )
    return data if "features" in names else unnamed(data)


def read_bare(path: Path, part: str | None) -> Trajectories:
    """Returns the recordings of a bare array.

    Raises:
        InputError: the file is damaged, holds Python objects, or its array has other axes.
    """
    try:
        return unnamed(Trajectories(read_array(path), source=str(path)))
    except InputError as error:
        if "pickled" in str(error) and path.stem.startswith("traj"):
            raise InputError(
                f"{path}: holds Python objects (pickled), as idtracker.ai writes them, which could run code; give its "
                "table trajectories_csv/trajectories.csv or its file trajectories.h5"
            ) from None
        raise


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes everything that `data` holds, uncompressed."""
    arrays = {"format_version": np.array(VERSION), "x": data.x, "dt": np.array(data.dt)}
    arrays |= {key: value for key, value in (("mask", data.mask), ("edges", data.edges)) if value is not None}
    write_archive(path, arrays | {key: np.array(getattr(data, key)) for key in NAMES if getattr(data, key)})


def _names(array: np.ndarray, key: str, path: Path) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind not in "Uiu":
        raise InputError(
            f"{path}: {key} must be a list of names, found {array.dtype} of shape {array.shape}; save one text for each"
        )
    return tuple(map(str, array.tolist()))


ARCHIVE = Format(
    name="npz",
    layout="a .npz archive with the key x (task, frame, entity, feature)",
    recognises=lambda path: path.suffix == ".npz" and path.is_file(),
    read=read,
    write=write,
    suffix=".npz",
)

ARRAY = Format(
    name="npy",
    layout="a .npy array (task, frame, entity, feature)",
    recognises=lambda path: path.suffix == ".npy" and path.is_file(),
    read=read_bare,
    suffix=".npy",
)
