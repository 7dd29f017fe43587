"""Reads and writes the long table: a CSV with one row for each task, time and entity, and a column for each feature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import TASK_WORDS, coded, header, listed, numbers, read_cells, write_cells
from bouncegrad.data.formats.edge_table import edges_beside, edges_path, write_edges
from bouncegrad.data.formats.format import Format, require_no_stale_edges
from bouncegrad.data.formats.grid import Grid
from bouncegrad.data.resampling import Evenly
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("task", "time", "entity")


def read(path: Path, part: str | None, evenly: Evenly | None = None) -> Trajectories:
    """Returns the recordings of a long table, whose rows may have any order.

    The time step is measured from the column `time`, or is that of `evenly`, by which states are resampled. An entity
    without a row, or with a blank cell in it, was not observed. A column `task` (or `run`, `case`, `simulation`) is
    needed only for more than one recording.

    Raises:
        InputError: a column is missing, a cell is not a number, or the rows do not form a grid (see `Grid`).
    """
    columns = header(path)
    require_columns(columns, path)
    return from_cells(read_cells(path, columns, text=("task", "entity")), path, evenly)


def require_columns(columns: list[str], path: Path) -> None:
    """Refuses columns that are not those of a long table, before the rows are read.

    Raises:
        InputError: names the columns.
    """
    features = tuple(name for name in columns if name not in KEYS)
    if not {"time", "entity"} <= set(columns) or not features:
        raise InputError(
            f"{path}, line 1: the columns are {listed(columns)}; needed are time, entity, one or more features, "
            f"and for more than one recording {' or '.join(TASK_WORDS)}: rename them"
        )


def from_cells(table: pd.DataFrame, path: Path, evenly: Evenly | None = None) -> Trajectories:
    """Returns the recordings in the rows of a long table, as `read` does; the index of the table holds line numbers.

    Raises:
        InputError: as for `read`.
    """
    columns = list(table.columns)
    require_columns(columns, path)
    features = tuple(name for name in columns if name not in KEYS)
    if table.empty:
        raise InputError(f"{path}: has a header but no rows; give at least one recording")
    if "task" not in columns:
        table = table.assign(task="0")
    time = numbers(table, "time", path)
    values = np.stack([numbers(table, name, path, blank=True) for name in features], axis=-1)
    (task, tasks), (entity, entities) = coded(table["task"]), coded(table["entity"])
    order = np.lexsort((entity, time, task))
    line = table.index.to_numpy()
    grid = Grid(path, task[order], time[order], entity[order], line[order], tasks, entities)
    return grid.recordings(values[order], features, evenly)


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes the long table, and beside it the table of edges if the true edges are known.

    Time starts at 0 in every task. Unobserved cells have no row. Units are lost: the layout has no place for them.

    Raises:
        InputError: a feature has the name of a key column, or an observed value is not finite.
    """
    columns = columns_of(data, path)
    data.require_finite()
    require_no_stale_edges(data, edges_path(path))
    if data.mask is not None:
        columns = {name: column[data.mask.ravel()] for name, column in columns.items()}
    write_cells(columns, path)
    if data.edges is not None:
        write_edges(data, edges_path(path))


def columns_of(data: Trajectories, path: Path) -> dict[str, np.ndarray]:
    """Returns the columns of the long table, by name; time starts at 0 in every task.

    Raises:
        InputError: a feature has the name of a key column.
    """
    if taken := [name for name in data.features if name in (*KEYS, *TASK_WORDS)]:
        raise InputError(f"{path}: the feature {taken[0]} would be read as that key column; rename it or save as .npz")
    m, t, n, _ = data.shape
    columns = {
        "task": np.repeat(np.array(data.tasks, dtype=object), t * n),
        "time": np.tile(np.repeat([float(f"{k * data.dt:.12g}") for k in range(t)], n), m),
        "entity": np.tile(np.array(data.entities, dtype=object), m * t),
    }
    return columns | {name: data.x[..., i].ravel() for i, name in enumerate(data.features)}


TABLE = Format(
    name="csv",
    layout="a .csv table with the columns task, time, entity and one for each feature",
    recognises=lambda path: path.suffix == ".csv" and path.is_file(),
    read=read,
    resampled=lambda path, evenly: read(path, None, evenly),
    write=write,
    suffix=".csv",
    edges_beside=edges_beside,
    files=lambda path, part: (path, edges_path(path)),
)
