"""Reads tracks of football as Metrica writes them: three header lines, then a pair of columns x, y for each player.

,,,Home,,Home,,...                             the team
,,,11,,1,,...                                  the number of the player
Period,Frame,Time [s],Player11,,Player1,,...,Ball,
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed, numbers, read_rows, require_named
from bouncegrad.data.formats.dialect import cells_of_first_lines, is_table
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.grid import Frames
from bouncegrad.data.formats.order import coded
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.times import times
from bouncegrad.data.trajectories import Trajectories

KEYS = ["Period", "Frame", "Time [s]"]
LINES = 3


def read(path: Path, manner: Manner) -> Trajectories:
    """Returns one team and the ball; each period is a task, since teams change sides.

    Raises:
        InputError: a player has no pair of columns, or a cell is not a number.
    """
    players = cells_of_first_lines(path, LINES)[-1][len(KEYS) :]
    players += [""] * (len(players) % 2)  # some programs drop the last, empty name
    names, pairs = tuple(players[::2]), players[1::2]
    if any(pairs) or "" in names or len(set(names)) < len(names):
        raise InputError(f"{path}, line 3: players are {listed(players)}; give each a name of its own and two columns")
    columns = [*KEYS, *(f"{name} {axis}" for name in names for axis in "xy")]
    rows = read_rows(path, columns, ("Period",), LINES)
    if rows.empty:
        raise InputError(f"{path}: has a header but no rows; give at least one recording")
    require_named(rows, ["Period"], path)
    task, tasks = coded(rows["Period"])
    key = "Time [s]" if manner.fps is None else "Frame"
    time = times(rows, key, path, manner.fps)
    values = np.stack([numbers(rows, name, path, blank=True) for name in columns[len(KEYS) :]], axis=-1)
    never = np.isnan(values).all(0).reshape(-1, 2).any(1)
    seen = tuple(name for name, no in zip(names, never, strict=True) if not no)
    frames = Frames(path, task, time.values, rows.index.to_numpy(), tasks, seen)
    data = frames.recordings(values.reshape(len(rows), len(names), 2)[:, ~never], ("x", "y"), manner)
    said = [("read as", f"the task is the period, the time is {key}; x and y of each player and the ball")]
    if never.any():
        lost = [name for name, no in zip(names, never, strict=True) if no]
        said.append(("left out", f"{listed(lost, 20)}: never on the pitch"))
    return replace(data, origin=(*said, *data.origin))


def _recognises(path: Path) -> bool:
    if not is_table(path):
        return False
    try:
        return cells_of_first_lines(path, LINES)[-1][: len(KEYS)] == KEYS
    except InputError:
        return False


METRICA = Format(
    name="metrica",
    layout="a CSV of Metrica (Period, Frame, Time [s], players)",
    recognises=_recognises,
    read=lambda path, part: read(path, Manner()),
    read_as=read,
)
