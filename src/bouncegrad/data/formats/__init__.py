"""Recordings on disk: `load`, `save`, and the table of formats. A new format is one file and one entry in `FORMATS`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.alet import ALET
from bouncegrad.data.formats.dnri import DNRI
from bouncegrad.data.formats.edge_arrays import read_truth
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.frames import SOURCE, edges_from_frame, from_frame, to_frame
from bouncegrad.data.formats.kipf import KIPF
from bouncegrad.data.formats.labels import read_labels
from bouncegrad.data.formats.mapped import FOLDER as MAPPED
from bouncegrad.data.formats.netsim import NETSIM
from bouncegrad.data.formats.own import ARCHIVE, ARRAY
from bouncegrad.data.formats.pedestrians import PEDESTRIANS
from bouncegrad.data.formats.table import TABLE
from bouncegrad.data.formats.wide import WIDE
from bouncegrad.data.resampling import Evenly, Step
from bouncegrad.data.resampling import resample as at_even_frames
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.velocities import with_velocities

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "Format", "load", "parts", "recognise", "save", "to_frame", "written_format"]

# The first that recognises a path reads it: a file of a folder comes before a bare array, a layout with a name of its
# own before the general one of that suffix. The last of a suffix is what `save` writes when only the name is given.
FORMATS: tuple[Format, ...] = (KIPF, ALET, DNRI, PEDESTRIANS, NETSIM, MAPPED, ARCHIVE, ARRAY, WIDE, TABLE)


def load(
    path: str | Path | pd.DataFrame,
    *,
    part: str | None = None,
    edges: str | Path | pd.DataFrame | None = None,
    edges_order: str | None = None,
    velocities: bool = False,
    time_step: float | None = None,
    resample: Step | None = None,
    angles: Sequence[str] = (),
    groups: str | Path | None = None,
    kinds: str | Path | None = None,
) -> Trajectories:
    """The recordings in a file or folder of any known format, or in a pandas table.

    NaN means missing in every format, in tables also a blank and NA. Beside that arrays are not checked, since frames
    after the context may hold anything: `Trajectories.require_finite` refuses infinities there, and tables when read.

    Args:
        path: a file, a folder, one file of a folder (which then chooses the data set and the part), or a long or wide
            table of pandas.
        part: train, valid or test, or the name of a case, for a format that has parts.
        edges: a file of true edges, in place of what the format itself states: a table (task, source, target, type), a
            matrix or a vector, see `read_truth`; or such a table of pandas.
        edges_order: source or target, by which a vector of edges is sorted first.
        velocities: add velocities derived from the positions.
        time_step: time between two frames, in place of what the format itself states.
        resample: interpolate at frames so far apart, or `usual`, see `resampling.py`; velocities are derived after.
        groups: a table (task, group) of the tasks that have a graph in common.
        kinds: a table (entity, kind) of entities that move by laws of their own.
        angles: features that are angles, `phase` in radians or `heading:deg` in degrees, beside those that the format
            itself states; their differences wrap, see `angles.py`.

    Raises:
        InputError: one line that names the file, the place, the value found and the remedy.

    Example:
        >>> import numpy as np
        >>> np.savez("mine.npz", x=np.zeros((12, 49, 5, 2)), features=["x", "y"])
        >>> load("mine.npz").summary()
        '12 tasks, 49 frames, 5 entities, 2 features (x, y), truth unknown'
    """
    data, beside = _read(path, part, None if resample is None else Evenly(resample, tuple(angles)))
    data = replace(data, angles=tuple(dict.fromkeys((*data.angles, *angles))))
    if edges_order is not None and not isinstance(edges, str | Path):
        raise InputError(f"{data.source}: an order of edges is given but no vector; give the file of edges too")
    if edges is None:
        edges = beside
    if groups is not None:
        data = replace(data, groups=read_labels(_existing(Path(groups)), data, "task", "group"))
    if kinds is not None:
        data = replace(data, kinds=read_labels(_existing(Path(kinds)), data, "entity", "kind"))
    if isinstance(edges, str | Path):
        data = replace(data, edges=read_truth(_existing(Path(edges)), data, edges_order))
    elif edges is not None:
        data = replace(data, edges=edges_from_frame(edges, data))
    if time_step is not None:
        if data.resampling:
            raise InputError(f"{data.source}: says its times itself; resample without a time step")
        data = replace(data, dt=time_step)
    if resample is not None and not data.resampling:
        data = at_even_frames(data, resample)
    return with_velocities(data) if velocities else data


def parts(path: str | Path) -> tuple[str, ...]:
    """The parts found at a path, in the order train, valid, test, or of time; none for a single data set."""
    return recognise(path).parts(Path(path))


def recognise(path: str | Path) -> Format:
    """The format of an existing file or folder.

    Raises:
        InputError: there is no such file, or nothing known in it.
    """
    path = _existing(Path(path))
    for form in FORMATS:
        if form.recognises(path):
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
        format: the name of the format; needed for a folder (`kipf`, `alet`, `dnri`), for `wide` tables in `.csv` and
            for `netsim` in `.npz`. Otherwise the name of the file decides.

    Raises:
        InputError: no format of that name is written, or it cannot hold these recordings.
    """
    path = Path(path)
    form = written_format(path, format)
    if part is not None and form.suffix:
        raise InputError(f"{path}: a {form.suffix} file has no parts; leave {part!r} out or choose a folder")
    assert form.write is not None
    form.write(data, path, part)


def written_format(path: Path, format: str | None) -> Format:
    """The format that `save` writes at a path.

    Raises:
        InputError: no format of that name is written, or the path is not called as its files are.
    """
    written = [form for form in FORMATS if form.write is not None]
    chosen = [
        form for form in written if (form.name == format if format else form.suffix and form.suffix == path.suffix)
    ]
    if not chosen:
        suffixes = ", ".join(dict.fromkeys(form.suffix for form in written if form.suffix))
        folders = " or ".join(form.name for form in written if not form.suffix)
        if not format:
            raise InputError(
                f"{path}: no format by this name; name it {suffixes}, or give the format of a folder, {folders}"
            )
        raise InputError(f"{path}: no format {format!r}; choose one of {', '.join(form.name for form in written)}")
    form = chosen[-1]
    if form.suffix and path.suffix != form.suffix:
        raise InputError(f"{path}: the files of format {form.name} are called *{form.suffix}; name it so")
    return form


def _read(path: str | Path | pd.DataFrame, part: str | None, evenly: Evenly | None) -> tuple[Trajectories, Path | None]:
    """The recordings, resampled if their format holds the time of each state, and the file of edges beside them."""
    if not isinstance(path, str | Path):
        if part is not None:
            raise InputError(f"{SOURCE}: has no parts, so not {part!r} either; leave the part out")
        return from_frame(path, evenly), None
    path = Path(path)
    form = recognise(path)
    if part is not None and not form.parts(path):
        raise InputError(f"{path}: has no parts, so not {part!r} either; leave the part out")
    data = form.read(path, part) if evenly is None or form.resampled is None else form.resampled(path, evenly)
    return data, form.edges_beside(path)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct the path")
    return path
