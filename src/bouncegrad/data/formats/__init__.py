"""Recordings on disk: `load`, `save`, and the table of formats. A new format is one file and one entry in `FORMATS`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.alet import ALET
from bouncegrad.data.formats.edge_table import read_edges
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.kipf import KIPF
from bouncegrad.data.formats.own import ARCHIVE, ARRAY
from bouncegrad.data.formats.table import TABLE
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.velocities import with_velocities

__all__ = ["FORMATS", "Format", "load", "parts", "recognise", "save"]

# The first that recognises a path reads it: a file of a folder comes before a bare array.
FORMATS: tuple[Format, ...] = (KIPF, ALET, ARCHIVE, ARRAY, TABLE)


def load(
    path: str | Path,
    *,
    part: str | None = None,
    edges: str | Path | None = None,
    velocities: bool = False,
    time_step: float | None = None,
) -> Trajectories:
    """The recordings in a file or folder of any known format.

    Values are not checked, since frames after the context may hold anything; `Trajectories.require_finite` does that.
    A table is stricter: it must not have blank cells.

    Args:
        path: a file, a folder, or one file of a folder (which then chooses the data set and the part).
        part: train, valid or test, for a format that has parts.
        edges: a table of true edges (task, source, target, type), in place of what the format itself states.
        velocities: add velocities derived from the positions.
        time_step: time between two frames, in place of what the format itself states.

    Raises:
        InputError: one line that names the file, the place, the value found and the remedy.

    Example:
        >>> load("springs.npz").summary()  # doctest: +SKIP
        '500 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth for 20 edges'
    """
    path = Path(path)
    form = recognise(path)
    if part is not None and not form.parts(path):
        raise InputError(f"{path}: has no parts, so not {part!r} either; leave the part out")
    data = form.read(path, part)
    table = form.edges_beside(path) if edges is None else _existing(Path(edges))
    if table is not None:
        data = replace(data, edges=read_edges(table, data))
    if time_step is not None:
        data = replace(data, dt=time_step)
    return with_velocities(data) if velocities else data


def parts(path: str | Path) -> tuple[str, ...]:
    """The parts found at a path, in the order train, valid, test; none for a single file."""
    return recognise(path).parts(Path(path))


def recognise(path: str | Path) -> Format:
    """The format of an existing file or folder.

    Raises:
        InputError: there is no such file, or nothing known in it.
    """
    path = _existing(Path(path))
    for form in FORMATS:
        if form.recognises(path) and not (form.suffix and path.is_dir()):
            return form
    what = "nothing known in this folder" if path.is_dir() else f"files named *{path.suffix} are not known"
    raise InputError(f"{path}: {what}; give {' or '.join(form.layout for form in FORMATS)}")


def save(data: Trajectories, path: str | Path, part: str | None = None, *, format: str | None = None) -> None:
    """Writes recordings so that `load` gives them back.

    Args:
        data: the recordings.
        path: a file that ends in `.npz` (keeps everything) or `.csv` (with `NAME_edges.csv` beside it when the truth
            is known), or a folder.
        part: train, valid or test, for a folder.
        format: `kipf` or `alet`, for a folder; otherwise the name of the file decides.

    Raises:
        InputError: no format of that name is written, or it cannot hold these recordings.
    """
    path = Path(path)
    written = [form for form in FORMATS if form.write is not None]
    chosen = [
        form for form in written if (form.name == format if format else form.suffix and form.suffix == path.suffix)
    ]
    if not chosen or chosen[0].write is None:
        suffixes = ", ".join(form.suffix for form in written if form.suffix)
        raise InputError(
            f"{path}: {f'no format {format!r}' if format else 'no format by this name'}; name it {suffixes}, or give "
            f"the format of a folder, {' or '.join(form.name for form in written if not form.suffix)}"
        )
    if part is not None and chosen[0].suffix:
        raise InputError(f"{path}: a {chosen[0].suffix} file has no parts; leave {part!r} out or choose a folder")
    chosen[0].write(data, path, part)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct the path")
    return path
