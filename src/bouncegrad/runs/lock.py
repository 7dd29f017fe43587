"""One training at a time in a folder: two would cut each other's rows and replace each other's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bouncegrad.data.errors import InputError

try:
    import fcntl
except ImportError:  # not on this system, which has to do without
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder, which is made where there is none; no other process, and nobody else in this one, gets it then.

    The system's lock is on the folder itself: it leaves no file behind, and goes with the process however that ends.
    File systems that do not lock folders, as some in a network, do without.

    Args:
        folder: that is written into while the block runs.

    Raises:
        InputError: somebody else holds it, or it cannot be made or opened.
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
        with suppress(OSError):  # what was refused before it wrote anything leaves no empty folders
            for path in missing:
                path.rmdir()
        if handle is not None:
            os.close(handle)


def take(handle: int, folder: Path) -> None:
    """Locks an open folder.

    Raises:
        InputError: it is locked.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{folder}: another process is training in it; wait until that has ended, or choose another --out"
        ) from None
    except OSError:  # a file system that knows no such locks
        pass
