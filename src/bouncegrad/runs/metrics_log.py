"""metrics.jsonl: one row of metrics per line, each with the version of its format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing

FORMAT = 1
Row = dict[str, Any]


def add_row(path: Path, row: Row) -> None:
    """Appends one row.

    Raises:
        InputError: the row cannot be written; the last checkpoint is kept.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(as_line(row))
    except OSError as error:
        raise InputError(f"{path}: writing failed ({error.strerror}); make room, then go on with --resume") from None


def cut_rows(path: Path, end: float) -> None:
    """Removes the rows of this epoch and of later ones."""
    rows = [row for row in read_rows(path) if row["epoch"] < end]
    with replacing(path) as temporary:
        temporary.write_text("".join(map(as_line, rows)), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Returns the rows up to the first line that is incomplete or damaged.

    Raises:
        InputError: another version wrote the rows.
    """
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(row, dict) or "epoch" not in row:
            break
        if (version := row.pop("format", FORMAT)) != FORMAT:
            raise InputError(f"{path}: has rows of format {version}, this version reads {FORMAT}; update bouncegrad")
        rows.append(row)
    return rows


def as_line(row: Row) -> str:
    """Returns a row as a line of the file."""
    return json.dumps({"format": FORMAT} | row) + "\n"
