"""Reads and writes tables of true edges, `NAME_edges.csv` beside `NAME.csv`: task, source, target, type."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, listed, numbers, read_cells, require_present, write_cells
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.trajectories import MOST_TYPES, Trajectories

if TYPE_CHECKING:
    import pandas as pd


def edges_path(path: Path) -> Path:
    """Returns the path of the table of true edges that belongs to a table of recordings."""
    return path.with_name(f"{path.stem}_edges.csv")


def edges_beside(path: Path) -> Path | None:
    """Returns the path of the true edges of a table of recordings, or None if there is no such file."""
    return edges_path(path) if edges_path(path).exists() else None


def read_edges(path: Path, data: Trajectories, unlisted: int = 0) -> Int[np.ndarray, "M N N"]:
    """Returns the edge types `[source, target]` that a table states for these recordings.

    Further columns, such as probabilities, are not read. A pair that acts both ways is listed twice. A table without
    the column `task` holds for all tasks, as a matrix without tasks does.

    Args:
        path: the table.
        data: the recordings, whose tasks and entities the table names.
        unlisted: the type of pairs that the table does not list.

    Raises:
        InputError: names the line with an unknown task or entity, a self-edge, a pair given twice or a type that is
            not 0, 1, ...
    """
    columns = header(path)
    _require_columns(columns, path, data)
    return edges_from_cells(read_cells(path, columns, text=("task", "source", "target")), path, data, unlisted)


def _require_columns(columns: list[str], path: Path, data: Trajectories) -> None:
    needed = ["source", "target", "type"]
    require_present(needed, columns, path, f"edges of {data.source} need {', '.join(needed)}, and task if tasks differ")


def edges_from_cells(
    table: pd.DataFrame, path: Path, data: Trajectories, unlisted: int = 0
) -> Int[np.ndarray, "M N N"]:
    """Returns the edge types in the rows of a table, as `read_edges` does; the index of the table holds line numbers.

    Raises:
        InputError: as for `read_edges`.
    """
    _require_columns(list(table.columns), path, data)
    for_all = "task" not in table.columns
    if for_all:
        table = table.assign(task=data.tasks[0])
    task = numbered(table, "task", data.tasks, path, data.source)
    source = numbered(table, "source", data.entities, path, data.source)
    target = numbered(table, "target", data.entities, path, data.source)
    types = numbers(table, "type", path)
    pair = (task * len(data.entities) + source) * len(data.entities) + target
    again = np.ones(len(pair), dtype=bool)
    again[np.unique(pair, return_index=True)[1]] = False
    for wrong, found in (
        (
            (types < 0) | (types >= MOST_TYPES) | (types != np.round(types)),
            "the type is not 0, 1, ...; number the types from 0",
        ),
        (source == target, "source and target are the same entity; remove this line"),
        (again, "this task, source and target are in a line above already; keep one line for each"),
    ):
        if wrong.any():
            raise InputError(f"{path}, line {table.index[int(wrong.argmax())]}: {found}")
    require_loadable(16.0 * len(data.tasks) * len(data.entities) ** 2, math.inf, str(path))
    edges = np.full((len(data.tasks), len(data.entities), len(data.entities)), unlisted, dtype=np.int64)
    edges[:, range(len(data.entities)), range(len(data.entities))] = 0
    edges[slice(None) if for_all else task, source, target] = types
    return edges


def write_edges(data: Trajectories, path: Path) -> None:
    """Writes one line for each edge whose type is not 0 and known; only the header if there is no such edge."""
    assert data.edges is not None
    task, source, target = np.nonzero(data.edges > 0)
    tasks, entities = np.array(data.tasks, dtype=object), np.array(data.entities, dtype=object)
    columns = {"task": tasks[task], "source": entities[source], "target": entities[target]}
    write_cells(columns | {"type": data.edges[task, source, target]}, path)


def numbered(
    table: pd.DataFrame, column: str, names: tuple[str, ...], path: Path, source: str
) -> Int[np.ndarray, " rows"]:
    """Returns, for each cell of a column, its index in `names`.

    Raises:
        InputError: names the first line with another name.
    """
    number = table[column].map({name: i for i, name in enumerate(names)})
    unknown = number.isna().to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        what = "task" if column == "task" else "entity"
        raise InputError(
            f"{path}, line {table.index[row]}: {column} {table[column].iloc[row]!r} is no {what} of {source} "
            f"({listed(names)}); correct the name"
        )
    return number.to_numpy(np.int64)
