"""Reads labels: the group of each task (columns task, group) or the kind of each entity (columns entity, kind)."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, read_cells, require_present
from bouncegrad.data.formats.edge_table import numbered
from bouncegrad.data.trajectories import Trajectories, plural


def read_labels(path: Path, data: Trajectories, of: str, label: str) -> tuple[str, ...]:
    """Returns the label of each task or entity from a table. Further columns are not read.

    Args:
        path: the table.
        data: the recordings.
        of: `task` or `entity`, the column of names.
        label: the column of labels, such as `group` or `kind`.

    Raises:
        InputError: a column is missing, or a name is unknown, given twice or missing.
    """
    columns, names = header(path), {"task": data.tasks, "entity": data.entities}[of]
    require_present((of, label), columns, path, "name it so")
    table = read_cells(path, columns, text=(of, label))
    number = numbered(table, of, names, path, data.source)
    again = table[of].duplicated()
    if again.any():
        raise InputError(f"{path}, line {again.idxmax()}: this {of} is in a line above already; keep one line for each")
    found = dict(zip(number.tolist(), table[label], strict=True))
    if without := [name for i, name in enumerate(names) if i not in found]:
        what = plural(of, len(without))
        raise InputError(f"{path}: no {label} for {len(without)} {what}, first {without[0]!r}; add a line for each")
    return tuple(found[i] for i in range(len(names)))
