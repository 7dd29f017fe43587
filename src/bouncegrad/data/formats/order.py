"""Numbers the names of tasks and entities, in natural order: "P 7" stands before "P 12".

The order must not depend on the order of rows. Otherwise the same table with its rows shuffled would give other random
draws, and another answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

if TYPE_CHECKING:
    import pandas as pd


def natural(name: str) -> tuple[tuple[str, int, str], ...]:
    """Returns the key by which names are sorted: numbers in them by size, all else as text.

    Example:
        >>> sorted(["P 12", "P 7", "A"], key=natural)
        ['A', 'P 7', 'P 12']
    """
    parts = re.split(r"(\d+)", name)
    numbers = [part.lstrip("0") for part in parts[1::2]]
    # Numbers are compared by their length first, since Python refuses to turn thousands of digits into a number.
    pieces = [(text, len(digits), digits) for text, digits in zip(parts[::2], [*numbers, ""], strict=True)]
    return (*pieces, (name, 0, ""))


def sorted_names(names: list[str]) -> list[int]:
    """Returns the indices that sort names: by value if all are whole numbers, otherwise in natural order."""
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in names):
        return sorted(range(len(names)), key=lambda i: (int(names[i]), names[i]))
    return sorted(range(len(names)), key=lambda i: natural(names[i]))


def coded(cells: pd.Series) -> tuple[Int[np.ndarray, " rows"], tuple[str, ...]]:
    """Returns the number of the name in each cell, and the sorted names.

    Programs that keep whole numbers as decimals write `7.0`; if all names are like that, they become `7`.
    """
    import pandas as pd

    codes, found = pd.factorize(cells)
    names = [str(name) for name in found]
    if all(re.fullmatch(r"-?\d{1,18}\.0+", name) for name in names):
        whole = [name.partition(".")[0] for name in names]
        names = whole if len(set(whole)) == len(whole) else names
    order = sorted_names(names)
    return np.argsort(order)[codes].astype(np.int64), tuple(names[i] for i in order)
