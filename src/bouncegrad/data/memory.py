"""Measures how much memory is free, and refuses files that need more before memory is allocated for them."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.data.errors import InputError

# No recording can be compressed by more than this factor. A small file that unpacks to gigabytes is a mistake or an
# attack. Contents of at most `SMALL` bytes are always read.
BEST_PACKING, SMALL = 100, 2.5e8
GROUPS = Path("/sys/fs/cgroup")  # in a container this folder is the control group of the container


class TooLargeError(InputError):
    """The contents of a file are larger than can be loaded."""


def free_bytes() -> float | None:
    """Returns the memory that is free within the limits of machine, container and process; None if none is known."""
    known = [left for left in (of_machine(), of_container(), of_process()) if left is not None]
    return min(known, default=None)


def of_machine() -> float | None:
    """Returns the memory of the machine that can be used without swapping, or None."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def of_container(folder: Path = GROUPS) -> float | None:
    """Returns the memory that the limit of a control group leaves, as for a container or a cluster job, or None."""
    try:
        limit, used = (float((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(limit - used + float(kept["inactive_file"]), 0.0)  # the system can free cached pages of files
    except (OSError, ValueError, LookupError):  # the limit is the word max, or there is no such control group
        return None


def of_process() -> float | None:
    """Returns the memory that the limit of `ulimit -v` leaves, or None."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return None if limit == resource.RLIM_INFINITY else max(limit - float(pages * resource.getpagesize()), 0.0)
    except (ImportError, OSError, ValueError, LookupError):
        return None


def require_loadable(needed: float, stored: float, where: str) -> None:
    """Refuses contents that need more memory than is free, or far more than a file of this size can plausibly hold.

    Args:
        needed: bytes in memory.
        stored: bytes of the file; infinite if any compression ratio is allowed.
        where: the file, for the message.

    Raises:
        TooLargeError: names both sizes.
    """
    if needed > max(SMALL, BEST_PACKING * stored):
        raise TooLargeError(
            f"{where}: unpacks to about {in_gigabytes(needed)} from {stored:,.0f} bytes, which no recording does; "
            "save plain arrays of numbers again"
        )
    free = free_bytes()
    if free is not None and needed > free:
        raise TooLargeError(
            f"{where}: takes about {in_gigabytes(needed)}, {in_gigabytes(free)} are free; give fewer or shorter "
            "recordings"
        )


def in_gigabytes(size: float) -> str:
    """Returns a number of bytes in gigabytes, for messages.

    Example:
        >>> in_gigabytes(4e10)
        '40.0 GB'
    """
    return f"{size / 1e9:.1f} GB" if size < 1e15 else f"{size / 1e9:.0e} GB"
