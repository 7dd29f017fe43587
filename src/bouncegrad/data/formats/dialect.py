"""Finds out how a table is written as text: what divides its cells, what marks decimals, whether it has a header."""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bouncegrad.data.errors import InputError

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")
NOT_TEXT = "is no text in UTF-8; save it as CSV (UTF-8)"
BLANKS = " "  # stands for any number of blanks
SAMPLE = 50  # lines that are searched for decimal commas
LONGEST = 1_000_000  # characters of a line that are looked at


class Dialect(NamedTuple):
    """How a table is written.

    Args:
        delimiter: what divides cells: a comma, a semicolon, a tab, or any number of blanks.
        decimal: the decimal mark, a point or a comma.
    """

    delimiter: str
    decimal: str

    @property
    def pattern(self) -> str:
        """The delimiter as pandas takes it."""
        return r"\s+" if self.delimiter == BLANKS else self.delimiter

    def split(self, line: str) -> list[str]:
        """Returns the cells of one line, without blanks around them.

        Raises:
            csv.Error: a cell is longer than the library allows.
        """
        if self.delimiter == BLANKS:
            return line.split()
        return [cell.strip() for cell in next(csv.reader([line], delimiter=self.delimiter), [])]


def first_lines(path: Path, count: int) -> list[str]:
    """Returns the first lines of a text file, without their ends.

    Raises:
        InputError: the file is no text or cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = (stream.readline(LONGEST) for _ in range(count))
            return [line.rstrip("\r\n") for line in islice(lines, count)]
    except UnicodeDecodeError:
        raise InputError(f"{path}: {NOT_TEXT}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from None


def dialect(path: Path) -> Dialect:
    """Returns how a table is written, by its first lines.

    The delimiter is the one that divides the first line into most cells. Decimals have a comma if some cells of the
    next lines are numbers with a comma and none has a point.

    Raises:
        InputError: the file is no text or cannot be read.
    """
    lines = first_lines(path, SAMPLE)
    counts = {mark: lines[0].count(mark) for mark in (",", ";", "\t")}
    delimiter = max(counts, key=lambda mark: counts[mark])
    if not counts[delimiter]:
        delimiter = BLANKS if len(lines[0].split()) > 1 else ","
    if delimiter == ",":
        return Dialect(",", ".")
    cells = [cell for line in lines[1:] for cell in line.replace(delimiter, " ").split()]
    commas = any(re.fullmatch(r"[-+]?\d*,\d+(e[-+]?\d+)?", cell, re.IGNORECASE) for cell in cells)
    points = any(re.fullmatch(r"[-+]?\d*\.\d+(e[-+]?\d+)?", cell, re.IGNORECASE) for cell in cells)
    return Dialect(delimiter, "," if commas and not points else ".")


def cells_of_first_lines(path: Path, count: int) -> list[list[str]]:
    """Returns the cells of the first lines, none for a line that cannot be divided.

    Raises:
        InputError: the file is no text or cannot be read.
    """
    found, lines = dialect(path), first_lines(path, count)
    try:
        return [found.split(line) for line in lines]
    except csv.Error:
        return [[] for _ in lines]


def is_number(cell: str) -> bool:
    """Returns whether a cell of a table holds a number, with a decimal point or comma."""
    return re.fullmatch(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", cell.strip()) is not None


def has_no_header(path: Path) -> bool:
    """Returns whether the first line of a table holds numbers only."""
    cells = cells_of_first_lines(path, 1)[0]
    return len(cells) > 1 and all(map(is_number, cells))


def is_table(path: Path) -> bool:
    """Returns whether the name of an existing file is that of a table in text."""
    return path.suffix.lower() in SUFFIXES and path.is_file()
