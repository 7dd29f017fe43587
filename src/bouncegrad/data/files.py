"""Writing files so that a reader never sees half of one."""

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
    """A temporary path beside `path`, which takes its place when the block ends without an error.

    Parent folders are made. On an error the old file stays as it was and the temporary one is removed. What was written
    is on the disk before the name is given, so that the machine may fail at any moment, too.

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
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to") from None
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


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_remains(path: Path) -> bool:
    """Whether this is the temporary file of a process that was killed while it was `replacing` another."""
    match = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}(\.[^.]*)?", path.name)
    return match is not None and Path(match[1]).suffix == (match[2] or "")


def remove_remains(folder: Path) -> None:
    """Removes the temporary files that killed processes left in a folder in which no other process writes."""
    for path in folder.iterdir():
        if is_remains(path):
            path.unlink(missing_ok=True)


def save_arrays(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Writes one compressed `.npz` file, replacing an older one only when complete; tuples of names become strings."""
    import numpy as np

    arrays: dict[str, Any] = {
        key: np.array(part, dtype=np.str_) if isinstance(part, tuple | str) else np.asarray(part)
        for key, part in parts.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
