"""Reads lists, tuples, texts and whole numbers out of a pickle, without running it.

A pickle is a program for a small machine. Only the commands that make plain values are followed here, and each of them
is followed by this file, not by the module `pickle`. Commands that import, call or build anything are refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
VALUES = {
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("INT", "BININT", "BININT1", "BININT2"),
}
IGNORED = {"PROTO", "FRAME"}
PUT, GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_MARK = object()


def plain_value(pickled: bytes) -> Any:
    """Returns the value in a pickle of lists, tuples, texts, whole numbers and None.

    Raises:
        ValueError: it holds another command, or is damaged.

    Example:
        >>> import pickle
        >>> plain_value(pickle.dumps([("net", "nose", "x"), 3], 0))
        [('net', 'nose', 'x'), 3]
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for command, given, _ in pickletools.genops(pickled):
            name = command.name
            if name == "STOP":
                if len(stack) != 1 or stack[0] is _MARK:
                    break
                return stack[0]
            _follow(name, given, stack, memo)
    except (IndexError, KeyError, AttributeError, TypeError, UnicodeError, RecursionError, OverflowError) as error:
        raise ValueError(f"damaged: {error}") from None
    raise ValueError("it is not complete")


def _follow(name: str, given: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """Follows one command."""
    if name in VALUES:
        stack.append(given)
    elif name == "NONE":
        stack.append(None)
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append([] if name == "EMPTY_LIST" else ())
    elif name in ("LIST", "TUPLE"):
        values = _since_mark(stack)
        stack.append(values if name == "LIST" else tuple(values))
    elif name in TUPLES:
        values = [stack.pop() for _ in range(TUPLES[name])][::-1]
        stack.append(tuple(values))
    elif name in ("APPEND", "APPENDS"):
        values = [stack.pop()] if name == "APPEND" else _since_mark(stack)
        if not isinstance(stack[-1], list) or any(value is stack[-1] for value in values):
            raise ValueError("it appends to what is no list")
        stack[-1].extend(values)
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in PUT:
        memo[given] = stack[-1]
    elif name in GET:
        stack.append(memo[given])
    elif name not in IGNORED:
        raise ValueError(f"the command {name} is not followed")


def _since_mark(stack: list[Any]) -> list[Any]:
    """Takes the values off the stack that were put there since the last mark, and the mark."""
    at = max(i for i, value in enumerate(stack) if value is _MARK)
    values = stack[at + 1 :]
    del stack[at:]
    return values
