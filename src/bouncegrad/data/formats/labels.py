"""What tasks or entities belong to: tables with the columns task and group, or entity and kind."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, listed, read_cells
from bouncegrad.data.formats.edge_table import numbered
from bouncegrad.data.trajectories import Trajectories, plural


def read_labels(path: Path, data: Trajectories, of: str, label: str) -> tuple[str, ...]:
    """The label of each `task` or `entity`, as `of` says, from the column of its name; further columns are not read.

    Raises:
        InputError: a column is missing, a name is not known, stands twice or not at all.
    """
    columns, names = header(path), {"task": data.tasks, "entity": data.entities}[of]
    if missing := [name for name in (of, label) if name not in columns]:
        raise InputError(f"{path}, line 1: no column {' and '.join(missing)} among {listed(columns)}; name it so")
    table = read_cells(path, columns, text=(of, label))
    number = numbered(table, of, names, path, data.source)
    again = table[of].duplicated()
    if again.any():
        raise InputError(f"{path}, line {again.idxmax()}: this {of} stood above already; keep one line for each")
    found = dict(zip(number.tolist(), table[label], strict=True))
    if without := [name for i, name in enumerate(names) if i not in found]:
        what = plural(of, len(without))
        raise InputError(f"{path}: no {label} for {len(without)} {what}, first {without[0]!r}; add a line for each")
    return tuple(found[i] for i in range(len(names)))
