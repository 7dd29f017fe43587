"""Reads dumps of LAMMPS: particles are entities; x, y, z, and velocities where they are written, are features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.blocks import Block, broken, floats_of, lines_of, number_of, recordings_of, rows_of
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories

# The columns of a dump that hold a place: as it is, unwrapped at periodic walls, or as a share of the box.
KINDS = (("xu", "yu", "zu"), ("x", "y", "z"), ("xsu", "ysu", "zsu"), ("xs", "ys", "zs"))


def read_dump(path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in a dump of LAMMPS; the time counts its steps.

    Raises:
        InputError: a block is cut short, or has no places.
    """
    lines, at = lines_of(path), 0
    blocks: list[Block] = []
    used: tuple[str, ...] = ()
    box: list[list[float]] = []
    bounds = ""
    columns: list[str] = []
    while at < len(lines):
        if not lines[at].startswith("ITEM: TIMESTEP"):
            raise broken(path, at, lines, "ITEM: TIMESTEP")
        time, count = number_of(path, at + 1, lines), 0
        at += 2
        while at < len(lines) and not lines[at].startswith("ITEM: ATOMS"):
            if lines[at].startswith("ITEM: NUMBER OF ATOMS"):
                count, at = int(number_of(path, at + 1, lines)), at + 2
            elif lines[at].startswith("ITEM: BOX BOUNDS"):
                bounds = lines[at].removeprefix("ITEM: BOX BOUNDS").strip()
                box = [[number_of(path, at + i, lines, j) for j in (0, 1)] for i in (1, 2, 3)]
                at += 4
            else:
                at += 1
        if at >= len(lines):
            raise InputError(f"{path}: the last frame is cut short; cut it off or write the file again")
        columns = lines[at].split()[2:]
        used = next((kind for kind in KINDS if set(kind[:2]) <= set(columns)), ())
        if "id" not in columns or not used:
            raise InputError(f"{path}, line {at + 1}: columns are {listed(columns)}; dump at least id, x, y")
        used = tuple(name for name in (*used, "vx", "vy", "vz") if name in columns)
        rows = rows_of(path, at + 1, count, lines, len(columns))
        values = floats_of(path, at + 1, rows, [columns.index(name) for name in used])
        if "s" in used[0] and box:
            for i, (low, high) in enumerate(box[: sum(name[0] in "xyz" for name in used)]):
                values[:, i] = low + values[:, i] * (high - low)
        blocks.append(Block(time, at + 2, [row[columns.index("id")] for row in rows], values))
        at += 1 + count
    if not blocks:
        raise InputError(f"{path}: has no frame; give at least one recording")
    features = tuple(name if name[0] == "v" else name[0] for name in used)
    if len({block.values.shape[1] for block in blocks}) > 1:
        raise InputError(f"{path}: frames differ in their columns; write the same columns in all frames")
    sizes = " by ".join(f"{high - low:g}" for low, high in box)
    said = [("read as", f"the entity is id, places are {', '.join(used)}, the time counts steps (see --time_step)")]
    left = [name for name in columns if name not in (*used, "id")]
    said += [("left out", f"{listed(left, 20)}: no place and no velocity")] if left else []
    data = recordings_of(blocks, features, path, manner)
    if box:
        kept = [name for name, feature in zip(used, features, strict=True) if feature in data.features]
        walls = f"{bounds or 'walls not stated'}; p means periodic"
        said.insert(1, ("box", f"{sizes} ({walls}){_remedy(kept, bounds, box)}"))
    return replace(data, origin=(*said, *data.origin))


def _remedy(used: Sequence[str], bounds: str, box: list[list[float]]) -> str:
    """Returns the option for places that wrap at periodic walls; empty if none do."""
    walls = dict(zip("xyz", zip(bounds.split(), box, strict=False), strict=False))
    wrapped = [name for name in used if name in ("x", "y", "z", "xs", "ys", "zs")]
    sizes = [(name[0], *walls[name[0]]) for name in wrapped if name[0] in walls]
    stated = ",".join(f"{name}:{high - low:g}" for name, kind, (low, high) in sizes if kind == "pp")
    return f"; places wrap there: add --periodic '[{stated}]'" if stated else ""


def _starts(path: Path, words: str) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(words)) == words.encode()
    except OSError:
        return False


LAMMPS = Format(
    name="lammps",
    layout="a dump of LAMMPS (ITEM: ATOMS id x y z)",
    recognises=lambda path: path.is_file() and _starts(path, "ITEM: TIMESTEP"),
    read=lambda path, part: read_dump(path, Manner()),
    read_as=read_dump,
)
