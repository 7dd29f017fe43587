"""Checks of the arguments that a caller passes to a function."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from bouncegrad.data.errors import InputError


def require_keywords(function: str, given: Mapping[str, object], known: Collection[str]) -> None:
    """Refuses unknown keyword arguments with the error that Python raises for them.

    Raises:
        TypeError: an argument is not known.

    Example:
        >>> require_keywords("load", {"angle": ["phase"]}, ("angles", "edges"))
        Traceback (most recent call last):
        TypeError: load() got an unexpected keyword argument 'angle'
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def require_whole(where: str, **numbers: tuple[object, int]) -> None:
    """Refuses arguments that are not whole numbers, or are too small.

    Args:
        where: the function, for the message.
        numbers: the value of each argument, and the least value that is allowed.

    Raises:
        InputError: names the first such argument.
    """
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{where}: {name} is {value!r}; give a whole number of {least} or more")
