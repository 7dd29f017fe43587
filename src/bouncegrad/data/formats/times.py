"""Reads a column of times: numbers, dates, clock times or pandas times become seconds.

Dates and pandas times of any unit and time zone become seconds since the first of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import MISSING, numbers

if TYPE_CHECKING:
    import pandas as pd

DATE = re.compile(r"\s*\d{4}[-/]\d{1,2}([-/]\d{1,2})?([ T].*)?", re.DOTALL)
CLOCK = re.compile(r"\s*(\d+ days? )?\d{1,3}:\d{2}(:\d{2}([.,]\d+)?)?\s*")


class Times(NamedTuple):
    """The times of all rows, and a description of what was done to read them; empty for plain numbers."""

    values: Float[np.ndarray, " rows"]
    read_as: str = ""


def times(table: pd.DataFrame, column: str, path: Path, fps: float | None = None) -> Times:
    """Returns a column of times.

    Args:
        table: the rows, indexed by line number.
        column: the name of the column.
        path: the table, for messages.
        fps: frames in a second, if the column counts frames.

    Raises:
        InputError: names the first line that holds no time; or the column holds no frame numbers and `fps` is given.
    """
    import pandas as pd

    cells = table[column]
    if isinstance(cells.dtype, pd.DatetimeTZDtype) or cells.dtype.kind == "M":
        found = _since_first(cells, cells, column, path)
    elif cells.dtype.kind == "m":
        found = Times(_complete(cells.dt.total_seconds(), cells, column, path), "durations, in seconds")
    elif (kind := _kind(cells)) is None:
        found = Times(numbers(table, column, path))
    elif kind == "dates":
        dates = pd.to_datetime(cells.map(_iso), format="ISO8601", utc=True, errors="coerce")
        found = _since_first(dates, cells, column, path)
    else:
        clock = pd.to_timedelta(cells.map(_with_seconds), errors="coerce").dt.total_seconds()
        found = Times(_complete(clock, cells, column, path), "clock times, in seconds")
    if fps is None:
        return found
    if found.read_as or (found.values != np.round(found.values)).any():
        what = found.read_as or "no whole numbers"
        raise InputError(f"{path}: option fps goes with frame numbers, but {column} holds {what}; leave fps out")
    return Times(found.values / fps, f"frame numbers at {fps:g} frames a second")


def _kind(cells: pd.Series) -> str | None:
    """Returns whether cells are dates or clock times, by the first one that is no number; None if all are numbers."""
    import pandas as pd

    if cells.dtype.kind in "fiub":
        return None
    strange = pd.to_numeric(cells, errors="coerce").isna() & cells.notna() & ~cells.isin(MISSING)
    if not strange.any():
        return None
    first = str(cells.iloc[int(strange.to_numpy().argmax())])[:100]
    return "dates" if DATE.fullmatch(first) else "clock times" if CLOCK.fullmatch(first) else None


def _since_first(dates: pd.Series, cells: pd.Series, column: str, path: Path) -> Times:
    """Returns the seconds since the first date."""
    import pandas as pd

    first = dates.min()
    seconds = (dates - first).dt.total_seconds()
    values = _complete(seconds, cells, column, path)
    shown = pd.Timestamp(first).isoformat(sep=" ", timespec="auto")
    return Times(values, f"dates, in seconds since {shown}")


def _complete(seconds: pd.Series, cells: pd.Series, column: str, path: Path) -> Float[np.ndarray, " rows"]:
    """Returns the seconds if every cell has some.

    Raises:
        InputError: names the first line whose cell was not understood.
    """
    import pandas as pd

    values = seconds.to_numpy(np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if bad.any():
        cell = cells.iloc[int(bad.argmax())]
        blank = pd.isna(cell)
        found = "is blank" if blank else f"holds {str(cell)[:60]!r}, which is not a date or time like the others"
        remedy = "fill the gap or leave the frame out" if blank else "write it like 2024-01-31 12:00:00"
        raise InputError(f"{path}, line {cells.index[int(bad.argmax())]}: {column} {found}; {remedy}")
    return values


def _iso(cell: object) -> object:
    """Returns a date with slashes as the standard writes it."""
    return re.sub(r"^\s*(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3", cell) if isinstance(cell, str) else cell


def _with_seconds(cell: object) -> object:
    """Returns a clock time with seconds and a decimal point, as pandas needs it."""
    if not isinstance(cell, str):
        return cell
    cell = cell.strip().replace(",", ".")
    return f"{cell}:00" if re.fullmatch(r"\d{1,3}:\d{2}", cell) else cell
