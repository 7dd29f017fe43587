"""Reads recordings from a pandas table, long or wide, by the same rules as from the CSV of that layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import table
from bouncegrad.data.formats.cells import checked_names, require_named
from bouncegrad.data.formats.edge_table import edges_from_cells
from bouncegrad.data.formats.headers import joined_names
from bouncegrad.data.formats.keypoints import from_labels
from bouncegrad.data.formats.plan import plan_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.sheets import from_rows
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd

# Messages use this word in place of a file. They count lines from 0, as `DataFrame.iloc` does.
SOURCE = Path("DataFrame")


def from_frame(frame: pd.DataFrame, manner: Manner, source: Path = SOURCE) -> Trajectories:
    """Returns the recordings in a long or wide table; named levels of the index count as columns.

    Raises:
        InputError: as for the CSV of that layout.
    """
    if is_deeplabcut(frame):
        return from_deeplabcut(frame, source, manner)
    cells = _named(frame, source, rename=False)
    plan = plan_of(list(cells.columns), source, manner)
    names = [name for name in (plan.columns.task, plan.columns.entity) if name is not None]
    known = {name: cells[name].notna() for name in names}
    cells = cells.assign(**{name: cells[name].astype("str").where(known[name]) for name in names})
    return from_rows(cells, source, manner, plan)


def is_deeplabcut(frame: pd.DataFrame) -> bool:
    """Returns whether the columns of a table have the levels that DeepLabCut gives them."""
    return {"bodyparts", "coords"} <= set(getattr(getattr(frame, "columns", None), "names", ()))


def from_deeplabcut(frame: pd.DataFrame, source: Path, manner: Manner) -> Trajectories:
    """Returns the recording in a table of DeepLabCut, whose index counts frames.

    Raises:
        InputError: a body part lacks x or y, or a cell is not a number.
    """
    levels = list(frame.columns.names)
    used = [levels.index(name) for name in ("individuals", "bodyparts", "coords") if name in levels]
    labels = [tuple(str(name[level]) for level in used) for name in frame.columns]
    labels = [label if len(label) == 3 else ("animal", *label) for label in labels]
    cells = frame.copy(deep=False)
    cells.columns = [str(i) for i in range(1, 1 + len(labels))]
    cells.insert(0, "0", np.asarray(frame.index))
    cells.index = np.arange(len(cells))
    return from_labels(cells, labels, source, manner)


def edges_from_frame(frame: pd.DataFrame, data: Trajectories) -> Int[np.ndarray, "M N N"]:
    """Returns the edge types `[source, target]` in a table with the columns task, source, target, type.

    Raises:
        InputError: as for the CSV.
    """
    return edges_from_cells(_cells(frame, ("task", "source", "target")), SOURCE, data)


def to_frame(data: Trajectories) -> pd.DataFrame:
    """Returns a long table with the columns task, time, entity and one for each feature; unobserved cells have no row.

    Raises:
        InputError: a feature has the name of a key column.
    """
    import pandas as pd

    frame = pd.DataFrame(table.columns_of(data, SOURCE))
    return frame if data.mask is None else frame[data.mask.ravel()].reset_index(drop=True)


def _cells(frame: pd.DataFrame, text: tuple[str, ...]) -> pd.DataFrame:
    """Returns the table with checked column names, rows counted from 0, and the columns in `text` as text."""
    cells = _named(frame, SOURCE, rename=True)
    columns: list[Any] = list(cells.columns)
    require_named(cells, [name for name in columns if name in text], SOURCE)
    return cells.astype({name: "str" for name in columns if name in text})


def _named(frame: pd.DataFrame, source: Path, *, rename: bool) -> pd.DataFrame:
    """Returns the table with checked column names, and rows counted from 0."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"{type(frame).__name__}: neither a path nor a pandas table; arrays become recordings with "
            "Trajectories(x), edges with Trajectories(x, edges=edges)"
        )
    cells = frame.reset_index() if any(name is not None for name in frame.index.names) else frame.copy(deep=False)
    if cells.columns.nlevels > 2:
        raise InputError(f"{source}: columns have {cells.columns.nlevels} levels; join them to names such as a:x")
    if cells.columns.nlevels == 2:
        names = joined_names(*zip(*cells.columns, strict=True))
    else:
        names = [str(name).strip() for name in cells.columns]
    cells.columns = checked_names(names, source, rename=rename)
    cells.index = np.arange(len(cells))
    return cells
