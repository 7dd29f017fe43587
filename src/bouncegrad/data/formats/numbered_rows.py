"""Reads tables without names of columns, which are known by their number: MOTChallenge, and pedestrians of ETH and UCY.

MOTChallenge   frame,id,bb_left,bb_top,bb_width,bb_height,conf,...   divided by commas; the place is the centre
ETH, UCY       frame person x y                                      divided by blanks or tabs
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import table
from bouncegrad.data.formats.cells import numbers, read_rows, require_named
from bouncegrad.data.formats.dialect import cells_of_first_lines, dialect, has_no_header, is_table
from bouncegrad.data.formats.edge_table import edges_beside
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.plan import Plan
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.roles import Columns
from bouncegrad.data.formats.sheets import read as read_sheet
from bouncegrad.data.trajectories import Trajectories, plural

BOX = ("frame", "id", "bb_left", "bb_top", "bb_width", "bb_height", "conf", "x", "y", "z")
FEWEST = 7  # columns of MOTChallenge
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
    plan = Plan(Columns("frame", "person", None, (("x", "x"), ("y", "y"))))
    data = table.from_cells(rows, path, manner, plan)
    option = Columns("1", "2", None, (("x", "3"), ("y", "4"))).option()
    said = (("read as", "frame, person, x, y: four numbers without names"), ("columns", option))
    return replace(data, origin=(*said, *data.origin))


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
