"""Regression tasks in HDF5, in the layout of the published modular meta-learning code.

For each function two data sets in the root, `NAME-IN` with shape [points, inputs] and `NAME-OUT` with shape
[points, outputs]. The layout does not say which points are fitted: a reader draws them.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.regression import RegressionTasks

INPUT, OUTPUT = "-IN", "-OUT"


def library() -> ModuleType:
    """The package that reads and writes HDF5.

    Raises:
        InputError: it is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise InputError("HDF5 files need the package h5py; install it with: pip install 'bouncegrad[hdf5]'") from None
    return h5py


def read_hdf5(path: str | Path, *, fitted: int, held_out: int, seed: int = 0) -> RegressionTasks:
    """One task for each function in the file, at `fitted` + `held_out` of its points, drawn from the seed.

    Raises:
        InputError: h5py is missing, or the file is not of this layout or has too few points.
    """
    h5py, path = library(), Path(path)
    random = np.random.Generator(np.random.PCG64(seed))
    try:
        with h5py.File(path, "r") as file:
            names = sorted(key.removesuffix(INPUT) for key in file if key.endswith(INPUT))
            if lonely := [name for name in names if name + OUTPUT not in file]:
                raise InputError(f"{path}: {lonely[0]}{INPUT} has no {lonely[0]}{OUTPUT}; write both")
            pairs = [(rows(file[name + INPUT]), rows(file[name + OUTPUT])) for name in names]
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); give a file of the published layout") from None
    if not names:
        raise InputError(f"{path}: no data set ends in {INPUT}; give a file with NAME{INPUT} and NAME{OUTPUT}")
    chosen = []
    for name, (x, y) in zip(names, pairs, strict=True):
        if len(x) != len(y) or len(x) < fitted + held_out:
            raise InputError(
                f"{path}: {name} has {len(x)} inputs and {len(y)} outputs; {fitted + held_out} points are asked for, "
                "each with both"
            )
        if (x.shape[1], y.shape[1]) != (pairs[0][0].shape[1], pairs[0][1].shape[1]):
            raise InputError(f"{path}: {name} has other widths than {names[0]}; write one file for each")
        chosen.append(random.permutation(len(x))[: fitted + held_out])
    x, y = (np.stack([pair[side][rows] for pair, rows in zip(pairs, chosen, strict=True)]) for side in (0, 1))
    return RegressionTasks(x, y, fitted, tuple(names), str(path))


def write_hdf5(tasks: RegressionTasks, path: str | Path) -> None:
    """All points of every task, under its name.

    Raises:
        InputError: h5py is missing, or the path cannot be written.
    """
    h5py = library()
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name, x, y in zip(tasks.names, tasks.x, tasks.y, strict=True):
            file[name + INPUT], file[name + OUTPUT] = x, y


def rows(values: np.ndarray) -> np.ndarray:
    """One row a point, all else in one axis; a single number a point may come without an axis of its own."""
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(len(array), -1)
