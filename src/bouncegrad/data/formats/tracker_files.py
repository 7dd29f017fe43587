"""Reads HDF5 files of trackers: the analysis file of SLEAP, the trajectories of idtracker.ai, tables of DeepLabCut.

SLEAP           tracks [animal, axis, node, frame], track_names, node_names
idtracker.ai    trajectories [frame, animal, axis], the attribute frames_per_second
DeepLabCut      df_with_missing, see `deeplabcut_h5.py`
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.deeplabcut_h5 import key_of, read_table
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.grid import Frames
from bouncegrad.data.formats.keypoints import AXES, Points, recordings_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.hdf5 import UNREADABLE, library, table_of
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.trajectories import Trajectories

SUFFIXES = (".h5", ".hdf5", ".hdf")
LONGEST = 1000  # letters of a name, and names


def read(path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in a file of SLEAP, idtracker.ai or DeepLabCut.

    Raises:
        InputError: h5py is missing, or the file is damaged or of another program.
    """
    if manner.columns is not None:
        raise InputError(f"{path}: is no table with columns; leave out --columns")
    with _opened(path) as file:
        keys = [str(key) for key in file]
        if "trajectories" in keys:
            return _idtracker(file, path, manner)
        if "tracks" in keys and {"node_names", "track_names", "track_occupancy"} & set(keys):
            return _sleap(file, path, manner)
        if (key := key_of(file)) is not None:
            return read_table(file, key, path, manner)
    raise InputError(
        f"{path}: has the keys {', '.join(keys[:10])[:200] or '(none)'}, which are not known; known are tracks (SLEAP "
        "analysis), trajectories (idtracker.ai) and df_with_missing (DeepLabCut); save other arrays with numpy.savez"
    )


def _sleap(file: Any, path: Path, manner: Manner) -> Trajectories:
    tracks = _numbers(file, "tracks", path, 4)
    places = tracks.transpose(3, 0, 2, 1)
    frames, animals, nodes, axes = places.shape
    if not 2 <= axes <= 3:
        raise InputError(f"{path}: tracks has shape {tracks.shape}; give [animal, axis, node, frame], as SLEAP exports")
    names = _names(file, "track_names", animals, path) if "track_names" in file else ()
    parts = _names(file, "node_names", nodes, path) if "node_names" in file else ()
    points = Points(
        places,
        names or tuple(f"track_{i}" for i in range(animals)),
        parts or tuple(f"node_{i}" for i in range(nodes)),
        np.arange(frames) / (manner.fps or 1.0),
        np.arange(frames),
    )
    return recordings_of(points, path, manner, (("left out", "scores: how sure SLEAP is, not a place"),))


def _idtracker(file: Any, path: Path, manner: Manner) -> Trajectories:
    if manner.keypoints is not None:
        raise InputError(f"{path}: option keypoints goes with body parts, which this file has not; leave it out")
    places = _numbers(file, "trajectories", path, 3)
    frames, animals, axes = places.shape
    if not 2 <= axes <= 3:
        raise InputError(f"{path}: trajectories has shape {places.shape}; give [frame, animal, axis]")
    rate = manner.fps or _rate(file)
    names = tuple(str(i + 1) for i in range(animals))
    rows = Frames(path, np.zeros(frames, np.int64), np.arange(frames) / rate, np.arange(frames), ("0",), names)
    data = rows.recordings(places, AXES[:axes], manner)
    said = f"idtracker.ai at {rate:g} frames a second" if rate != 1 else "idtracker.ai, the time counts frames"
    return replace(data, origin=(("read as", said), *data.origin))


def _rate(file: Any) -> float:
    """Returns the frames in a second that the file states, 1 if it states none."""
    if "frames_per_second" not in file.attrs:
        return 1.0
    about = file.attrs.get_id("frames_per_second")
    if about.dtype.kind not in "iuf" or about.shape not in ((), (1,)):
        return 1.0
    stated = float(np.ravel(file.attrs["frames_per_second"])[0])
    return stated if np.isfinite(stated) and stated > 0 else 1.0


def _numbers(file: Any, key: str, path: Path, axes: int) -> np.ndarray:
    """Returns an array of numbers with this many axes."""
    found = table_of(file, key, path)
    if len(found.shape) != axes or not all(found.shape):
        raise InputError(f"{path}: {key} has shape {found.shape}; it needs {axes} axes and no empty one")
    require_loadable(24.0 * found.size, path.stat().st_size, str(path))
    return np.asarray(found[()], np.float64)


def _names(file: Any, key: str, count: int, path: Path) -> tuple[str, ...]:
    """Returns the names that a data set holds; none if they do not fit."""
    stored = file[key]
    if not isinstance(stored, library().Dataset) or stored.shape != (count,) or stored.dtype.kind not in "OS":
        return ()
    if stored.dtype.kind == "O" and not _short(stored, path):
        return ()
    names = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in stored[()])
    return names if len(set(names)) == count and all(names) else ()


def _short(stored: Any, path: Path) -> bool:
    """Returns whether no text of variable length claims to be longer than a name.

    The library takes memory for the length that the file states, which in a damaged file may be gigabytes. Each text is
    a cell of 16 bytes that begins with its length.
    """
    start = stored.id.get_offset()
    if start is None or stored.size > LONGEST or not library().check_string_dtype(stored.dtype):
        return False
    with path.open("rb") as stream:
        stream.seek(start)
        cells = stream.read(16 * stored.size)
    lengths = np.frombuffer(cells[: len(cells) // 16 * 16], "<u4")[::4]
    return len(lengths) == stored.size and bool((lengths <= LONGEST).all())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a file, and turns the errors of h5py on a damaged one into one line."""
    h5py = library()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except UNREADABLE as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as HDF5 ({why}); copy or save the file again") from None


TRACKER_FILES = Format(
    name="hdf5",
    layout="an .h5 file of SLEAP (analysis), idtracker.ai or DeepLabCut",
    recognises=lambda path: path.suffix.lower() in SUFFIXES and path.is_file(),
    read=lambda path, part: read(path, Manner()),
    read_as=read,
)
