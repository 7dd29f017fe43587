"""Reads scenes of walking people as TrajNet++ writes them: one JSON object a line, a scene or a place of a person.

    {"scene": {"id": 4, "p": 16, "s": 780, "e": 980, "fps": 2.5}}
    {"track": {"f": 780, "p": 16, "x": 8.46, "y": 3.59}}

Each scene is a task, from its first to its last frame. Its entities are places: the person that the scene is about
comes first. Smaller scenes leave some places empty.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.dialect import NOT_TEXT
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.lost import without_lost
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.trajectories import Trajectories

SUFFIXES = (".ndjson", ".jsonl")


class Scene(NamedTuple):
    """The name, the person it is about, the first and the last frame, and the frames in a second."""

    name: str
    person: int
    first: int
    last: int
    fps: float


def read(path: Path, manner: Manner) -> Trajectories:
    """Returns the scenes of a file.

    Raises:
        InputError: a line is not as TrajNet++ writes it, or there is no scene.
    """
    if manner.columns is not None or manner.keypoints is not None:
        raise InputError(f"{path}: is no table with columns; leave out --columns and --keypoints")
    scenes, places = _lines(path)
    if not scenes or not places:
        raise InputError(f"{path}: has {len(scenes)} scenes and {len(places)} frames with people; give both")
    frames = np.array(sorted(places))
    step = int(np.median(np.diff(frames))) if len(frames) > 1 else 1
    lengths = [1 + (scene.last - scene.first) // step for scene in scenes]
    present = [_people(scene, frames, places) for scene in scenes]
    size, most = max(lengths), max(map(len, present))
    require_loadable(16.0 * len(scenes) * size * most, max(path.stat().st_size, 10**6), str(path))
    x = np.full((len(scenes), size, most, 2), np.nan)
    for task, (scene, people) in enumerate(zip(scenes, present, strict=True)):
        seat = {person: i for i, person in enumerate(people)}
        for frame in _between(frames, scene):
            at = (frame - scene.first) // step
            for person, place in places[frame].items():
                x[task, at, seat[person]] = place
    rate = scenes[0].fps if manner.fps is None else manner.fps / step
    return Trajectories(
        without_lost(x, manner.missing, str(path)),
        dt=1.0 / rate,
        features=("x", "y"),
        units=("m", "m"),
        entities=tuple(map(str, range(1, most + 1))),
        tasks=tuple(scene.name for scene in scenes),
        source=str(path),
        origin=(("read as", "each scene is a task, entities are places, the person it is about has place 1"),),
    )


def _between(frames: np.ndarray, scene: Scene) -> list[int]:
    start, end = np.searchsorted(frames, scene.first), np.searchsorted(frames, scene.last, side="right")
    return [int(frame) for frame in frames[start:end]]


def _people(scene: Scene, frames: np.ndarray, places: dict[int, dict[int, tuple[float, float]]]) -> list[int]:
    """Returns the people of a scene, the one that it is about first."""
    found = {person for frame in _between(frames, scene) for person in places[frame]}
    return sorted(found, key=lambda person: (person != scene.person, person))


def _lines(path: Path) -> tuple[list[Scene], dict[int, dict[int, tuple[float, float]]]]:
    """Returns the scenes, and the places of all people by frame; predictions are skipped."""
    scenes: list[Scene] = []
    places: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    _take(line, f"{path}, line {number}", scenes, places)
    except UnicodeDecodeError:
        raise InputError(f"{path}: {NOT_TEXT}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from None
    names = [scene.name for scene in scenes]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two scenes have the same id; give each an id of its own")
    return scenes, dict(places)


def _take(line: str, where: str, scenes: list[Scene], places: dict[int, dict[int, tuple[float, float]]]) -> None:
    """Adds the content of one line to the scenes or to the places."""
    try:
        found: dict[str, Any] = json.loads(line)
        if "scene" in found:
            scene = found["scene"]
            one = Scene(str(scene["id"]), int(scene["p"]), int(scene["s"]), int(scene["e"]), float(scene.get("fps", 1)))
            if one.last <= one.first or not (np.isfinite(one.fps) and one.fps > 0) or abs(one.first) > 2**53:
                raise ValueError
            scenes.append(one)
        elif found["track"].get("prediction_number") is None:
            track = found["track"]
            place = float(track["x"]), float(track["y"])
            frame = int(track["f"])
            if not np.isfinite(place).all() or abs(frame) > 2**53:
                raise ValueError
            places[frame][int(track["p"])] = place
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        raise InputError(
            f"{where}: {line.strip()[:60]!r} is no scene (id, p, s, e, fps) or track (f, p, x, y); correct the line"
        ) from None


TRAJNET = Format(
    name="trajnet",
    layout="a .ndjson of TrajNet++ (lines of scenes and tracks)",
    recognises=lambda path: path.suffix in SUFFIXES and path.is_file(),
    read=lambda path, part: read(path, Manner()),
    read_as=read,
)
