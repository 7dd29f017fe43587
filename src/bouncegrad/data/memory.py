"""How much memory is free, and the refusal of files that claim more: before anything is allocated for them."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.data.errors import InputError

# No recording packs so well. A file of a few kilobytes that unpacks to gigabytes is a mistake or a trap.
BEST_PACKING, SMALL = 100, 2.5e8
GROUPS = Path("/sys/fs/cgroup")  # in a container its own group is the root


class TooLargeError(InputError):
    """A file claims more than can be loaded."""


def free_bytes() -> float | None:
    """Memory that may be used without swapping, by the machine, container and process; None where none of them says."""
    told = [left for left in (of_machine(), of_container(), of_process()) if left is not None]
    return min(told, default=None)


def of_machine() -> float | None:
    """What is left of the machine's memory."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def of_container(folder: Path = GROUPS) -> float | None:
    """What is left of the limit of a control group, such as a container or a job of a cluster has."""
    try:
        limit, used = (float((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(limit - used + float(kept["inactive_file"]), 0.0)  # pages of files go when others need the room
    except (OSError, ValueError, LookupError):  # no limit, which is the word max, or none of this kind
        return None


def of_process() -> float | None:
    """What is left of the limit that `ulimit -v` sets."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return None if limit == resource.RLIM_INFINITY else max(limit - float(pages * resource.getpagesize()), 0.0)
    except (ImportError, OSError, ValueError, LookupError):
        return None


def require_loadable(needed: float, stored: float, where: str) -> None:
    """Refuses contents that take more memory than is free, or far more than a file of this size can honestly hold.

    Args:
        needed: bytes in memory.
        stored: bytes of the file; infinite where any packing is honest.
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
    """A size for people.

    Example:
        >>> in_gigabytes(4e10)
        '40.0 GB'
    """
    return f"{size / 1e9:.1f} GB" if size < 1e15 else f"{size / 1e9:.0e} GB"
