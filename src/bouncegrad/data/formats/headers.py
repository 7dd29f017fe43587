"""Headers of two lines: the entity above, the feature below it, as pandas and spreadsheets write them.

    ,a,a,b,b          or  ,a,,b,          a name that is not repeated stands for the cells to its right, too
    time,x,y,x,y          time,x,y,x,y

The names are joined to `a:x`. Pandas may write a third line with the name of the first column only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bouncegrad.data.formats.cells import checked_names, raw_header
from bouncegrad.data.formats.dialect import cells_of_first_lines, is_number
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES

NO_NAME = "Unnamed: "  # what pandas makes of a blank cell in a header


def header_of(path: Path) -> tuple[list[str], int]:
    """Returns the checked names of the columns of a table, and the number of lines that they take.

    Raises:
        InputError: the file is not text or is empty, a column has no name, or two have the same.
    """
    names = raw_header(path)
    _, lower, third = (*cells_of_first_lines(path, 3), [], [], [])[:3]
    if not _is_upper(names, lower):
        return checked_names(names, path, rename=False), 1
    joined = joined_names(names, lower)
    only_first = bool(third) and bool(third[0]) and not any(third[1:]) and not is_number(third[0])
    if only_first and not joined[0]:
        joined[0] = third[0]
    return checked_names(joined, path, rename=False), 2 + only_first


def _is_upper(names: Sequence[str], lower: Sequence[str]) -> bool:
    """Returns whether a line holds the upper names of a header of two lines: names repeat, and words follow below."""
    others = names[1:]
    repeats = len(set(others)) < len(others)
    words = len(lower) == len(names) > 2 and all(lower[1:]) and not any(map(is_number, lower))
    return repeats and words and len(set(lower[1:])) < len(lower[1:])


def joined_names(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Returns the names `entity:feature` of columns with two names each; a column with one name keeps it.

    Known features (x, y, z, vx, vy, vz) may stand above or below.

    Example:
        >>> joined_names(["", "a", "", "b", ""], ["time", "x", "y", "x", "y"])
        ['time', 'a:x', 'a:y', 'b:x', 'b:y']
    """
    above, below = ([_bare(name) for name in names] for names in (upper, lower))
    for i in range(2, len(above)):
        above[i] = above[i] or above[i - 1]
    pairs = [(a, b) for a, b in zip(above, below, strict=True) if a and b]
    known = {*POSITIONS, *VELOCITIES}
    if {a for a, _ in pairs} <= known and not {b for _, b in pairs} <= known:
        above, below = below, above
    return [f"{a}:{b}" if a and b else a or b for a, b in zip(above, below, strict=True)]


def _bare(name: object) -> str:
    text = str(name).strip()
    return "" if text.startswith(NO_NAME) else text
