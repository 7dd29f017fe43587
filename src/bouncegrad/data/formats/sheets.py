"""Reads tables that have a header of one line or two, long or wide, of this package or of another program.

`plan.py` decides the role of each column, `table.py` reads long tables and `wide.py` wide ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import table, wide
from bouncegrad.data.formats.cells import UNNAMED, raw_header, read_rows, require_named
from bouncegrad.data.formats.dialect import cells_of_first_lines, has_no_header, is_number, is_table
from bouncegrad.data.formats.edge_table import edges_beside, edges_path
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.headers import header_of
from bouncegrad.data.formats.layouts import LAYOUTS, layout_of
from bouncegrad.data.formats.plan import Plan, plan_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import POSITIONS, Trajectories, plural

if TYPE_CHECKING:
    import pandas as pd

MOST_UNITS = 3  # lines of words below the header, as TrackMate writes them


def read(path: Path, manner: Manner) -> Trajectories:
    """Returns the recordings of a table in text, whose rows may have any order.

    The time step is measured from the column of times, or is that of the resampling. An entity without a row, or with a
    blank cell in it, was not observed.

    Raises:
        InputError: a column is missing or ambiguous, a cell is not a number, or the rows do not form a grid (see
            `Grid`).
    """
    if has_no_header(path):
        names, skipped = [str(i + 1) for i in range(len(raw_header(path)))], 0
        if manner.columns is None:
            features = ",".join(f"{axis}={i}" for axis, i in zip(POSITIONS, range(3, 1 + len(names)), strict=False))
            signals = ",".join(names[1:4]) + (",..." if len(names) > 4 else "")
            raise InputError(
                f"{path}, line 1: holds {len(names)} numbers and no names; write the column names there, or number the "
                f"columns: --columns 'time=1,entity=2,features=[{features or 'COLUMN'}]', or for one signal in each "
                f"column: --columns 'time=1,features=[{signals or 'COLUMN'}]'"
            )
    else:
        names, skipped = header_of(path)
    plan = plan_of(names, path, manner)
    if plan.columns.entity is None:
        wide.read_columns(path, plan, manner)  # checked before the rows, which may be many
    text = [name for name in (plan.columns.task, plan.columns.entity) if name is not None]
    if skipped and plan.layout is not None and plan.layout.name == "trackmate":
        skipped += _words_below(path)
    rows = read_rows(path, names, text, skipped)
    return from_rows(rows, path, manner, plan)


def from_rows(rows: pd.DataFrame, path: Path, manner: Manner, plan: Plan) -> Trajectories:
    """Returns the recordings in the rows of a table; the index of the table holds line numbers.

    Raises:
        InputError: as for `read`.
    """
    if rows.empty:
        raise InputError(f"{path}: has a header but no rows; give at least one recording")
    if UNNAMED in rows.columns:
        _require_counting(rows, path)
    said: list[str] = []
    if plan.layout is not None:
        rows, said = _tracked(rows, plan)
        plan = _without_flat(rows, plan)
        if rows.empty:
            raise InputError(f"{path}: {', '.join(said)}, and no row is left; track the spots first")
    require_named(rows, [name for name in (plan.columns.task, plan.columns.entity) if name is not None], path)
    reader = wide.from_cells if plan.columns.entity is None else table.from_cells
    data = reader(rows, path, manner, plan)
    return replace(data, origin=(*plan.rows(), *(("rows", line) for line in said), *data.origin))


def _tracked(rows: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, list[str]]:
    """Returns the rows that belong to a track, and lines that say which ones are left out."""
    layout, said = plan.layout, []
    assert layout is not None
    if layout.untracked:
        blank = rows[plan.columns.entity].isna()
        if blank.any():
            said.append(f"{int(blank.sum()):,} left out: {layout.untracked}")
            rows = rows[~blank]
    if layout.name == "movebank" and "visible" in rows.columns:
        hidden = rows["visible"].astype(str).str.lower() == "false"
        if hidden.any():
            count = int(hidden.sum())
            said.append(f"{count:,} {plural('row', count)} with visible = false left out")
            rows = rows[~hidden]
    return rows, said


def _without_flat(rows: pd.DataFrame, plan: Plan) -> Plan:
    """Returns the plan without the third dimension of a program, if it has one value only."""
    flat = [column for name, column in plan.columns.features if name == "z" and rows[column].nunique() <= 1]
    features = tuple((name, column) for name, column in plan.columns.features if column not in flat)
    left = tuple((column, "has one value only, as in a plane") for column in flat)
    return plan._replace(columns=plan.columns._replace(features=features), left_out=(*plan.left_out, *left))


def _require_counting(rows: pd.DataFrame, path: Path) -> None:
    """Refuses a first column without a name that does more than count rows, since it may be the time."""
    cells = rows[UNNAMED]
    counts = cells.dtype.kind in "iu" and bool((np.diff(cells.to_numpy()) == 1).all())
    if not counts:
        raise InputError(f"{path}, line 1: column 1 has no name; name it, or leave it out")


def _words_below(path: Path) -> int:
    """Returns the number of lines of words and units below the header, which hold no number."""
    words = [not any(map(is_number, cells)) for cells in cells_of_first_lines(path, 1 + MOST_UNITS)[1:]]
    return words.index(False) if False in words else len(words)


def _names(path: Path) -> list[str]:
    """Returns the names of the columns of a table; none if it is no table or has no header."""
    if not is_table(path) or has_no_header(path):
        return []
    try:
        return header_of(path)[0]
    except InputError:
        return []  # the reader refuses it and says why


def _is_tracks_of(program: str, path: Path) -> bool:
    layout = layout_of(_names(path))
    return layout is not None and layout.name == program


def _is_wide(path: Path) -> bool:
    """Returns whether a table has columns for each entity: none is called entity, and names contain an entity."""
    names = _names(path)
    try:
        return bool(names) and plan_of(names, path, Manner()).columns.entity is None
    except InputError:
        return False


def _format(name: str, layout: str, recognises: object, **others: object) -> Format:
    return Format(
        name=name,
        layout=layout,
        recognises=recognises,  # type: ignore[arg-type]
        read=lambda path, part: read(path, Manner()),
        read_as=read,
        edges_beside=edges_beside,
        files=lambda path, part: (path, edges_path(path)),
        **others,  # type: ignore[arg-type]
    )


TRACKS = tuple(
    _format(layout.name, f"a table of {layout.name} ({', '.join(layout.needed)})", partial(_is_tracks_of, layout.name))
    for layout in LAYOUTS
)
WIDE = _format(
    "wide",
    "a wide .csv table with the columns time and entity:feature",
    _is_wide,
    write=wide.write,
    suffix=".csv",
)
TABLE = _format(
    "csv",
    "a .csv table with the columns task, time, entity and one for each feature",
    is_table,
    write=table.write,
    suffix=".csv",
)
