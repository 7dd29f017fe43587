"""Defines what a format of recordings is: how to recognise, read and write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories

READ_AS_TRUTH = "would be read as the true edges of the recordings; remove it or choose another name"


def _no_parts(path: Path) -> tuple[str, ...]:
    return ()


def _no_edges(path: Path) -> Path | None:
    return None


def _one_file(path: Path, part: str | None) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True)
class Format:
    """One way in which recordings are stored on disk.

    Args:
        name: the name of the format, as in `save(..., format=name)`.
        layout: a description of its files or folders, for messages.
        recognises: returns whether an existing path has this format. It decides by names (of files, columns and keys),
            not by values or sizes.
        read: returns the recordings of one part. The part is None for a format without parts, or if the path chooses.
        read_as: returns the recordings by the options in `Manner`, for a format that is a table or stores the time of
            each state. It is None for a format without columns and with even frames.
        write: writes recordings as one part. It is None if the format is only read.
        suffix: the end of its file names; empty for folders.
        parts: returns the names of the parts found at a path.
        overview: returns the parts that are shown where all are listed; by default these are all parts.
        edges_beside: returns the table of true edges that belongs to a path, or None.
        files: returns all files that one part at a path may have, whether they exist or not.
        left_out: describes what the files may hold and `read` does not return; empty if there is nothing.
    """

    name: str
    layout: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, str | None], Trajectories]
    read_as: Callable[[Path, Manner], Trajectories] | None = None
    write: Callable[[Trajectories, Path, str | None], None] | None = None
    suffix: str = ""
    parts: Callable[[Path], tuple[str, ...]] = _no_parts
    overview: Callable[[Path], tuple[str, ...]] | None = None
    edges_beside: Callable[[Path], Path | None] = _no_edges
    files: Callable[[Path, str | None], tuple[Path, ...]] = _one_file
    left_out: str = ""


def chosen_part(path: Path, parts: Sequence[str], part: str | None) -> str:
    """Returns the part to read: the one that is asked for, or else the only one.

    Raises:
        InputError: there are several parts and none is chosen, or there is no such part.
    """
    if part is None and len(parts) > 1:
        raise InputError(f"{path}: has the parts {listed(parts)}; choose one")
    if part is not None and part not in parts:
        raise InputError(f"{path}: has no part {part!r}; choose one of {listed(parts)}")
    return part or parts[0]


def require_complete(data: Trajectories, path: Path) -> None:
    """Refuses recordings with unobserved cells, for formats that cannot mark them."""
    if data.mask is not None and not data.mask.all():
        raise InputError(
            f"{path}: {int((~data.mask).sum())} of {data.mask.size} cells are unobserved, "
            "which this format cannot hold; save as .npz"
        )


def require_no_stale_edges(data: Trajectories, edges: Path) -> None:
    """Refuses to write recordings without true edges beside a file that would be read as their true edges."""
    if data.edges is None and edges.exists():
        raise InputError(f"{edges}: {READ_AS_TRUTH}")
