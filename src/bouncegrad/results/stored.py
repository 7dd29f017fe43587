"""Files of results and forecasts: reading and writing `.npz` files, and writing tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing, save_arrays
from bouncegrad.data.formats.arrays import read_archive
from bouncegrad.data.memory import TooLargeError

if TYPE_CHECKING:  # pandas is slow to load
    import pandas as pd


def save_fields(item: object, fields: Sequence[str], path: str | Path, version: int, **more: Any) -> None:
    """Writes fields of an object to one `.npz` file, with the field names as keys.

    An older file is replaced only when the new one is complete.

    Args:
        item: the object.
        fields: names of its fields.
        path: the file.
        version: of the format.
        more: further values, with their keys.
    """
    save_arrays(path, {"format_version": version, **{name: getattr(item, name) for name in fields}, **more})


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Writes a table as CSV, with all digits. An older file is replaced only when the new one is complete."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)


def read_stored(path: str | Path, word: str, command: str, version: int) -> dict[str, Any]:
    """Reads a file that `save_fields` wrote and returns its arrays by key.

    Args:
        path: the file.
        word: kind of its content, for messages, such as "result".
        command: the command that writes such files, for messages.
        version: the newest file format that can be read.

    Raises:
        InputError: the file is missing, is of another kind, is damaged, or was written by a newer version.
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
