"""Reads places of body parts, as DeepLabCut and SLEAP write them: each is an entity, or features of its animal.

With one animal, its body parts are the entities. With several, each animal is an entity and its body parts are
features, `nose_x, nose_y, tail_x, ...`. The option `keypoints` chooses otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed, numbers, read_rows
from bouncegrad.data.formats.dialect import cells_of_first_lines, is_table
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.grid import Frames
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.times import times
from bouncegrad.data.trajectories import Trajectories, plural

if TYPE_CHECKING:
    import pandas as pd

HEADERS = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))
AXES = ("x", "y", "z")


class Points(NamedTuple):
    """The places of all body parts of all animals, NaN where one was not seen.

    Args:
        values: the places.
        animals: names of the animals.
        parts: names of the body parts.
        time: the time of each row.
        line: the line of each row in the file.
    """

    values: Float[np.ndarray, "T A P D"]
    animals: tuple[str, ...]
    parts: tuple[str, ...]
    time: Float[np.ndarray, " T"]
    line: Int[np.ndarray, " T"]


def recordings_of(points: Points, path: Path, manner: Manner, said: tuple[tuple[str, str], ...]) -> Trajectories:
    """Returns the places as recordings.

    Args:
        points: the places.
        path: the file, for messages.
        manner: the options of reading.
        said: what `inspect` says about the file besides the choice made here.

    Raises:
        InputError: the rows do not form a grid.
    """
    values, (t, a, p, d) = points.values, points.values.shape
    chosen = manner.keypoints or ("entities" if a == 1 else "features")
    if chosen == "entities":
        entities = points.parts if a == 1 else tuple(f"{x} {part}" for x in points.animals for part in points.parts)
        features, values = AXES[:d], values.reshape(t, a * p, d)
        never = np.isnan(values).all((0, 2))
        entities, values = tuple(e for e, no in zip(entities, never, strict=True) if not no), values[:, ~never]
        what = "each body part is an entity"
    else:
        whole = ~np.isnan(values).all(0).any((1, 2))
        if (~whole).any() and whole.any():
            lost = [name for name, is_whole in zip(points.animals, whole, strict=True) if not is_whole]
            said += (("left out", f"{listed(lost)}: lacks a body part of the others in all frames"),)
        else:
            whole = np.ones(a, bool)
        entities = tuple(name for name, is_whole in zip(points.animals, whole, strict=True) if is_whole)
        features = AXES[:d] if p == 1 else tuple(f"{part}_{axis}" for part in points.parts for axis in AXES[:d])
        values, what = values[:, whole].reshape(t, len(entities), p * d), "each animal is an entity"
    count = f"{a} {plural('animal', a)} with {p} {plural('body part', p)}: {what} (--keypoints {chosen})"
    frames = Frames(path, np.zeros(t, np.int64), points.time, points.line, ("0",), entities)
    data = frames.recordings(values, features, manner)
    return replace(data, origin=(("read as", count), *said, *data.origin))


def read_deeplabcut(path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in a CSV of DeepLabCut, of one animal or several.

    Raises:
        InputError: the header or a cell is not as DeepLabCut writes it.
    """
    count = 4 if _first_cells(path, 2)[-1:] == ["individuals"] else 3
    header = cells_of_first_lines(path, count)
    width = len(header[0])
    if [row[:1] for row in header] != [[name] for name in HEADERS[count - 3]] or {len(row) for row in header} != {
        width
    }:
        raise InputError(f"{path}, line 1: the header is not complete; export the CSV again, with {count} header lines")
    names = [str(i) for i in range(width)]
    rows = read_rows(path, names, (), count)
    if rows.empty:
        raise InputError(f"{path}: has a header but no rows; give at least one recording")
    labels = list(zip(*(header[1:] if count == 4 else [["animal"] * width, *header[1:]]), strict=True))[1:]
    return from_labels(rows, labels, path, manner, f", line {count}")


def from_labels(
    rows: pd.DataFrame, labels: Sequence[tuple[str, ...]], path: Path, manner: Manner, where: str = ""
) -> Trajectories:
    """Returns the recording in the rows of DeepLabCut.

    Args:
        rows: the column `0` has the frames, and the columns `1`, `2`, ... the numbers that the labels are about.
        labels: the animal, the body part and the coordinate of each column.
        path: the file, for messages.
        manner: the options of reading.
        where: the line of the header, for messages.

    Raises:
        InputError: a body part lacks x or y, or a cell is not a number.
    """
    names = list(map(str, range(1, 1 + len(labels))))
    animals, parts = (tuple(dict.fromkeys(label[i] for label in labels)) for i in (0, 1))
    axes = tuple(axis for axis in AXES if axis in {label[2] for label in labels})
    if not axes or len(set(labels)) < len(labels):
        raise InputError(f"{path}{where}: the header has no columns x and y for each body part; export it again")
    values = np.full((len(rows), len(animals), len(parts), len(axes)), np.nan)
    likely = np.ones(values.shape[:3])
    for name, (animal, part, axis) in zip(names, labels, strict=True):
        at = (slice(None), animals.index(animal), parts.index(part))
        if axis == "likelihood":
            likely[at] = numbers(rows, name, path, blank=True)
        elif axis in axes:
            values[(*at, axes.index(axis))] = numbers(rows, name, path, blank=True)
    unlikely = likely < manner.likelihood
    values[unlikely] = np.nan
    text = (
        f"likelihood: below {manner.likelihood:g} a body part is missing, {int(unlikely.sum()):,} of {likely.size:,} "
    )
    time = times(rows, "0", path, manner.fps)
    said = (("left out", f"{text}places (--likelihood)"), *((("times", time.read_as),) if time.read_as else ()))
    points = Points(values, animals, parts, time.values, rows.index.to_numpy())
    return recordings_of(points, path, manner, said)


def read_sleap(path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in a CSV of SLEAP, with the columns track, frame_idx, instance.score, NODE.x, NODE.y.

    Raises:
        InputError: a cell is not a number, or there are several animals in a frame and no tracks.
    """
    names = cells_of_first_lines(path, 1)[0]
    parts = tuple(name.removesuffix(".x") for name in names if name.endswith(".x"))
    if len(set(names)) < len(names) or any(f"{part}.y" not in names for part in parts):
        raise InputError(f"{path}, line 1: each node needs the columns NODE.x and NODE.y once; export the file again")
    rows = read_rows(path, names, ("track",), 1)
    said: tuple[tuple[str, str], ...] = (("left out", "instance.score and NODE.score: how sure SLEAP is, not a place"),)
    blank = rows["track"].isna()
    if blank.all() and rows["frame_idx"].is_unique:
        rows = rows.assign(track="animal")
    elif blank.any():
        rows, count = rows[~blank], int(blank.sum())
        said += (("rows", f"{count:,} {plural('instance', count)} without a track left out"),)
    if rows.empty:
        raise InputError(f"{path}: no instance has a track; track the animals in SLEAP and export the file again")
    time = times(rows, "frame_idx", path, manner.fps)
    said += (("times", time.read_as),) if time.read_as else ()
    twice = rows.duplicated(["track", "frame_idx"])
    if twice.any():
        raise InputError(f"{path}, line {twice.idxmax()}: this track and frame are in a line above already; remove one")
    animals = tuple(sorted(set(rows["track"])))
    moments, frame = np.unique(time.values, return_inverse=True)
    values = np.full((len(moments), len(animals), len(parts), 2), np.nan)
    at = (frame, np.array([animals.index(name) for name in rows["track"]]))
    for number, part in enumerate(parts):
        for axis, name in enumerate("xy"):
            values[(*at, number, axis)] = numbers(rows, f"{part}.{name}", path, blank=True)
    line = rows.index.to_numpy()[np.unique(frame, return_index=True)[1]]
    return recordings_of(Points(values, animals, parts, moments, line), path, manner, said)


def _first_cells(path: Path, count: int) -> list[str]:
    """Returns the first cell of each of the first lines; none if the file is no text."""
    if not is_table(path):
        return []
    try:
        return [(cells or [""])[0] for cells in cells_of_first_lines(path, count)]
    except InputError:
        return []


def _is_sleap(path: Path) -> bool:
    if _first_cells(path, 1)[:1] not in (["track"], ["frame_idx"]):
        return False
    names = cells_of_first_lines(path, 1)[0]
    return {"track", "frame_idx"} <= set(names) and any(name.endswith(".x") for name in names)


DEEPLABCUT = Format(
    name="deeplabcut",
    layout="a CSV of DeepLabCut (scorer, bodyparts, coords)",
    recognises=lambda path: _first_cells(path, 2) in (["scorer", "bodyparts"], ["scorer", "individuals"]),
    read=lambda path, part: read_deeplabcut(path, Manner()),
    read_as=read_deeplabcut,
)
SLEAP = Format(
    name="sleap",
    layout="a CSV of SLEAP (track, frame_idx, NODE.x, NODE.y)",
    recognises=_is_sleap,
    read=lambda path, part: read_sleap(path, Manner()),
    read_as=read_sleap,
)
