"""From one format to another: everything is written aside, read back, compared, and only then put in its place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import Format, load, parts, save, written_format
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.resampling import Step
from bouncegrad.data.trajectories import Trajectories

PART, TASK = "{part}", "{task}"


@dataclass(frozen=True)
class Converted:
    """One data set that was written.

    Args:
        path: where it is.
        part: which part of the folder it is; None for a file.
        data: what was to be written.
        lost: what is not as it was when the file is read back, one line for each thing, by its name.
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
    edges: str | Path | None = None,
    edges_order: str | None = None,
    velocities: bool = False,
    time_step: float | None = None,
    resample: Step | None = None,
    angles: Sequence[str] = (),
    groups: str | Path | None = None,
    kinds: str | Path | None = None,
    force: bool = False,
) -> list[Converted]:
    """Reads recordings of any known format and writes them in another.

    Values, names, units, edges, mask and time step are kept where the target can hold them. What would be read back as
    something else, such as unobserved cells in a table, is refused. All files appear at the end, or none.

    Args:
        source: what `load` reads.
        target: what `save` writes. `{part}` and `{task}` in it stand for the names of parts and tasks: a file for each.
        part: the part to read, and to write where the target has parts. By default all, if the target has a place for
            them.
        format: the format to write, where the name does not decide it.
        edges: as in `load`.
        edges_order: as in `load`.
        velocities: as in `load`.
        time_step: as in `load`.
        resample: as in `load`.
        angles: as in `load`.
        groups: as in `load`.
        kinds: as in `load`.
        force: replace files that exist.

    Raises:
        InputError: the source cannot be read, the target cannot hold it or exists.
    """
    source, target = Path(source), Path(target)
    form = written_format(target, format)
    pieces: list[tuple[Path, str | None, Trajectories]] = []
    for name in _parts_to_read(source, target, form, part):
        # A file without parts may become the part of a folder.
        read = None if not form.suffix and not parts(source) else name
        times: dict[str, Any] = {"time_step": time_step, "resample": resample, "angles": angles}
        times |= {"groups": groups, "kinds": kinds}
        data = load(source, part=read, edges=edges, edges_order=edges_order, velocities=velocities, **times)
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
    """The parts, by name; None where the source has none or says itself which."""
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
    """The path with a name in its gap."""
    if gap not in str(place):
        # Folders are named after themselves, which `.` is not.
        return place if place.name not in ("", "..") else place.resolve()
    if name is None:
        raise InputError(f"{place}: there is no name for {gap}; leave it out, or give the part")
    if name in ("", ".", "..") or "/" in name or os.sep in name or "\0" in name:
        raise InputError(f"{place}: {name!r} in place of {gap} makes no file name; rename it, or leave {gap} out")
    return Path(str(place).replace(gap, name))


def _aside(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same disk as `folder`, for what may yet be refused."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        return tempfile.TemporaryDirectory(prefix=".bouncegrad-", dir=there)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose a folder you may write to") from None


def _try(data: Trajectories, aside: Path, place: Path, part: str | None, form: Format) -> dict[str, str]:
    """Writes one data set aside and says what is missing when it is read back."""
    staged = aside / place.name
    try:
        save(data, staged, part, format=form.name)
        return _lost(data, load(staged, part=part))
    except InputError as error:
        raise InputError(str(error).replace(str(staged), str(place))) from None


def _lost(data: Trajectories, again: Trajectories) -> dict[str, str]:
    """What differs between recordings and what a file gives back of them, in words."""
    lost = {}
    for field in ("features", "units", "angles", "entities", "tasks", "groups", "kinds"):
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
    """Moves all files to their places, once nothing stands in the way."""
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
            raise InputError(f"{file}: would be read as the truth of the recordings; remove it or choose another name")
    for place, file in moves.items():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        except OSError as error:
            raise InputError(
                f"{place}: cannot be written ({error.strerror}); choose a folder you may write to"
            ) from None
