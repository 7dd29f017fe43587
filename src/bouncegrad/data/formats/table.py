"""Reads and writes the long table: a CSV with one row for each task, time and entity, and a column for each feature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import TASK_WORDS, numbers, write_cells
from bouncegrad.data.formats.edge_table import edges_path, write_edges
from bouncegrad.data.formats.format import require_no_stale_edges
from bouncegrad.data.formats.grid import Grid
from bouncegrad.data.formats.order import coded
from bouncegrad.data.formats.plan import Plan
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.times import times
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("task", "time", "entity")


def from_cells(rows: pd.DataFrame, path: Path, manner: Manner, plan: Plan) -> Trajectories:
    """Returns the recordings in the rows of a long table; the index of the table holds line numbers.

    Args:
        rows: the table.
        path: the file, for messages.
        manner: the options of reading.
        plan: the roles of the columns.

    Raises:
        InputError: a cell is not a number, or the rows do not form a grid (see `Grid`).
    """
    columns = plan.columns
    assert columns.time is not None
    assert columns.entity is not None
    time = times(rows, columns.time, path, manner.fps)
    values = np.stack([numbers(rows, column, path, blank=True) for _, column in columns.features], axis=-1)
    task, tasks = (np.zeros(len(rows), np.int64), ("0",)) if columns.task is None else coded(rows[columns.task])
    entity, entities = coded(rows[columns.entity])
    order = np.lexsort((entity, time.values, task))
    line = rows.index.to_numpy()
    grid = Grid(path, task[order], time.values[order], entity[order], line[order], tasks, entities)
    data = grid.recordings(values[order], tuple(name for name, _ in columns.features), manner)
    return replace(data, origin=(("times", time.read_as),) if time.read_as else ())


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
