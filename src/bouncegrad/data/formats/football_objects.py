"""Reads tracking data of football from memory, as `kloppy` loads it: players and the ball are entities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.grid import Frames
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories

BALL = "ball"


def from_kloppy(given: Any, manner: Manner) -> Trajectories:
    """Returns the places of all players and of the ball; each period is a task, since teams change sides.

    Raises:
        InputError: it is another data set, such as one of events, or it has no frame.
    """
    name = Path(type(given).__name__)
    if manner.columns is not None or manner.keypoints is not None:
        raise InputError(f"{name}: options columns and keypoints go with other data; leave them out")
    frames = list(getattr(given, "records", ()))
    if not frames or not all(hasattr(frames[0], field) for field in ("players_data", "period", "timestamp")):
        raise InputError(f"{name}: has no frames with places of players; give the tracking data of a match")
    players = [player for team in given.metadata.teams for player in team.players]
    names = names_of(players)
    seat = {str(player.player_id): i for i, player in enumerate(players)}
    values = np.full((len(frames), len(players) + 1, 2), np.nan)
    time = np.empty(len(frames))
    for row, frame in enumerate(frames):
        moment = frame.timestamp
        seconds = moment.total_seconds() if hasattr(moment, "total_seconds") else float(moment)
        time[row] = seconds if manner.fps is None else frame.frame_id / manner.fps
        for player, data in frame.players_data.items():
            if data.coordinates is not None:
                values[row, seat[str(player.player_id)]] = data.coordinates.x, data.coordinates.y
        if (ball := frame.ball_coordinates) is not None:
            values[row, -1] = ball.x, ball.y
    periods = [int(frame.period.id) for frame in frames]
    tasks = sorted(set(periods))
    task = np.array([tasks.index(period) for period in periods])
    never = np.isnan(values).all((0, 2))
    seen = tuple(one for one, no in zip((*names, BALL), never, strict=True) if not no)
    rows = Frames(name, task, time, np.arange(len(frames)), tuple(map(str, tasks)), seen)
    data = rows.recordings(values[:, ~never], ("x", "y"), manner)
    said = [("read as", "the task is the period; x and y of each player and of the ball")]
    if never.any():
        lost = [one for one, no in zip((*names, BALL), never, strict=True) if no]
        said.append(("left out", f"{listed(lost, 20)}: never on the pitch"))
    return replace(data, origin=(*said, *data.origin))


def names_of(players: list[Any]) -> tuple[str, ...]:
    """Returns the team and the shirt number of each player; their identities if these are not complete."""
    names = [f"{getattr(player.team, 'ground', '')} {player.jersey_no}".strip() for player in players]
    complete = all(player.jersey_no is not None for player in players) and len(set(names)) == len(names)
    return tuple(names) if complete else tuple(str(player.player_id) for player in players)
