"""Checks a value against the annotation of a setting, and describes the annotation in words."""

from __future__ import annotations

import math
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

WORDS: dict[Any, str] = {
    str: "a file",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple[int, ...]: "a list of whole numbers",
    tuple[float, ...]: "a list of numbers",
    tuple[str, ...]: "a list of names",
    tuple[str | int, ...]: "a list such as [64-64]",
}
"""What to give for each kind of setting, for messages."""


def fits(value: Any, hint: Any) -> bool:
    """Whether `value` is of the kind `hint`. Whole numbers count as numbers; true, false and infinities do not."""
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, kind) for kind in get_args(hint))
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(fits(part, get_args(hint)[0]) for part in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def in_words(hint: Any) -> str:
    """Returns what to give for a setting of this kind, for messages.

    Example:
        >>> in_words(int | None), in_words(Literal["silu", "relu"])
        ('a whole number', 'silu or relu')
    """
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(in_words(kind) for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is Literal:
        return " or ".join(get_args(hint))
    return WORDS[hint]
