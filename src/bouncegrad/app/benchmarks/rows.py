"""Rows of tables: they are chosen by name, and a row that is measured already is not measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """The name of the row."""


AnyRow = TypeVar("AnyRow", bound=Named)


def chosen(names: Sequence[str], rows: Sequence[AnyRow]) -> tuple[AnyRow, ...]:
    """Returns the rows with these names, or all rows if no name is given.

    Raises:
        InputError: no row has a name; the message lists all names.
    """
    known = {row.name: row for row in rows}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"row {unknown[0]!r} is not known; choose from {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(rows)


def kept(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns the figures in a file; if it does not exist, measures and writes them."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    figures = measure()
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
    return figures
