"""Reads and writes the folder of the published NRI generator: one file each for positions, velocities and edges.

In its matrices a row is a receiver, so they are transposed. Their diagonal is ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import write_array
from bouncegrad.data.formats.folders import PUBLISHED_DT, Folder, to_matrices
from bouncegrad.data.formats.format import Format, require_complete, require_no_stale_edges
from bouncegrad.data.trajectories import Trajectories

FOLDER = Folder(
    template="{kind}_{part}{name}.npy",
    name=".*",
    kinds=("loc", "vel", "edges"),
    spelling={"train": "train", "valid": "valid", "test": "test"},
)


def read(path: Path, part: str | None) -> Trajectories:
    """Returns one part with the features x, y, vx, vy (and z, vz in three dimensions); dt is the published one.

    Raises:
        InputError: a file is missing or damaged, or the files do not fit together.
    """
    chosen = FOLDER.choose(path, part)
    position, velocity = FOLDER.read("loc", chosen), FOLDER.read("vel", chosen)
    if position.ndim != 4 or not 1 <= position.shape[2] <= 3:
        raise InputError(
            f"{FOLDER.file('loc', chosen)}: shape {position.shape} is not (task, frame, dimension, entity) "
            "with 1 to 3 dimensions; transpose it"
        )
    if velocity.shape != position.shape:
        raise InputError(
            f"{FOLDER.file('vel', chosen)}: shape {velocity.shape}, but the positions have {position.shape}; "
            "both need the same tasks, frames, dimensions and entities"
        )
    m, _, d, n = position.shape
    edges, file = None, FOLDER.file("edges", chosen)
    if file.exists():
        values = FOLDER.read("edges", chosen)
        if values.shape != (m, n, n):
            raise InputError(
                f"{file}: shape {values.shape}, but {m} tasks of {n} entities (the last axis of the positions) "
                f"need {(m, n, n)} (task, receiver, sender); give the edges of these recordings"
            )
        edges = to_matrices(values[:, ~np.eye(n, dtype=bool)], n, file).transpose(0, 2, 1)
    x = np.ascontiguousarray(np.concatenate([position, velocity], axis=2).transpose(0, 1, 3, 2))
    return Trajectories(x, edges=edges, dt=PUBLISHED_DT, features=_features(d), source=str(path))


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes one part, with file names that have no suffix for the data set.

    Names, units and dt are lost, since the layout has no place for them.

    Raises:
        InputError: there are other features than positions and velocities, or unobserved cells, or the part is unknown.
    """
    chosen = FOLDER.chosen_for_writing(path, "", part)
    d = len(data.features) // 2
    if sorted(data.features) != sorted(_features(d)) or not 1 <= d <= 3:
        raise InputError(
            f"{path}: a Kipf folder holds positions and velocities (x, y, vx, vy), found {', '.join(data.features)}; "
            "save as .npz"
        )
    require_complete(data, path)
    require_no_stale_edges(data, FOLDER.file("edges", chosen))
    x = data.x[..., [data.features.index(name) for name in _features(d)]].transpose(0, 1, 3, 2)
    write_array(FOLDER.file("loc", chosen), x[:, :, :d])
    write_array(FOLDER.file("vel", chosen), x[:, :, d:])
    if data.edges is not None:
        write_array(FOLDER.file("edges", chosen), data.edges.transpose(0, 2, 1))


def _features(dimensions: int) -> tuple[str, ...]:
    axes = ("x", "y", "z")[:dimensions]
    return axes + tuple(f"v{axis}" for axis in axes)


KIPF = Format(
    name="kipf",
    layout="a Kipf folder with loc_, vel_ and edges_{train,valid,test}SUFFIX.npy",
    recognises=FOLDER.recognises,
    read=read,
    write=write,
    parts=FOLDER.parts,
    files=lambda path, part: FOLDER.files(path, "", part),
)
