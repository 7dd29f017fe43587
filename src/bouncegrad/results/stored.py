"""Reading back what commands have stored in `.npz` files: results and forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import read_archive
from bouncegrad.data.memory import TooLargeError


def read_stored(path: str | Path, word: str, command: str, version: int) -> dict[str, Any]:
    """The arrays of a file that `save_arrays` wrote, by key.

    Args:
        path: the file.
        word: what is in it, for messages.
        command: which wrote it, for messages.
        version: the newest format that is read.

    Raises:
        InputError: the file is missing, is none of these, is damaged, or was written by a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; run `bouncegrad {command}` to make a {word}")
    try:
        parts: dict[str, Any] = read_archive(path, None)
        found = int(parts.pop("format_version"))
    except TooLargeError:
        raise
    except (LookupError, TypeError, ValueError):
        raise InputError(f"{path}: not a {word} file; give the {word}.npz that `bouncegrad {command}` wrote") from None
    if found > version:
        raise InputError(f"{path}: {word} format {found}, this version reads up to {version}; upgrade bouncegrad")
    return parts
