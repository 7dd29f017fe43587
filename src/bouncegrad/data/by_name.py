"""Functions that data and results offer as methods, and that stand in files which know data and results.

They are loaded when they are first asked for, so that no two files import each other.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def by_name(module: str, name: str) -> Any:
    """Returns a function of a module of this package.

    Example:
        >>> by_name("results.numbers", "written")(0.94327)
        '0.9433'
    """
    return getattr(import_module(f"bouncegrad.{module}"), name)
