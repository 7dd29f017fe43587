"""Reads and writes recordings on disk. A new format is one file and one entry in `FORMATS`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from bouncegrad.data.angles import as_stated, box_sizes
from bouncegrad.data.arguments import require_keywords
from bouncegrad.data.errors import InputError
from bouncegrad.data.exchanges import exchanged_back
from bouncegrad.data.formats.alet import ALET
from bouncegrad.data.formats.chosen import chosen_features, require_all_observed
from bouncegrad.data.formats.dnri import DNRI
from bouncegrad.data.formats.edge_arrays import read_truth
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.frames import SOURCE, edges_from_frame, to_frame
from bouncegrad.data.formats.keypoints import DEEPLABCUT, SLEAP
from bouncegrad.data.formats.kipf import KIPF
from bouncegrad.data.formats.labels import read_labels
from bouncegrad.data.formats.lammps import LAMMPS
from bouncegrad.data.formats.mapped import FOLDER as MAPPED
from bouncegrad.data.formats.metrica import METRICA
from bouncegrad.data.formats.netsim import NETSIM
from bouncegrad.data.formats.numbered_rows import MOT, WALKERS
from bouncegrad.data.formats.objects import as_pandas, from_object
from bouncegrad.data.formats.own import ARCHIVE, ARRAY
from bouncegrad.data.formats.parquet import PARQUET
from bouncegrad.data.formats.pedestrians import PEDESTRIANS
from bouncegrad.data.formats.reading import OPTIONS, Manner, Reading, manner_of
from bouncegrad.data.formats.scenes import TRAJNET
from bouncegrad.data.formats.sheets import TABLE, TRACKS, WIDE
from bouncegrad.data.formats.table_folder import folder_of
from bouncegrad.data.formats.tracker_files import TRACKER_FILES
from bouncegrad.data.formats.xyz import XYZ
from bouncegrad.data.lost import with_lost_missing
from bouncegrad.data.resampling import resample as at_even_frames
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.units import with_one_unit, with_units
from bouncegrad.data.velocities import with_velocities

__all__ = [
    "FORMATS",
    "Format",
    "Reading",
    "load",
    "overview",
    "parts",
    "recognise",
    "save",
    "to_frame",
    "written_format",
]

# The first format that recognises a path reads it, so special formats come before general ones: files of a folder
# before a bare array, NetSim before the own archive. `save` chooses the last format of a suffix if none is named.
TEXTS = (DEEPLABCUT, SLEAP, METRICA, MOT, WALKERS, *TRACKS, WIDE, TABLE)
FORMATS: tuple[Format, ...] = (
    *(KIPF, ALET, DNRI, PEDESTRIANS, NETSIM, MAPPED, ARCHIVE, ARRAY),
    *(TRAJNET, LAMMPS, XYZ, TRACKER_FILES, PARQUET),
    *TEXTS,
    folder_of(TEXTS),
)


def load(path: str | Path | object, *, part: str | None = None, **reading: Unpack[Reading]) -> Trajectories:
    """Returns the recordings in a file or folder of any known format, or in an object of another package.

    NaN means missing in every format; in tables a blank and NA do too. Infinities in tables are refused. Infinities in
    arrays are not checked here, since frames after the context may hold anything; `Trajectories.require_finite` refuses
    them.

    Args:
        path: a file, a folder, or one file of a folder (which then chooses the data set and the part). Or an object: a
            long or wide table of pandas or polars, an array of xarray (as `movement` makes it), labels of sleap-io, or
            tracking data of kloppy.
        part: train, valid or test, or the name of a case, for a format that has parts.
        reading: the options of reading, which `Reading` describes in full: `edges`, a file or table of true edges;
            `edges_order`, the order of a vector of edges; `velocities`, True to derive velocities; `time_step`, the
            time between two frames; `resample`, the time between the frames to interpolate; `angles`, the features that
            are angles; `periodic`, positions that wrap at periodic walls; `groups`, a table of tasks that share a
            graph; `kinds`, a table of kinds of entities; `columns`, the roles of the columns of a table; `fps`, frames
            in a second; `missing`, the numbers of a lost state; `keypoints` and `likelihood`, how body parts are read;
            `strict`, True to refuse missing cells; `unit` and `origin`, the units of features; `same_unit`, True to
            bring tasks of another unit to that of most; `unswap`, True to exchange exchanged names back.

    Raises:
        InputError: one line that names the file, the place, the value found and the remedy.
        TypeError: an option is not known.

    Example:
        >>> import numpy as np
        >>> np.savez("mine.npz", x=np.zeros((12, 49, 5, 2)), features=["x", "y"])
        >>> load("mine.npz").summary()
        '12 tasks, 49 frames, 5 entities, 2 features (x, y), truth unknown'
    """
    require_keywords("load", reading, OPTIONS)
    manner = manner_of(reading)
    data, beside = _read(path, part, manner)
    data = with_units(data, tuple(reading.get("unit", ())), tuple(reading.get("origin", ())))
    data = _repaired(_with_periods(data, reading), reading)
    data = _with_labels(_with_edges(data, beside, reading), reading)
    if (time_step := reading.get("time_step")) is not None:
        if data.resampling:
            raise InputError(f"{data.source}: states its times itself; resample without a time step")
        data = replace(data, dt=time_step)
    if manner.evenly is not None and not data.resampling:
        data = at_even_frames(data, manner.evenly.step)
    if reading.get("strict"):
        require_all_observed(data)
    return with_velocities(data) if reading.get("velocities") else data


def parts(path: str | Path) -> tuple[str, ...]:
    """Returns the parts found at a path: train, valid, test, or cases ordered by time; none for a single data set."""
    return recognise(path).parts(Path(path))


def overview(path: str | Path) -> tuple[str, ...]:
    """Returns the parts that a list of a data set shows, such as the scenes rather than their cases."""
    form = recognise(path)
    return (form.overview or form.parts)(Path(path))


def recognise(path: str | Path) -> Format:
    """Returns the format of an existing file or folder.

    Raises:
        InputError: there is no such file, or no format recognises it.
    """
    path = _existing(Path(path))
    for form in FORMATS:
        if form.recognises(path):
            return form
    if path.is_dir():
        folders = " or ".join(form.layout for form in FORMATS if "folder" in form.layout)
        raise InputError(f"{path}: this folder has no known format; give a file in it, or {folders}")
    raise InputError(
        f"{path}: files named *{path.suffix} are not known; give {TABLE.layout}, {ARCHIVE.layout}, or a file of one of "
        f"the programs {', '.join(dict.fromkeys(form.name for form in FORMATS if form.suffix == ''))}"
    )


def save(data: Trajectories, path: str | Path, part: str | None = None, *, format: str | None = None) -> None:
    """Writes recordings, so that `load` returns them again.

    Args:
        data: the recordings.
        path: a file that ends in `.npz` (keeps everything) or `.csv` (with `NAME_edges.csv` beside it if the true edges
            are known), or a folder.
        part: train, valid or test, for a folder.
        format: the name of the format. It is needed for a folder (`kipf`, `alet`, `dnri`), for `wide` tables in `.csv`
            and for `netsim` in `.npz`. Otherwise the name of the file decides.

    Raises:
        InputError: no written format has that name, or the format cannot hold these recordings.
    """
    path = Path(path)
    form = written_format(path, format)
    if part is not None and form.suffix:
        raise InputError(f"{path}: a {form.suffix} file has no parts; leave {part!r} out or choose a folder")
    assert form.write is not None
    form.write(data, path, part)


def written_format(path: Path, format: str | None) -> Format:
    """Returns the format that `save` writes at a path.

    Raises:
        InputError: no written format has that name, or the path does not end in the suffix of the format.
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


def _read(path: str | Path | object, part: str | None, manner: Manner) -> tuple[Trajectories, Path | None]:
    """Returns the recordings and the file of edges beside them."""
    if not isinstance(path, str | Path):
        if part is not None:
            raise InputError(f"{SOURCE}: has no parts, so no part {part!r}; leave the part out")
        return from_object(path, manner), None
    path = Path(path)
    form = recognise(path)
    if part is not None and not form.parts(path):
        raise InputError(f"{path}: has no parts, so no part {part!r}; leave the part out")
    if form.read_as is not None:
        return form.read_as(path, manner), form.edges_beside(path)
    if manner.keypoints is not None:
        raise InputError(f"{path}: option keypoints goes with body parts, which this file has not; leave it out")
    data = chosen_features(with_lost_missing(form.read(path, part), manner.missing), manner.columns)
    if manner.fps is not None:
        data = replace(data, dt=float(f"{1 / manner.fps:.12g}"))  # to the bit as measured from the times of a table
    return data, form.edges_beside(path)


def _with_edges(data: Trajectories, beside: Path | None, reading: Reading) -> Trajectories:
    """Returns the recordings with the true edges that are asked for, or else with those in the file beside them."""
    edges, order = reading.get("edges"), reading.get("edges_order")
    if order is not None and not isinstance(edges, str | Path):
        raise InputError(f"{data.source}: an order of edges is given but no vector; give the file of edges too")
    if edges is None:
        edges = beside
    if edges is None:
        return data
    if isinstance(edges, str | Path):
        return replace(data, edges=read_truth(_existing(Path(edges)), data, order))
    return replace(data, edges=edges_from_frame(as_pandas(edges), data))


def _with_periods(data: Trajectories, reading: Reading) -> Trajectories:
    """Returns the recordings with the angles and periodic positions that are asked for, beside those of the format."""
    angles, periodic = tuple(reading.get("angles", ())), tuple(reading.get("periodic", ()))
    boxes = as_stated(box_sizes(periodic, data.features, data.source), data.features)
    return replace(
        data,
        angles=tuple(dict.fromkeys((*data.angles, *angles))),
        periodic=tuple(dict.fromkeys((*data.periodic, *boxes))),
    )


def _repaired(data: Trajectories, reading: Reading) -> Trajectories:
    """Returns the recordings with exchanged names and other units put right, if that is asked for."""
    with np.errstate(all="ignore"):  # squares of very large numbers are infinite, and nothing is found then
        data = exchanged_back(data) if reading.get("unswap") else data
        return with_one_unit(data) if reading.get("same_unit") else data


def _with_labels(data: Trajectories, reading: Reading) -> Trajectories:
    """Returns the recordings with the groups of tasks and the kinds of entities that are asked for."""
    if (groups := reading.get("groups")) is not None:
        data = replace(data, groups=read_labels(_existing(Path(groups)), data, "task", "group"))
    if (kinds := reading.get("kinds")) is not None:
        data = replace(data, kinds=read_labels(_existing(Path(kinds)), data, "entity", "kind"))
    return data


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct the path")
    return path
