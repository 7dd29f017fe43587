"""Reads and writes the wide table: a CSV with one row for each frame, and one column for each entity and feature.

A column is named `entity:feature`, or with an underscore `entity_feature` or `feature_entity`. `read_columns` describes
how the names decide which of the two it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import coded, header, listed, numbers, read_cells, write_cells
from bouncegrad.data.formats.edge_table import edges_beside, edges_path, write_edges
from bouncegrad.data.formats.format import Format, require_no_stale_edges
from bouncegrad.data.formats.grid import Grid
from bouncegrad.data.resampling import Evenly
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("task", "time")
KNOWN_FEATURES = frozenset((*POSITIONS, *VELOCITIES))
REMEDY = "name all columns entity:feature, such as a:x"


def read(path: Path, part: str | None, evenly: Evenly | None = None) -> Trajectories:
    """Returns the recordings of a wide table, whose rows may have any order.

    The time step is measured from the column `time`, or is that of `evenly`, by which states are resampled. Without a
    column `time`, rows are frames in the order of the file, and dt is 1. An entity with a blank cell, or without a row,
    was not observed. A column `task` (or `run`, `case`, `simulation`) is needed only for more than one recording.

    Raises:
        InputError: the name of a column is ambiguous, an entity lacks one of the features, a cell is not a number, or
            the rows do not form a grid (see `Grid`).
    """
    columns = header(path)
    read_columns(path, [name for name in columns if name not in KEYS])  # checked before the rows, which may be many
    return from_cells(read_cells(path, columns, text=("task",)), path, evenly)


def from_cells(table: pd.DataFrame, path: Path, evenly: Evenly | None = None) -> Trajectories:
    """Returns the recordings in the rows of a wide table, as `read` does; the index of the table holds line numbers.

    Raises:
        InputError: as for `read`.
    """
    import pandas as pd

    columns = list(table.columns)
    pairs = read_columns(path, [name for name in columns if name not in KEYS])
    features = tuple(dict.fromkeys(feature for _, feature in pairs))
    _, entities = coded(pd.Series([entity for entity, _ in pairs]))
    for entity in entities:
        for feature in features:
            if (entity, feature) not in pairs:
                raise InputError(
                    f"{path}, line 1: entity {entity} has no column for the feature {feature} of the others; add it, "
                    "or leave that feature out"
                )
    if table.empty:
        raise InputError(f"{path}: has a header but no rows; give at least one recording")
    line = table.index.to_numpy()
    task, tasks = coded(table["task"]) if "task" in columns else (np.zeros(len(line), dtype=np.int64), ("0",))
    time = numbers(table, "time", path) if "time" in columns else _counted(task)
    values = np.stack([[numbers(table, pairs[entity, f], path, blank=True) for f in features] for entity in entities])
    # From here on there is a row for each entity, as in the long table.
    rows = [np.repeat(column, len(entities)) for column in (task, time, line)]
    who = np.tile(np.arange(len(entities)), len(table))
    order = np.lexsort((who, rows[1], rows[0]))
    grid = Grid(path, rows[0][order], rows[1][order], who[order], rows[2][order], tasks, entities)
    return grid.recordings(values.transpose(2, 0, 1).reshape(-1, len(features))[order], features, evenly)


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes a wide table with columns `entity:feature`, and beside it the table of edges if the true edges are known.

    Time starts at 0 in every task. Unobserved cells are blank. Units are lost, since the layout has no place for them.

    Raises:
        InputError: a name contains a colon, or an observed value is not finite.
    """
    if colon := [name for name in (*data.entities, *data.features) if ":" in name]:
        raise InputError(f"{path}: the name {colon[0]!r} has a colon, which separates entity and feature; rename it")
    data.require_finite()
    require_no_stale_edges(data, edges_path(path))
    m, t, _, _ = data.shape
    columns = {
        "task": np.repeat(np.array(data.tasks, dtype=object), t),
        "time": np.tile([float(f"{k * data.dt:.12g}") for k in range(t)], m),
    }
    x = data.x if data.mask is None else np.where(data.mask[..., None], data.x, np.nan)
    for i, entity in enumerate(data.entities):
        columns |= {f"{entity}:{name}": x[:, :, i, j].ravel() for j, name in enumerate(data.features)}
    write_cells(columns, path)
    if data.edges is not None:
        write_edges(data, edges_path(path))


def read_columns(path: Path, columns: Sequence[str]) -> dict[tuple[str, str], str]:
    """Returns the column of each (entity, feature).

    If every name has a colon, the entity is the part before it. Otherwise all names are divided at their first
    underscore, or all at their last one. The part at the outer end must then be a known feature (x, y, z, vx, vy, vz)
    in all columns, or the number of an entity in all columns. Exactly one of these readings must be possible.

    Raises:
        InputError: no reading is possible, or several are.

    Example:
        >>> list(read_columns(Path("a.csv"), ["x_1", "y_1"]))
        [('1', 'x'), ('1', 'y')]
    """
    if all(":" in name for name in columns):
        wrong = [name for name in columns if name.count(":") > 1 or "" in _cut(name, ":", first=True)]
        if wrong:
            raise InputError(
                f"{path}, line 1: column {wrong[0]!r} is not one entity, a colon and one feature; rename it"
            )
        readings = [[_cut(name, ":", first=True) for name in columns]]
    else:
        lost = [name for name in columns if ":" in name or "" in _cut(name, "_", first=True)]
        if lost:
            raise InputError(
                f"{path}, line 1: column {lost[0]!r} does not say entity and feature like the others "
                f"({listed([name for name in columns if name != lost[0]], 3)}); "
                f"{REMEDY}, leave the column out, or for a long table call one column entity"
            )
        readings = _readings(columns)
    if len(readings) != 1:
        raise InputError(
            f"{path}, line 1: names such as {columns[0]!r} do not say which part is the entity; {REMEDY}, or use an "
            f"underscore and one of {', '.join((*POSITIONS, *VELOCITIES))} in all names"
        )
    return dict(zip(readings[0], columns, strict=True))


def _readings(columns: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Returns the different ways to read names with underscores as (entity, feature)."""
    found: list[list[tuple[str, str]]] = []
    for first in (True, False):
        parts = [_cut(name, "_", first=first) for name in columns]
        ends = [head if first else tail for head, tail in parts]
        rests = [tail if first else head for head, tail in parts]
        for possible, pairs in (
            (set(ends) <= KNOWN_FEATURES, list(zip(rests, ends, strict=True))),
            (all(end.isdecimal() for end in ends), list(zip(ends, rests, strict=True))),
        ):
            if possible and pairs not in found:
                found.append(pairs)
    return found


def _cut(name: str, mark: str, *, first: bool) -> tuple[str, str]:
    head, _, tail = name.partition(mark) if first else name.rpartition(mark)
    return head, tail


def _counted(task: np.ndarray) -> np.ndarray:
    """Returns the number of each row among the rows of its task."""
    order = np.argsort(task, kind="stable")
    starts = np.searchsorted(task[order], task[order])
    number = np.empty(len(task))
    number[order] = np.arange(len(task)) - starts
    return number


def is_wide(columns: Sequence[str]) -> bool:
    """Returns whether columns are those of a wide table: none is called entity, but names contain an entity."""
    return not {"entity", "source", "target"} & set(columns) and any(":" in c or "_" in c for c in columns)


def _recognises(path: Path) -> bool:
    if path.suffix != ".csv" or not path.is_file():
        return False
    try:
        columns = header(path)
    except InputError:
        return False  # the reader of the long table refuses it and says why
    return is_wide(columns)


WIDE = Format(
    name="wide",
    layout="a wide .csv table with the columns time and entity:feature",
    recognises=_recognises,
    read=read,
    resampled=lambda path, evenly: read(path, None, evenly),
    write=write,
    suffix=".csv",
    edges_beside=edges_beside,
    files=lambda path, part: (path, edges_path(path)),
)
