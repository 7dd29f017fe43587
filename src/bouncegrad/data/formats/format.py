"""What a format of recordings is: how to recognise, read and write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.resampling import Evenly
from bouncegrad.data.trajectories import Trajectories


def _no_parts(path: Path) -> tuple[str, ...]:
    return ()


def _no_edges(path: Path) -> Path | None:
    return None


def _one_file(path: Path, part: str | None) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True)
class Format:
    """One way in which recordings lie on disk.

    Args:
        name: the word that chooses it in `save(..., format=name)`.
        layout: what a file or folder of it looks like, for messages.
        recognises: whether this path, which exists, is of this format; judged by names (of files, columns and keys),
            not by values or sizes.
        read: the recordings of one part; the part is None for a format without parts, or to let the path choose.
        resampled: the recordings at even frames so far apart, for a format that says when each state was recorded; None
            where its frames are even.
        write: writes recordings as one part; None when the format is only read.
        suffix: how names of its files end; empty for folders.
        parts: names of the parts found at a path.
        edges_beside: the table of true edges that belongs to a path, if there is one.
        files: all files that hold one part at a path, there or not.
        left_out: what its files hold and reading leaves out, in words; empty when that is nothing.
    """

    name: str
    layout: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, str | None], Trajectories]
    resampled: Callable[[Path, Evenly], Trajectories] | None = None
    write: Callable[[Trajectories, Path, str | None], None] | None = None
    suffix: str = ""
    parts: Callable[[Path], tuple[str, ...]] = _no_parts
    edges_beside: Callable[[Path], Path | None] = _no_edges
    files: Callable[[Path, str | None], tuple[Path, ...]] = _one_file
    left_out: str = ""


def chosen_part(path: Path, parts: Sequence[str], part: str | None) -> str:
    """The part to read: as asked for, else the only one.

    Raises:
        InputError: several parts and no choice, or a part that is not there.
    """
    if part is None and len(parts) > 1:
        raise InputError(f"{path}: has the parts {listed(parts)}; choose one")
    if part is not None and part not in parts:
        raise InputError(f"{path}: has no part {part!r}; choose one of {listed(parts)}")
    return part or parts[0]


def require_complete(data: Trajectories, path: Path) -> None:
    """Refuses recordings with unobserved cells, for formats that cannot say which cells were observed."""
    if data.mask is not None and not data.mask.all():
        raise InputError(
            f"{path}: {int((~data.mask).sum())} of {data.mask.size} cells are unobserved, "
            "which this format cannot hold; save as .npz"
        )


def require_no_stale_edges(data: Trajectories, edges: Path) -> None:
    """Refuses to write recordings of unknown truth beside a file that would be read as their truth."""
    if data.edges is None and edges.exists():
        raise InputError(f"{edges}: would be read as the truth of the recordings; remove it or choose another name")
