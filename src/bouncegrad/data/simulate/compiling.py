"""The one way in which laws of motion are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """`function` as machine code that releases the interpreter lock, so that threads run it side by side.

    Floating-point rules are strict (no reordering): a task gives the same numbers wherever it runs. Plain threads
    instead of numba's own loops: these compile several times faster and leave numba's global thread count alone.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder to cache in, as in a read-only container: compile in each process
        return njit(**options)(function)
