"""What tables of rows share: rows are chosen by name, and what is measured already is not measured again."""

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
        """Its own."""


AnyRow = TypeVar("AnyRow", bound=Named)


def chosen(names: Sequence[str], rows: Sequence[AnyRow]) -> tuple[AnyRow, ...]:
    """The rows of these names, all for none.

    Raises:
        InputError: there is none of a name; lists those there are.
    """
    known = {row.name: row for row in rows}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"row {unknown[0]!r} is not known; choose of {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(rows)


def kept(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The figures of a file, which is written as soon as they are known."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    figures = measure()
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
    return figures
