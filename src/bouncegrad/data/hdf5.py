"""Reads and writes regression tasks in HDF5, in the layout of the published modular meta-learning code.

The root holds two data sets for each function: `NAME-IN` with shape [points, inputs] and `NAME-OUT` with shape
[points, outputs]. The layout does not state which points are fitted, so the reader draws them at random.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.regression import RegressionTasks

INPUT, OUTPUT = "-IN", "-OUT"
VERSION = 1
# The errors that h5py raises on files of another kind, cut short, or with a wrong byte.
UNREADABLE = (OSError, LookupError, RuntimeError, TypeError, ValueError)


def library() -> ModuleType:
    """Returns the package that reads and writes HDF5.

    Raises:
        InputError: it is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise InputError("HDF5 files need the package h5py; install it with: pip install 'bouncegrad[hdf5]'") from None
    return h5py


def read_hdf5(path: str | Path, *, fitted: int, held_out: int, seed: int = 0) -> RegressionTasks:
    """Returns one task for each function in the file, at `fitted` + `held_out` of its points, drawn with the seed.

    Raises:
        InputError: h5py is missing, the file has another layout, or it has too few points.
    """
    h5py, path = library(), Path(path)
    try:
        with h5py.File(path, "r") as file:
            names = sorted(key.removesuffix(INPUT) for key in file if key.endswith(INPUT))
            if lonely := [name for name in names if name + OUTPUT not in file]:
                raise InputError(f"{path}: {lonely[0]}{INPUT} has no {lonely[0]}{OUTPUT}; write both")
            version = file.attrs.get("format_version", VERSION)
            if not isinstance(version, np.integer | int) or version > VERSION:
                raise InputError(f"{path}: has format {version!s:.20}, this version reads {VERSION}; update bouncegrad")
            sides = [[table_of(file, name + side, path) for side in (INPUT, OUTPUT)] for name in names]
            needed = 8.0 * sum(side.size for pair in sides for side in pair)
            require_loadable(needed, path.stat().st_size, str(path))
            pairs = [(x[()], y[()]) for x, y in sides]
    except InputError:
        raise
    except UNREADABLE as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as HDF5 ({why}); give a file of the published layout") from None
    if not names:
        raise InputError(f"{path}: no data set ends in {INPUT}; give a file with NAME{INPUT} and NAME{OUTPUT}")
    return RegressionTasks.from_pairs(pairs, fitted=fitted, held_out=held_out, seed=seed, names=names, source=str(path))


def table_of(file: Any, name: str, path: Path) -> Any:
    """Returns one data set of the file without reading its numbers.

    Raises:
        InputError: it is not a data set, does not hold numbers, or its numbers are in another file.
    """
    h5py = library()
    table = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(table, h5py.Dataset) or table.dtype.kind not in "fiu" or table.external or table.is_virtual:
        raise InputError(f"{path}: {name!r} is no table of numbers within this file; write it as one")
    return table


def write_hdf5(tasks: RegressionTasks, path: str | Path) -> None:
    """Writes all points of every task, under its name.

    Raises:
        InputError: h5py is missing, or the path cannot be written.
    """
    h5py = library()
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format_version"] = VERSION
        for name, x, y in zip(tasks.names, tasks.x, tasks.y, strict=True):
            file[name + INPUT], file[name + OUTPUT] = x, y
