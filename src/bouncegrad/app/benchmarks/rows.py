"""Rows of tables: they are chosen by name, and a row that is measured already is not measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """The name of the row."""

    @property
    def minutes(self) -> float:
        """The time limit of its training."""


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


def each(
    rows: Sequence[AnyRow],
    seeds: Sequence[int],
    minutes: float | None,
    path: Callable[[AnyRow, int, float], Path],
    measure: Callable[[AnyRow, int, float], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yields the figures of every row and seed; each is written to its file as soon as it is measured.

    Args:
        rows: the rows to measure.
        seeds: the seeds of each row.
        minutes: time limit of each training; None: that of each row.
        path: a function (row, seed, time limit) that returns the file of the figures.
        measure: a function (row, seed, time limit) that returns the figures.
    """
    for row in rows:
        limit = row.minutes if minutes is None else minutes
        for seed in seeds:
            yield kept(path(row, seed, limit), partial(measure, row, seed, limit))


def kept(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns the figures in a file; if it does not exist, measures and writes them."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    figures = measure()
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n")
    return figures
