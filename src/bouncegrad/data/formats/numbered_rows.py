"""Reads tables without names of columns, which are known by their number: MOTChallenge, and pedestrians of ETH and UCY.

MOTChallenge   frame,id,bb_left,bb_top,bb_width,bb_height,conf,...   divided by commas; the place is the centre
ETH, UCY       frame person x y                                      divided by blanks or tabs
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import table
from bouncegrad.data.formats.cells import numbers, read_rows, require_named
from bouncegrad.data.formats.dialect import cells_of_first_lines, dialect, has_no_header, is_table
from bouncegrad.data.formats.edge_table import edges_beside
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.pedestrians import FEWEST as FEWEST_PEOPLE
from bouncegrad.data.formats.pedestrians import WINDOW, windows_in
from bouncegrad.data.formats.plan import Plan
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.roles import Columns
from bouncegrad.data.formats.sheets import read as read_sheet
from bouncegrad.data.lost import without_lost
from bouncegrad.data.trajectories import Trajectories, plural

if TYPE_CHECKING:
    import pandas as pd

BOX = ("frame", "id", "bb_left", "bb_top", "bb_width", "bb_height", "conf", "x", "y", "z")
FEWEST = 7  # columns of MOTChallenge
MANY = 100  # people; more are never on one street at the same time
WALKING = ("frame", "person", "x", "y")


def read_boxes(path: Path, manner: Manner) -> Trajectories:
    """Returns the centres of the boxes in a file of MOTChallenge.

    Raises:
        InputError: a cell is not a number, or boxes have no tracks.
    """
    if manner.columns is not None:
        return read_sheet(path, manner)
    names = list(BOX[: len(cells_of_first_lines(path, 1)[0])])
    rows = read_rows(path, names, ("id",), 0)
    require_named(rows, ["id"], path)
    ignored = numbers(rows, "conf", path) == 0
    rows = rows[~ignored]
    if rows.empty or (rows["id"] == "-1").all():
        raise InputError(f"{path}: boxes have no tracks (id is -1), or count for nothing (conf is 0); track them first")
    boxes = {name: numbers(rows, name, path) for name in BOX[2:6]}
    centres = rows.assign(x=boxes["bb_left"] + boxes["bb_width"] / 2, y=boxes["bb_top"] + boxes["bb_height"] / 2)
    data = table.from_cells(centres, path, manner, Plan(Columns("frame", "id", None, (("x", "x"), ("y", "y")))))
    said = [("read as", "frame, id, bb_left, bb_top, bb_width, bb_height, conf: the place is the centre of the box")]
    said += [("left out", f"{', '.join(names[4:])}: sizes of boxes, how sure they are, and other coordinates")]
    if count := int(ignored.sum()):
        said += [("rows", f"{count:,} {plural('box', count)} with conf = 0 left out")]
    return replace(data, origin=(*said, *data.origin))


def read_walking(path: Path, manner: Manner) -> Trajectories:
    """Returns the tracks of people in a text of four columns.

    Raises:
        InputError: a cell is not a number, or the rows do not form a grid.
    """
    if manner.columns is not None:
        return read_sheet(path, manner)
    rows = read_rows(path, list(WALKING), ("person",), 0)
    require_named(rows, ["person"], path)
    if manner.evenly is None and rows["person"].nunique() > MANY:
        return walking_windows(rows, path, manner)
    plan = Plan(Columns("frame", "person", None, (("x", "x"), ("y", "y"))))
    data = table.from_cells(rows, path, manner, plan)
    option = Columns("1", "2", None, (("x", "3"), ("y", "4"))).option()
    said = (("read as", "frame, person, x, y: four numbers without names"), ("columns", option))
    return replace(data, origin=(*said, *data.origin))


def walking_windows(rows: pd.DataFrame, path: Path, manner: Manner) -> Trajectories:
    """Returns windows of frames, each with the people who are present in all of them, as `pedestrians.py` cuts them.

    All people of a street together would make tens of thousands of pairs, most of whom never met.

    Raises:
        InputError: a cell is not a number, a row is given twice, or there is no such window.
    """
    table = np.stack([numbers(rows, name, path, blank=name in "xy") for name in WALKING], axis=-1)
    table[:, 2:] = without_lost(table[:, 2:], manner.missing, str(path))
    order = np.lexsort((table[:, 1], table[:, 0]))
    table = table[order]
    twice = (np.diff(table[:, :2], axis=0) == 0).all(1)
    if twice.any():
        frame, person = table[int(twice.argmax()), :2]
        raise InputError(f"{path}: frame {frame:g} has person {person:g} twice; remove one of the rows")
    found = windows_in(table[np.isfinite(table).all(1)])
    if not found:
        raise InputError(
            f"{path}: no {WINDOW} frames in a row in which the same {FEWEST_PEOPLE} people are present; give a longer "
            "recording"
        )
    most, step = max(len(people) for _, people in found), float(found[0][0][1, 0, 0] - found[0][0][0, 0, 0])
    x = np.full((len(found), WINDOW, most, 2), np.nan)
    for task, (states, people) in enumerate(found):
        x[task, :, : len(people)] = states[:, :, 2:]
    text = (
        f"frame, person, x, y: {rows['person'].nunique():,} people in windows of {WINDOW} frames; each is a task, its "
        "entities are places for the people who are there all the time (other ways: --columns)"
    )
    return Trajectories(
        x,
        dt=step if manner.fps is None else step / manner.fps,
        features=("x", "y"),
        entities=tuple(map(str, range(1, most + 1))),
        tasks=tuple(f"{states[0, 0, 0]:.0f}" for states, _ in found),
        source=str(path),
        origin=(("read as", text),),
    )


def _width(path: Path) -> int:
    """Returns the number of columns of a table without names; 0 for any other file."""
    try:
        return len(cells_of_first_lines(path, 1)[0]) if is_table(path) and has_no_header(path) else 0
    except InputError:
        return 0


MOT = Format(
    name="motchallenge",
    layout="a text of MOTChallenge (frame,id,bb_left,bb_top,bb_width,bb_height,conf)",
    recognises=lambda path: FEWEST <= _width(path) <= len(BOX) and dialect(path).delimiter == ",",
    read=lambda path, part: read_boxes(path, Manner()),
    read_as=read_boxes,
    edges_beside=edges_beside,
)
WALKERS = Format(
    name="eth-ucy",
    layout="a text of ETH or UCY (frame person x y)",
    recognises=lambda path: _width(path) == len(WALKING) and dialect(path).delimiter != ",",
    read=lambda path, part: read_walking(path, Manner()),
    read_as=read_walking,
    edges_beside=edges_beside,
)
