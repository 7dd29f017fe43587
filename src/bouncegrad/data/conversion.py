"""Converts recordings from one format to another.

All files are first written to a temporary folder, read back and compared. Only then are they moved to their places.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from bouncegrad.data.arguments import require_keywords
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import cannot_write
from bouncegrad.data.formats import Format, Reading, load, parts, save, written_format
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.format import READ_AS_TRUTH
from bouncegrad.data.formats.reading import OPTIONS
from bouncegrad.data.trajectories import Trajectories

PART, TASK = "{part}", "{task}"


@dataclass(frozen=True)
class Converted:
    """One data set that was written.

    Args:
        path: the file or folder.
        part: the part of the folder; None for a file.
        data: the recordings that were to be written.
        lost: for each field that the file does not give back unchanged, its name and one line of explanation.
    """

    path: Path
    part: str | None
    data: Trajectories
    lost: dict[str, str]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    part: str | None = None,
    format: str | None = None,
    force: bool = False,
    **reading: Unpack[Reading],
) -> list[Converted]:
    """Reads recordings of any known format and writes them in another.

    Values, names, units, edges, mask and time step are kept if the target can hold them. Values that would be read back
    as something else, such as unobserved cells in a Kipf folder, are refused. At the end either all files are there or
    none.

    Args:
        source: a path that `load` reads.
        target: a path that `save` writes. `{part}` and `{task}` in it stand for the names of parts and tasks; each of
            them then has its own file.
        part: the part to read, and to write if the target has parts. By default these are all parts, if the target has
            a place for them.
        format: the format to write, if the name does not decide it.
        force: whether to replace files that exist.
        reading: the options of reading, as in `load`, such as `edges`, `velocities`, `time_step`, `resample`,
            `columns`. `Reading` describes them all.

    Raises:
        InputError: the source cannot be read, or the target cannot hold it or exists already.
        TypeError: an option is not known.
    """
    require_keywords("convert", reading, OPTIONS)
    source, target = Path(source), Path(target)
    form = written_format(target, format)
    pieces: list[tuple[Path, str | None, Trajectories]] = []
    for name in _parts_to_read(source, target, form, part):
        # A file without parts may become the part of a folder.
        data = load(source, part=None if not form.suffix and not parts(source) else name, **reading)
        place = _filled(target, PART, name)
        whole = TASK not in str(place)
        for i, task in enumerate(data.tasks[:1] if whole else data.tasks):
            piece = data if whole else data.select([i])
            pieces.append((_filled(place, TASK, task), None if form.suffix else name, piece))
    with ExitStack() as stack:
        asides: dict[Path, Path] = {}
        written = []
        for place, name, data in pieces:
            if place.parent not in asides:
                asides[place.parent] = Path(stack.enter_context(_aside(place.parent)))
            written.append(Converted(place, name, data, _try(data, asides[place.parent], place, name, form)))
        _put(asides, [file for place, name, _ in pieces for file in form.files(place, name)], force)
    return written


def _parts_to_read(source: Path, target: Path, form: Format, part: str | None) -> list[str | None]:
    """Returns the names of the parts; None if the source has no parts, or is a file that names its part."""
    found = parts(source)
    if part is not None:
        return [part]
    if not found or source.is_file():
        return [None]
    if PART in str(target) or not form.suffix:
        return list(found)
    if len(found) > 1:
        raise InputError(
            f"{source}: has the parts {listed(found)}; choose one, or write {PART} in the name {target} for a file each"
        )
    return [found[0]]


def _filled(place: Path, gap: str, name: str | None) -> Path:
    """Returns the path with a name in place of `{part}` or `{task}`."""
    if gap not in str(place):
        # Files in a folder are named after the folder; `.` and `..` are not its name.
        return place if place.name not in ("", "..") else place.resolve()
    if name is None:
        raise InputError(f"{place}: there is no name for {gap}; leave it out, or give the part")
    if name in ("", ".", "..") or "/" in name or os.sep in name or "\0" in name:
        raise InputError(f"{place}: {name!r} in place of {gap} is not a file name; rename it, or leave {gap} out")
    return Path(str(place).replace(gap, name))


def _aside(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Makes a temporary folder on the same disk as `folder`, for files that may still be refused."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        return tempfile.TemporaryDirectory(prefix=".bouncegrad-", dir=existing)
    except OSError as error:
        raise cannot_write(folder, error) from None


def _try(data: Trajectories, aside: Path, place: Path, part: str | None, form: Format) -> dict[str, str]:
    """Writes one data set to the temporary folder and returns what is lost when it is read back."""
    staged = aside / place.name
    try:
        save(data, staged, part, format=form.name)
        return _lost(data, load(staged, part=part))
    except InputError as error:
        raise InputError(str(error).replace(str(staged), str(place))) from None


def _lost(data: Trajectories, again: Trajectories) -> dict[str, str]:
    """Returns, for each field that a file does not give back unchanged, a line that says so."""
    lost = {}
    for field in ("features", "units", "angles", "periodic", "entities", "tasks", "groups", "kinds"):
        before, after = getattr(data, field), getattr(again, field)
        if before != after:
            lost[field] = f"{field} {listed(before)}" + (f", read back as {listed(after)}" if any(after) else "")
    if not np.isclose(data.dt, again.dt, rtol=1e-9, atol=0.0):
        lost["dt"] = f"time step {data.dt:g}, read back as {again.dt:g} unless --time_step {data.dt:g} is given"
    if data.derived:
        lost["derived"] = (
            f"that {', '.join(data.derived)} are derived, each from the frames before and after; with --context, "
            "convert without --velocities and derive them when reading"
        )
    return lost


def _put(asides: dict[Path, Path], expected: list[Path], force: bool) -> None:
    """Moves all files to their places, if none of these is taken."""
    moves = {
        folder / file.relative_to(aside): file
        for folder, aside in asides.items()
        for file in sorted(aside.rglob("*"))
        if file.is_file()
    }
    for file in (*moves, *expected):
        if file.is_dir():
            raise InputError(f"{file}: is a folder; choose another name")
        if file.exists() and not force:
            raise InputError(f"{file}: exists already; choose another name or add --force")
        if file.exists() and file not in moves:
            raise InputError(f"{file}: {READ_AS_TRUTH}")
    for place, file in moves.items():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        except OSError as error:
            raise cannot_write(place, error) from None
