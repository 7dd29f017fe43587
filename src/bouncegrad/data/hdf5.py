"""Regression tasks in HDF5, in the layout of the published modular meta-learning code.

For each function two data sets in the root, `NAME-IN` with shape [points, inputs] and `NAME-OUT` with shape
[points, outputs]. The layout does not say which points are fitted: a reader draws them.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

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
    try:
        with h5py.File(path, "r") as file:
            names = sorted(key.removesuffix(INPUT) for key in file if key.endswith(INPUT))
            if lonely := [name for name in names if name + OUTPUT not in file]:
                raise InputError(f"{path}: {lonely[0]}{INPUT} has no {lonely[0]}{OUTPUT}; write both")
            pairs = [(file[name + INPUT][()], file[name + OUTPUT][()]) for name in names]
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); give a file of the published layout") from None
    if not names:
        raise InputError(f"{path}: no data set ends in {INPUT}; give a file with NAME{INPUT} and NAME{OUTPUT}")
    return RegressionTasks.from_pairs(pairs, fitted=fitted, held_out=held_out, seed=seed, names=names, source=str(path))


def write_hdf5(tasks: RegressionTasks, path: str | Path) -> None:
    """All points of every task, under its name.

    Raises:
        InputError: h5py is missing, or the path cannot be written.
    """
    h5py = library()
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name, x, y in zip(tasks.names, tasks.x, tasks.y, strict=True):
            file[name + INPUT], file[name + OUTPUT] = x, y
