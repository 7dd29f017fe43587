"""A lock on a run folder: two trainings in it would remove each other's rows and replace each other's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bouncegrad.data.errors import InputError

try:
    import fcntl
except ImportError:  # a system without such locks; folders are then not locked
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder while the block runs; a missing folder is created.

    No other process, and no other block of this process, can lock it at the same time. The operating system holds the
    lock on the folder itself: no file is left behind, and the lock ends with the process, however the process ends.
    On file systems that cannot lock folders, such as some network drives, nothing is locked.

    Args:
        folder: that the block writes into.

    Raises:
        InputError: the folder is locked already, or it cannot be created or opened.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = None if fcntl is None else os.open(folder, os.O_RDONLY)
    except FileExistsError:
        raise InputError(f"{folder}: is a file; choose another --out") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose a folder you may write to") from None
    try:
        if handle is not None:
            take(handle, folder)
        yield
    finally:
        with suppress(OSError):  # removes created folders that are still empty; those with files raise OSError and stay
            for path in missing:
                path.rmdir()
        if handle is not None:
            os.close(handle)


def take(handle: int, folder: Path) -> None:
    """Locks an open folder.

    Raises:
        InputError: the folder is locked already.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{folder}: another process is training in it; wait until that has ended, or choose another --out"
        ) from None
    except OSError:  # this file system has no such locks
        pass
