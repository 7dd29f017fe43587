"""Reads a folder of tables in text with the same columns as one data set: each file is a task, or several.

The tables may be of any program whose single files are read. A task has the name of its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.edge_arrays import read_truth
from bouncegrad.data.formats.edge_table import edges_path
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.grid import TOLERANCE
from bouncegrad.data.formats.order import natural, sorted_names
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.resampling import FEW, SPARSEST
from bouncegrad.data.trajectories import Trajectories

SUFFIXES = (".csv", ".tsv")
OTHERS = ("kinds", "groups", "edges", "known")  # tables that are no recordings


def files_of(folder: Path) -> list[Path]:
    """Returns the tables of recordings in a folder, in natural order of their names."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()]
    edges = {edges_path(file) for file in found}
    used = [file for file in found if file not in edges and file.stem not in OTHERS and not file.name.startswith(".")]
    return sorted(used, key=lambda file: natural(file.name))


def read(folder: Path, manner: Manner, forms: Sequence[Format]) -> Trajectories:
    """Returns the recordings of all tables in a folder.

    Raises:
        InputError: a table cannot be read; or its features, its time step or its units differ from those of the first.
    """
    read_one = [(file, next(form for form in forms if form.recognises(file))) for file in files_of(folder)]
    pieces = []
    for file, form in read_one:
        assert form.read_as is not None  # all tables in text have columns
        data = form.read_as(file, manner)
        if (beside := form.edges_beside(file)) is not None:
            data = replace(data, edges=read_truth(beside, data, None))
        pieces.append(data)
        _require_alike(file, data, read_one[0][0], pieces[0])
    joined = put_together(pieces, [file.stem for file, _ in read_one], str(folder))
    said = ("read as", f"{len(pieces)} files, each is a task: {listed([file.name for file, _ in read_one], 3)}")
    return replace(joined, origin=(said, *pieces[0].origin))


def put_together(pieces: Sequence[Trajectories], names: Sequence[str], source: str) -> Trajectories:
    """Returns the tasks of several recordings as one data set; all have the entities of all, some never observed.

    Raises:
        InputError: hardly any cell would be filled, since the recordings have other entities.
    """
    found = list(dict.fromkeys(entity for piece in pieces for entity in piece.entities))
    entities = tuple(found[i] for i in sorted_names(found))
    counts = [len(piece.tasks) for piece in pieces]
    m, t, n, d = sum(counts), max(piece.shape[1] for piece in pieces), len(entities), pieces[0].shape[3]
    cells = sum(piece.x[..., 0].size for piece in pieces)
    if m * t * n > max(SPARSEST * cells, FEW):
        raise InputError(f"{source}: files have {n:,} entities in all, few in common; make a data set of each file")
    x, mask = np.full((m, t, n, d), np.nan), np.zeros((m, t, n), bool)
    edges = np.full((m, n, n), -1) * (1 - np.eye(n, dtype=np.int64))
    start = 0
    for piece, count in zip(pieces, counts, strict=True):
        tasks, frames = slice(start, start + count), piece.shape[1]
        who = [entities.index(entity) for entity in piece.entities]
        x[tasks, :frames, who] = piece.x
        there = np.ones(piece.shape[:3], bool) if piece.mask is None else piece.mask
        mask[tasks, :frames, who] = there
        if piece.edges is not None:
            edges[tasks, np.array(who)[:, None], np.array(who)] = piece.edges
        start += count
    tasks_of = [
        name if count == 1 else f"{name} {task}"
        for name, count, piece in zip(names, counts, pieces, strict=True)
        for task in piece.tasks
    ]
    known = any(piece.edges is not None for piece in pieces)
    return Trajectories(
        x,
        mask=mask,
        edges=edges if known else None,
        dt=pieces[0].dt,
        features=pieces[0].features,
        entities=entities,
        units=pieces[0].units,
        tasks=tuple(tasks_of),
        source=source,
        resampling=pieces[0].resampling,
    )


def _require_alike(file: Path, data: Trajectories, first: Path, other: Trajectories) -> None:
    """Refuses a table that does not fit the first one."""
    if data.features != other.features or data.units != other.units:
        raise InputError(
            f"{file}: its features are {listed(list(data.features))}, those of {first.name} "
            f"{listed(list(other.features))}; give all files of this folder the same columns, or move others away"
        )
    if abs(data.dt - other.dt) > TOLERANCE * other.dt:
        raise InputError(
            f"{file}: its time step is {data.dt:g}, that of {first.name} {other.dt:g}; resample to one step with "
            f"--resample {other.dt:g}"
        )


def folder_of(forms: Sequence[Format]) -> Format:
    """Returns the format of a folder whose files have one of these formats, each recognised by its file."""

    def recognises(path: Path) -> bool:
        if not path.is_dir():
            return False
        files = files_of(path)
        return len(files) > 1 and all(any(form.recognises(file) for form in forms) for file in files)

    return Format(
        name="tables",
        layout="tables with the same columns (one task for each file)",
        recognises=recognises,
        read=lambda path, part: read(path, Manner(), forms),
        read_as=lambda path, manner: read(path, manner, forms),
    )
