"""Reads and writes a folder `NAME.mmap` of plain `.npy` files, for data sets larger than memory.

about.json            format_version, dt and the names
x.npy                 states (task, frame, entity, feature)
mask.npy, edges.npy   as the keys of an own archive; they may be missing
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.formats.arrays import map_array, write_array
from bouncegrad.data.formats.format import Format
from bouncegrad.data.trajectories import Trajectories

VERSION = 1
ABOUT, ARRAYS = "about.json", ("x", "mask", "edges")
NAMES = ("features", "entities", "units", "tasks")


def read(path: Path, part: str | None) -> Trajectories:
    """Returns the recordings of a folder; states are read from disk when they are used.

    Raises:
        InputError: a file is missing or damaged, the folder is of a later version, or its files do not fit together.
    """
    about = _about(path / ABOUT)
    files = {key: path / f"{key}.npy" for key in ARRAYS}
    return Trajectories(
        map_array(files["x"]),
        mask=map_array(files["mask"]) if files["mask"].exists() else None,
        edges=map_array(files["edges"]) if files["edges"].exists() else None,
        dt=float(about["dt"]),
        features=tuple(about["features"]),
        entities=tuple(about["entities"]),
        units=tuple(about["units"]),
        tasks=tuple(about["tasks"]),
        source=str(path),
    )


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes everything that `data` holds. `about.json` comes last, so that an incomplete folder cannot be read."""
    for key in ARRAYS:
        if (array := getattr(data, key)) is not None:
            write_array(path / f"{key}.npy", array.astype("int8") if key == "edges" and array.max() < 128 else array)
    numbered = data.tasks == tuple(map(str, range(len(data.tasks))))
    about = {"format_version": VERSION, "dt": float(data.dt)} | {key: list(getattr(data, key)) for key in NAMES}
    with replacing(path / ABOUT) as temporary:
        temporary.write_text(json.dumps(about | ({"tasks": []} if numbered else {}), indent=1), encoding="utf-8")


def _about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format_version"]
        names = all(isinstance(about[key], list) and all(isinstance(name, str) for name in about[key]) for key in NAMES)
        fits = isinstance(version, int) and isinstance(about["dt"], int | float) and names
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise InputError(f"{path}: is missing, damaged or incomplete; write the folder again with bouncegrad convert")
    if version > VERSION:
        raise InputError(f"{path}: format_version {version} is newer than {VERSION}; update bouncegrad")
    return about


FOLDER = Format(
    name="mmap",
    layout="a folder NAME.mmap that bouncegrad convert has written",
    recognises=lambda path: path.resolve().suffix == ".mmap" and path.is_dir(),
    read=read,
    write=write,
    suffix=".mmap",
    files=lambda path, part: tuple(path / name for name in (ABOUT, *(f"{key}.npy" for key in ARRAYS))),
)
