"""Writes files so that a reader never sees an incomplete one."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bouncegrad.data.errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames it to `path` if the block ends without an error.

    Parent folders are made. On an error the old file stays as it was and the temporary file is removed. The content is
    on the disk before the file is renamed, so `path` is complete even if the machine fails at any moment.

    Raises:
        InputError: the folder cannot be made or written.

    Example:
        >>> with replacing("result.csv") as temporary:
        ...     _ = temporary.write_text("a,b")
        >>> Path("result.csv").read_text()
        'a,b'
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
    except OSError as error:
        raise cannot_write(path, error) from None
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: writing failed ({error.strerror}); free some space or choose another folder"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> InputError:
    """Returns the refusal of a path that the system does not let us write."""
    return InputError(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_remains(path: Path) -> bool:
    """Returns whether this is the temporary file of a process that was killed inside `replacing`."""
    match = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}(\.[^.]*)?", path.name)
    return match is not None and Path(match[1]).suffix == (match[2] or "")


def remove_remains(folder: Path) -> None:
    """Removes the temporary files that killed processes left in a folder; no other process may be writing in it."""
    for path in folder.iterdir():
        if is_remains(path):
            path.unlink(missing_ok=True)


def save_arrays(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Writes one compressed `.npz` file; an older file is replaced only when the new one is complete.

    Tuples of names are stored as arrays of strings.
    """
    import numpy as np

    arrays: dict[str, Any] = {
        key: np.array(part, dtype=np.str_) if isinstance(part, tuple | str) else np.asarray(part)
        for key, part in parts.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
