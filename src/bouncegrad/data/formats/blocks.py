"""Reads files that have one block of lines for each frame, with one line for each particle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.dialect import NOT_TEXT
from bouncegrad.data.formats.grid import Grid
from bouncegrad.data.formats.order import sorted_names
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories


class Block(NamedTuple):
    """One frame: its time, the line of its first row, the names of the particles, and the features of each."""

    time: float
    line: int
    names: list[str]
    values: Float[np.ndarray, "N D"]


def recordings_of(blocks: Sequence[Block], features: tuple[str, ...], path: Path, manner: Manner) -> Trajectories:
    """Returns the frames as recordings; a third dimension that never changes is left out."""
    if manner.columns is not None or manner.keypoints is not None:
        raise InputError(f"{path}: is no table with columns; leave out --columns and --keypoints")
    names = list(dict.fromkeys(name for block in blocks for name in block.names))
    entities = [names[i] for i in sorted_names(names)]
    number = {name: i for i, name in enumerate(entities)}
    who = np.array([number[name] for block in blocks for name in block.names], np.int64)
    counts = [len(block.names) for block in blocks]
    time = np.repeat([block.time for block in blocks], counts)
    line = np.concatenate([block.line + np.arange(len(block.names)) for block in blocks])
    values = np.concatenate([block.values for block in blocks])
    flat = [name for name in ("z", "vz") if name in features and np.ptp(values[:, features.index(name)]) == 0]
    kept = [i for i, name in enumerate(features) if name not in flat]
    if manner.fps is not None:
        time = time / manner.fps
    order = np.lexsort((who, time))
    task = np.zeros(len(who), np.int64)
    grid = Grid(path, task, time[order], who[order], line[order], ("0",), tuple(entities))
    data = grid.recordings(values[order][:, kept], tuple(features[i] for i in kept), manner)
    said = (("left out", f"{', '.join(flat)}: has one value only, as in a plane"),) if flat else ()
    return replace(data, origin=(*data.origin, *said))


def rows_of(path: Path, at: int, count: int, lines: list[str], width: int) -> list[list[str]]:
    """Returns the rows of one frame, each divided into its cells."""
    if not 0 < count <= len(lines) - at:
        raise InputError(f"{path}, line {at + 1}: a frame has {count} particles, and {max(len(lines) - at, 0)} follow")
    rows = [line.split() for line in lines[at : at + count]]
    if short := [i for i, row in enumerate(rows) if len(row) < width]:
        raise broken(path, at + short[0], lines, f"{width} columns")
    return rows


def floats_of(path: Path, at: int, rows: list[list[str]], columns: list[int]) -> Float[np.ndarray, "N D"]:
    """Returns some columns of the rows as finite numbers."""
    try:
        values = np.array([[float(row[i]) for i in columns] for row in rows])
        bad = ~np.isfinite(values).all(1)
        if not bad.any():
            return values
        first = int(bad.argmax())
    except ValueError:
        first = next(i for i, row in enumerate(rows) if not _all_floats(row, columns))
    raise InputError(
        f"{path}, line {at + first + 1}: {' '.join(rows[first])[:60]!r} holds no finite numbers; correct it"
    )


def _all_floats(row: list[str], columns: list[int]) -> bool:
    try:
        return bool([float(row[i]) for i in columns])
    except ValueError:
        return False


def number_of(path: Path, at: int, lines: list[str], column: int = 0) -> float:
    """Returns one finite number of a line."""
    try:
        found = float(lines[at].split()[column])
        if abs(found) < 2**53:
            return found
    except (ValueError, LookupError):
        pass
    raise broken(path, at, lines, "a number")


def broken(path: Path, at: int, lines: list[str], wanted: str) -> InputError:
    found = repr(lines[at].strip()[:60]) if at < len(lines) else "the end of the file"
    return InputError(f"{path}, line {at + 1}: {found} where {wanted} is expected; write the file again")


def lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: {NOT_TEXT.replace('CSV (UTF-8)', 'text')}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from None
