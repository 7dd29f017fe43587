"""Groups of tasks that have a graph in common: a table with the columns task and group."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, listed, read_cells
from bouncegrad.data.formats.edge_table import numbered
from bouncegrad.data.trajectories import Trajectories


def read_groups(path: Path, data: Trajectories) -> tuple[str, ...]:
    """The group of each task; further columns are not read.

    Raises:
        InputError: a column is missing, a task is not known, stands twice or not at all.
    """
    columns = header(path)
    if missing := [name for name in ("task", "group") if name not in columns]:
        raise InputError(f"{path}, line 1: no column {' and '.join(missing)} among {listed(columns)}; name it so")
    table = read_cells(path, columns, text=("task", "group"))
    task = numbered(table, "task", data.tasks, path, data.source)
    again = table["task"].duplicated()
    if again.any():
        raise InputError(f"{path}, line {again.idxmax()}: this task stood above already; keep one line for each")
    found = dict(zip(task.tolist(), table["group"], strict=True))
    if without := [name for i, name in enumerate(data.tasks) if i not in found]:
        raise InputError(f"{path}: no group for {len(without)} tasks, first {without[0]!r}; add a line for each")
    return tuple(found[i] for i in range(len(data.tasks)))
