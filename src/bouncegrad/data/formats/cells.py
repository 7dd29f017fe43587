"""Reads and writes CSV tables. Tables are indexed by line number, so that every refusal can name the line.

Pandas is slow to load, so only the functions that need it import it.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.formats.dialect import BLANKS, LONGEST, NOT_TEXT, dialect, first_lines

if TYPE_CHECKING:
    import pandas as pd

TASK_WORDS = ("task", "run", "case", "simulation")
# The words for a missing number, beside a blank, as NumPy, pandas and R write them.
MISSING = ("nan", "NaN", "NAN", "NA", "na")
UNNAMED = "(no name)"  # stands for the name of a first column without one, which may only count rows


def header(path: Path) -> list[str]:
    """Returns the column names in the first line; any of `TASK_WORDS` becomes `task`.

    Raises:
        InputError: the file is not text or is empty, a column has no name, or two have the same.
    """
    return checked_names(raw_header(path), path)


def raw_header(path: Path) -> list[str]:
    """Returns the cells of the first line, whatever they are.

    Raises:
        InputError: the file is not text or is empty.
    """
    found, line = dialect(path), first_lines(path, 1)[0]
    if len(line) >= LONGEST:
        raise InputError(f"{path}: cannot be read (the first line is endless); give a table with one row a line")
    try:
        names = found.split(line)
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read ({error}); give a CSV file that you may read") from None
    if not names:
        raise InputError(f"{path}, line 1: is empty; write the column names there")
    return names


def checked_names(names: list[str], path: Path, *, rename: bool = True) -> list[str]:
    """Returns the names of columns, if every column has a name of its own.

    A first column without a name gets the name `UNNAMED`. If `rename` is true, any of `TASK_WORDS` becomes `task`.

    Raises:
        InputError: a column has no name, or two have the same.
    """
    if names[:1] == [""]:
        names = [UNNAMED, *names[1:]]
    if "" in names:
        raise InputError(f"{path}, line 1: column {names.index('') + 1} has no name; name it, or leave it out")
    tasks = [name for name in names if name in TASK_WORDS]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or len(tasks) > 1:
        if not twice:
            raise InputError(f"{path}, line 1: {' and '.join(tasks)} both name tasks; keep one of these columns")
        raise InputError(
            f"{path}, line 1: the name {twice[0]!r} stands twice, as if each entity had columns of its own or the "
            "header had several lines; give each column a name of its own, such as a:x, a:y, b:x, b:y"
        )
    return ["task" if rename and name in TASK_WORDS else name for name in names]


def require_present(needed: Sequence[str], columns: Sequence[str], path: Path, remedy: str) -> None:
    """Refuses a table that lacks some of the needed columns.

    Raises:
        InputError: names the missing columns.
    """
    if missing := [name for name in needed if name not in columns]:
        raise InputError(f"{path}, line 1: no column {' and '.join(missing)} among {listed(columns)}; {remedy}")


def read_cells(path: Path, columns: list[str], text: Collection[str]) -> pd.DataFrame:
    """Returns the rows under a header of one line, indexed by line number; empty lines are skipped.

    Args:
        path: the table.
        columns: the names from `header`.
        text: the columns of names, which are read as text. The others are read as numbers if possible.

    Raises:
        InputError: a row has more cells than the header, or a name is blank.
    """
    table = read_rows(path, columns, text, 1)
    require_named(table, [name for name in columns if name in text], path)
    return table


def read_rows(path: Path, columns: list[str], text: Collection[str], skipped: int) -> pd.DataFrame:
    """Returns the rows of a table as `read_cells` does; names may be blank.

    Args:
        path: the table.
        columns: a name for each column.
        text: the columns of names, which are read as text.
        skipped: the number of lines before the first row.

    Raises:
        InputError: a row has more cells than there are columns.
    """
    import pandas as pd

    written = dialect(path)

    # Since version 3.1 pandas reads decimals exactly by default; earlier versions need an option.
    exact = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    precision: dict[str, Any] = {} if exact else {"float_precision": "round_trip"}
    try:
        with warnings.catch_warnings():
            # If the first row is too long, this warning is the only sign that pandas gives.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                header=None,
                names=columns,
                sep=written.pattern,
                decimal=written.decimal,
                skiprows=skipped,
                index_col=False,
                dtype={name: "str" for name in columns if name in text},
                # An entity may be called NA.
                keep_default_na=False,
                na_values={name: ["", *(() if name in text else MISSING)] for name in columns},
                skip_blank_lines=False,
                skipinitialspace=written.delimiter != BLANKS,
                encoding="utf-8-sig",
                low_memory=False,
                **precision,
            )
    except UnicodeDecodeError:
        raise InputError(f"{path}: {NOT_TEXT}") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        if "EOF inside string" in str(error):
            raise InputError(f"{path}: a quotation mark is never closed; close it or remove it") from None
        line = re.search(r"in line (\d+)", str(error))
        raise InputError(
            f"{path}, line {line[1] if line else skipped + 1}: has more cells than the header's {len(columns)}; "
            "write decimals with a point and quote names that hold commas"
        ) from None
    table.index += skipped + 1
    return table.dropna(how="all")


def require_named(table: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    """Refuses blank cells in columns of names.

    Raises:
        InputError: names the line.
    """
    for name in columns:
        if (blank := table[name].isna()).any():
            raise InputError(f"{path}, line {blank.idxmax()}: {name} is blank; write a name")


def write_cells(columns: dict[str, np.ndarray], path: Path) -> None:
    """Writes a table with a header and these columns; an older file is replaced only when the new one is complete."""
    import pandas as pd

    with replacing(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False)


def numbers(table: pd.DataFrame, column: str, path: Path, *, blank: bool = False) -> Float[np.ndarray, " rows"]:
    """Returns a column as finite numbers. If `blank` is true, a blank or one of the `MISSING` words becomes NaN.

    Raises:
        InputError: names the first line with a text, an infinity or, if `blank` is false, a missing number.
    """
    import pandas as pd

    cells = table[column]
    values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if blank:
        bad &= ~(cells.isna() | cells.isin(MISSING)).to_numpy(bool)
    if bad.any():
        first = int(bad.argmax())
        cell = cells.iloc[first]
        found = "is blank" if pd.isna(cell) else f"holds {str(cell)!r}, which is no finite number"
        remedy = "leave the cell blank if nothing was recorded" if blank else "fill the gap or leave the frame out"
        raise InputError(f"{path}, line {table.index[first]}: {column} {found}; {remedy}")
    return values


def listed(names: Sequence[str], most: int = 10) -> str:
    """Returns the first names as a list in words, for messages."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
