"""Reads and writes the folder of the published modular meta-learning code: states and edge vectors.

Its edge vectors list all pairs, sorted by sender, then receiver.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import write_array
from bouncegrad.data.formats.folders import PUBLISHED_DT, PUBLISHED_FEATURES, Folder, to_matrices
from bouncegrad.data.formats.format import Format, require_complete, require_no_stale_edges
from bouncegrad.data.trajectories import Trajectories

FOLDER = Folder(
    template="{kind}_{name}_{part}.npy",
    name=".+",
    kinds=("state", "edges"),
    spelling={"train": "train", "valid": "val", "test": "test"},
)


def read(path: Path, part: str | None) -> Trajectories:
    """Returns one part; dt is the published one.

    Raises:
        InputError: a file is damaged, or the files do not fit together.
    """
    chosen = FOLDER.choose(path, part)
    recordings = Trajectories(FOLDER.read("state", chosen), source=str(FOLDER.file("state", chosen)))
    m, _, n, _ = recordings.shape
    edges, file = None, FOLDER.file("edges", chosen)
    if file.exists():
        values = FOLDER.read("edges", chosen)
        if values.shape != (m, n * (n - 1)):
            raise InputError(
                f"{file}: shape {values.shape}, but {m} tasks of {n} entities need {(m, n * (n - 1))} "
                "(task, pair by sender, then receiver, no self-edges); give the edges of these recordings"
            )
        edges = to_matrices(values, n, file)
    return Trajectories(recordings.x, edges=edges, dt=PUBLISHED_DT, source=str(path))


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes one part, with files named after the folder.

    Names, units and dt are lost, since the layout has no place for them.

    Raises:
        InputError: there are four features that would be read as x, y, vx, vy, or unobserved cells, or the part is
            unknown.
    """
    if len(data.features) == len(PUBLISHED_FEATURES) and data.features != PUBLISHED_FEATURES:
        raise InputError(
            f"{path}: an Alet folder names no features, {', '.join(data.features)} would be read as "
            f"{', '.join(PUBLISHED_FEATURES)}; save as .npz"
        )
    chosen = FOLDER.chosen_for_writing(path, path.resolve().name, part)
    require_complete(data, path)
    require_no_stale_edges(data, FOLDER.file("edges", chosen))
    write_array(FOLDER.file("state", chosen), data.x)
    if data.edges is not None:
        write_array(FOLDER.file("edges", chosen), data.edges[:, ~np.eye(len(data.entities), dtype=bool)])


ALET = Format(
    name="alet",
    layout="an Alet folder with state_ and edges_NAME_{train,val,test}.npy",
    recognises=FOLDER.recognises,
    read=read,
    write=write,
    parts=FOLDER.parts,
    files=lambda path, part: FOLDER.files(path, path.resolve().name, part),
)
