"""Reads tracks of walking people as OpenTraj stores them: a folder for each scene with `obsmat.txt` and `groups.txt`.

People come and go, so a recording of one scene has no fixed set of entities. A case is a window of `WINDOW` frames with
the people who are present in all of them; windows do not overlap. A case can be read by its name as a data set of one
task. A scene can be read as a data set whose tasks are its cases. Its entities are places, as many as the largest case
has people; smaller cases leave some places empty. If instead all people of a scene were entities, there would be tens
of thousands of pairs, most of whom never met.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.format import Format, chosen_part
from bouncegrad.data.trajectories import Trajectories

TRACKS, GROUPS = "obsmat.txt", "groups.txt"
WINDOW = 20  # frames, which are 8 s
FEWEST = 3  # people in a case; two people would be a single pair
# The published time step. The files count frames of the video, whose rate differs from scene to scene.
DT = 0.4
COLUMNS = 8
STATE = [2, 4, 5, 7]  # x, y, vx, vy; the third dimension is 0 in all rows


class Case(NamedTuple):
    """One window of frames.

    Args:
        folder: the scene.
        rows: the rows of the table, by frame, then person.
        people: the numbers of the people who are present in all frames.
    """

    folder: Path
    rows: Float[np.ndarray, "T N 8"]
    people: tuple[int, ...]


def read(path: Path, part: str | None) -> Trajectories:
    """Returns one case or scene: x and y in metres, vx and vy in m/s; people who walk together have edges of type 1.

    Args:
        path: the folder of a scene, its `obsmat.txt`, or a folder of scenes.
        part: the case, `SCENE_FRAME` after its first frame, whose entities have the people's numbers as names; or the
            scene, whose entities are places `1` to N. By default it is the only scene.

    Raises:
        InputError: a file is damaged, there is no case, or there are several scenes and none is chosen.
    """
    cases = _cases(path)
    if not cases:
        raise InputError(
            f"{path}: no {WINDOW} frames in a row in which the same {FEWEST} people are present; "
            "give a longer recording"
        )
    if part not in cases:
        scenes = tuple(dict.fromkeys(case.folder.resolve().name for case in cases.values()))
        scene = chosen_part(path, scenes, part)
        cases = {name: case for name, case in cases.items() if case.folder.resolve().name == scene}
    else:
        cases = {part: cases[part]}
    people = [case.people for case in cases.values()]
    most = max(map(len, people))
    x = np.full((len(cases), WINDOW, most, len(STATE)), np.nan)
    edges = np.full((len(cases), most, most), -1) * (1 - np.eye(most, dtype=np.int64))
    for task, case in enumerate(cases.values()):
        count = len(case.people)
        x[task, :, :count] = case.rows[:, :, STATE]
        if (together := _together(case)) is not None:
            edges[task, :count, :count] = together
    return Trajectories(
        x,
        edges=edges if (edges >= 0).any(where=~np.eye(most, dtype=bool)) else None,
        dt=DT,
        features=("x", "y", "vx", "vy"),
        units=("m", "m", "m/s", "m/s"),
        entities=tuple(map(str, people[0] if len(people) == 1 else range(1, most + 1))),
        tasks=tuple(cases),
        source=str(path),
    )


def _cases(path: Path) -> dict[str, Case]:
    """Returns all cases at a path, by name, in order of time."""
    found = {}
    for folder in _scenes(path):
        for case in _windows_of(folder):
            found[f"{folder.resolve().name}_{case.rows[0, 0, 0]:.0f}"] = case
    return found


def _scenes(path: Path) -> list[Path]:
    """Returns the folders of scenes at a path."""
    if path.name == TRACKS:
        return [path.parent]
    if path.is_file():
        return []
    return [path] if (path / TRACKS).is_file() else sorted(file.parent for file in path.glob(f"*/{TRACKS}"))


def _windows_of(folder: Path) -> tuple[Case, ...]:
    return _windows(folder, (folder / TRACKS).stat().st_mtime_ns)


@lru_cache(maxsize=16)  # the cases of a scene are often read one after the other, each from the same large file
def _windows(folder: Path, changed: int) -> tuple[Case, ...]:
    """Returns the cases of one scene.

    `changed` is the time of the last change of the file: after a change the cached result is not used.
    """
    return tuple(Case(folder, *window) for window in windows_in(_read_rows(folder / TRACKS)))


def windows_in(rows: Float[np.ndarray, "rows F"]) -> list[tuple[Float[np.ndarray, "T N F"], tuple[int, ...]]]:
    """Returns the rows of windows that do not overlap, and the people who are present in all frames of each.

    A window begins at the first frame from which `WINDOW` frames without a pause have enough people in common. The
    search for the next one begins where this one ends.

    Args:
        rows: frame and person of each state, and then the state; sorted by frame, then person.
    """
    frames, first = np.unique(rows[:, 0], return_index=True)
    people = [set(map(int, some)) for some in np.split(rows[:, 1], first[1:])]
    step = np.median(np.diff(frames)) if len(frames) > 1 else 0.0
    found, start = [], 0
    while start + WINDOW <= len(frames):
        window = slice(start, start + WINDOW)
        present = sorted(set.intersection(*people[window]))
        if (np.diff(frames[window]) == step).all() and len(present) >= FEWEST:
            chosen = rows[np.isin(rows[:, 0], frames[window]) & np.isin(rows[:, 1], present)]
            found.append((chosen.reshape(WINDOW, len(present), rows.shape[1]), tuple(present)))
            start += WINDOW
        else:
            start += 1
    return found


def _read_rows(file: Path) -> Float[np.ndarray, "rows 8"]:
    """Returns the table, sorted by frame, then person."""
    rows = []
    for number, line in enumerate(_lines(file), start=1):
        try:
            row = [float(cell) for cell in line.split()]
        except ValueError:
            row = []
        if line.strip() and not (len(row) == COLUMNS and np.isfinite(row).all() and row[1] == round(row[1])):
            raise InputError(
                f"{file}, line {number}: {line.strip()[:60]!r} is not {COLUMNS} numbers "
                "(frame, person, x, z, y, vx, vz, vy); correct the line"
            )
        rows += [row] if row else []
    table = np.array(rows).reshape(-1, COLUMNS)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    twice = (np.diff(table[:, :2], axis=0) == 0).all(1)
    if twice.any():
        frame, person = table[int(twice.argmax()), :2]
        raise InputError(f"{file}: frame {frame:g} has person {person:g} twice; remove one of the rows")
    return table


def _together(case: Case) -> Int[np.ndarray, "N N"] | None:
    """Returns edges of type 1 in both directions between people in one line of the groups; None without that file."""
    file = case.folder / GROUPS
    if not file.exists():
        return None
    lines = [line.split() for line in _lines(file)]
    lines = [line for line in lines if line]
    # In one of the published scenes the first line is the number of groups.
    if lines and lines[0] == [str(len(lines) - 1)]:
        lines = lines[1:]
    edges = np.zeros((len(case.people), len(case.people)), dtype=np.int64)
    for words in lines:
        if strange := [word for word in words if not word.isdecimal() or len(word) > 15]:
            raise InputError(f"{file}: {strange[0][:60]!r} is no number of a person; write one group on each line")
        group = np.isin(case.people, [int(word) for word in words])
        edges |= np.outer(group, group)
    np.fill_diagonal(edges, 0)
    return edges


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{file}: is no text in UTF-8; give the file as it was published") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give a file that you may read") from None


PEDESTRIANS = Format(
    name="pedestrians",
    layout=f"a folder with {TRACKS} and {GROUPS} (or a folder of such folders)",
    recognises=lambda path: bool(_scenes(path)),
    read=read,
    parts=lambda path: tuple(_cases(path)),
    overview=lambda path: tuple(folder.resolve().name for folder in _scenes(path) if _windows_of(folder)),
    left_out=f"people who are not present in all {WINDOW} frames of a case, and the third dimension",
)
