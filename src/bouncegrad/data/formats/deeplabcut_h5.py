"""Reads the `.h5` of DeepLabCut: a table of pandas with a column for each body part and coordinate.

    table    NAME/table with the fields index, values_block_0, ...; the names of the columns are a pickled attribute,
             which is read as plain text and never run, see `plain_pickles.py`
    fixed    NAME/block0_values with the names in block0_items_level0, ... and the frames in axis1

NAME is `df_with_missing`, or the only group of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.keypoints import from_labels
from bouncegrad.data.formats.plain_pickles import plain_value
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.hdf5 import library, table_of
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("df_with_missing", "df_with_missing_ensemble", "tracks_with_missing")
LONGEST = 2**20  # bytes of the pickled names
LEVELS = (3, 4)  # scorer, bodyparts, coords; or scorer, individuals, bodyparts, coords
REMEDY = "give its CSV, made with deeplabcut.analyze_videos_converth5_to_csv(FOLDER)"

Labels = list[tuple[str, ...]]


def key_of(file: Any) -> str | None:
    """Returns the group with the table; None if the file has no such table."""
    h5py = library()
    groups = [str(key) for key in file if isinstance(file.get(key, getlink=True), h5py.HardLink)]
    tables = [key for key in groups if isinstance(file[key], h5py.Group) and _form(file[key])]
    return next((key for key in KEYS if key in tables), tables[0] if len(tables) == 1 else None)


def read_table(file: Any, key: str, path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in the table.

    Raises:
        InputError: the names or the numbers are not as DeepLabCut writes them.
    """
    form = _form(file[key])
    frames, labels, values = (_from_table if form == "table" else _from_blocks)(file, key, path)
    if not labels or len(labels) != values.shape[1] or {len(label) for label in labels} not in ({3}, {4}):
        raise InputError(f"{path}: the names of the columns of {key} are not (scorer, bodyparts, coords); {REMEDY}")
    if not len(values):
        raise InputError(f"{path}: {key} has no rows; give at least one recording")
    named = [label[1:] if len(label) == 4 else ("animal", *label[1:]) for label in labels]
    return from_labels(_rows(frames, values), named, path, manner, f", {key}")


def _form(group: Any) -> str:
    """Returns `table` or `fixed`, the two ways in which pandas writes a table; nothing for another group."""
    if "table" in group:
        return "table"
    return "fixed" if {"block0_values", "block0_items_level0"} <= set(group) else ""


def _rows(frames: Int[np.ndarray, " T"], values: Float[np.ndarray, "T C"]) -> pd.DataFrame:
    import pandas as pd

    columns = {"0": frames} | {str(i + 1): values[:, i] for i in range(values.shape[1])}
    return pd.DataFrame(columns, index=np.arange(len(frames)))


def _from_table(file: Any, key: str, path: Path) -> tuple[np.ndarray, Labels, np.ndarray]:
    h5py, group = library(), file[key]
    table = group["table"] if isinstance(group.get("table", getlink=True), h5py.HardLink) else None
    if not isinstance(table, h5py.Dataset) or not table.dtype.names or table.external or table.is_virtual:
        raise InputError(f"{path}: {key}/table is no table within this file; {REMEDY}")
    fields = [name for name in table.dtype.names if name.startswith("values_block_")]
    plain = all(table.dtype[name].base.kind in "fiu" for name in ("index", *fields) if name in table.dtype.names)
    if "index" not in table.dtype.names or not fields or not plain or len(table.shape) != 1:
        raise InputError(f"{path}: {key}/table has no frames and numbers only; {REMEDY}")
    require_loadable(2.0 * table.size * table.dtype.itemsize, path.stat().st_size, str(path))
    cells = table[()]
    labels: Labels = []
    for field in fields:
        labels += _pickled_labels(table, f"{field}_kind", path)
    values = [np.asarray(cells[field], np.float64).reshape(len(cells), -1) for field in fields]
    return np.asarray(cells["index"]), labels, np.concatenate(values, 1)


def _pickled_labels(table: Any, name: str, path: Path) -> Labels:
    """Returns the names of columns in a pickled attribute: a list of tuples of texts."""
    if name in table.attrs:
        about = table.attrs.get_id(name)
        if about.dtype.kind == "S" and about.shape == () and about.dtype.itemsize <= LONGEST:
            try:
                found = plain_value(bytes(table.attrs[name]))
            except ValueError as error:
                raise InputError(f"{path}: the names of its columns are no plain texts ({error}); {REMEDY}") from None
            if isinstance(found, list) and all(
                isinstance(label, tuple) and len(label) in LEVELS and all(isinstance(part, str) for part in label)
                for label in found
            ):
                return found
    raise InputError(f"{path}: its columns have no names (scorer, bodyparts, coords); {REMEDY}")


def _from_blocks(file: Any, key: str, path: Path) -> tuple[np.ndarray, Labels, np.ndarray]:
    group = file[key]
    try:
        frames = table_of(group, "axis1", path)
    except InputError:
        raise InputError(
            f"{path}: its rows are images, not the frames of a video; give the file that analyze_videos wrote"
        ) from None
    blocks = [name for i in range(len(group)) if (name := f"block{i}_values") in group]
    tables = [table_of(group, name, path) for name in blocks]
    if any(len(table.shape) != 2 or len(table) != frames.size for table in tables) or len(frames.shape) != 1:
        raise InputError(f"{path}: {key} has no row of numbers for each frame; {REMEDY}")
    needed = 24.0 * sum(table.size for table in tables)
    require_loadable(needed, path.stat().st_size, str(path))
    labels = [label for i in range(len(blocks)) for label in _level_labels(group, f"block{i}_items", path)]
    return np.asarray(frames[()]), labels, np.concatenate([np.asarray(t[()], np.float64) for t in tables], 1)


def _level_labels(group: Any, name: str, path: Path) -> Labels:
    """Returns the names of columns that are stored as levels, and the number of each column in its level."""
    h5py, columns = library(), []
    for level in range(LEVELS[-1]):
        if f"{name}_level{level}" not in group:
            break
        stored, number = group[f"{name}_level{level}"], table_of(group, f"{name}_label{level}", path)
        if not isinstance(stored, h5py.Dataset) or stored.dtype.kind != "S" or len(stored.shape) != 1:
            raise InputError(f"{path}: the names of its columns are no plain texts; {REMEDY}")
        require_loadable(float(stored.size * stored.dtype.itemsize), path.stat().st_size, str(path))
        texts, at = [text.decode("utf-8", "replace") for text in stored[()]], np.asarray(number[()])
        if at.ndim != 1 or at.dtype.kind not in "iu" or not all(0 <= i < len(texts) for i in at.tolist()):
            raise InputError(f"{path}: the names of its columns are damaged; {REMEDY}")
        columns.append([texts[i] for i in at.tolist()])
    return list(zip(*columns, strict=False))
