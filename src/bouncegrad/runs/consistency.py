"""Reading the files of a run folder: damage is an error of the user's files, not of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import yaml

from bouncegrad.data.errors import InputError

MISFIT = (LookupError, RuntimeError, TypeError, ValueError)
"""Errors of files that can be read but do not fit each other: a missing entry, another shape, a wrong value."""
DAMAGE = (*MISFIT, OSError, EOFError, UnpicklingError, yaml.YAMLError)
"""Errors of files that do not fit each other, and of files that are missing or cannot be read."""


@contextmanager
def consistent(
    folder: Path,
    found: str = "its files are damaged or do not fit",
    errors: tuple[type[Exception], ...] = DAMAGE,
) -> Iterator[None]:
    """Reports an error in the block as damage to the files of a folder.

    Args:
        folder: whose files the block reads.
        found: what is wrong, for the message.
        errors: what damaged files raise in the block; other errors pass.

    Raises:
        InputError: the block raised one of `errors`, or an `InputError` of its own, which is kept.
    """
    try:
        yield
    except InputError:
        raise
    except errors as error:
        raise InputError(f"{folder}: {found}; restore them or train again") from error
