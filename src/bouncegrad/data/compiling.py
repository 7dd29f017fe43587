"""Compiles the laws of motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Returns `function` compiled to machine code that releases the interpreter lock, so that threads run in parallel.

    Floating-point operations are not reordered, so that a task gives the same numbers on every thread. Plain threads
    are used instead of numba's parallel loops, because they compile several times faster and do not change numba's
    global thread count.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba has no folder for its cache, as in a read-only container: compile in each process
        return njit(**options)(function)
