"""Counts instead of seconds, so that no test depends on the speed of the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable

HANG = 300.0  # seconds; ends a test that would wait forever, and says nothing about speed


def calls(work: Callable[[], object]) -> int:
    """Counts the functions, Python's and C's, that `work` calls in this thread."""
    found = 0

    def count(frame, event, argument):
        nonlocal found
        found += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found
