"""Reads XYZ files, with or without the extended comment line: particles are entities, named by kind and number."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.blocks import Block, floats_of, lines_of, number_of, recordings_of, rows_of
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories


def read_xyz(path: Path, manner: Manner) -> Trajectories:
    """Returns the recording in an XYZ file, with velocities if `Properties` of its comment line names them.

    Raises:
        InputError: a block is cut short, or a place is no number.
    """
    lines, at = lines_of(path), 0
    blocks: list[Block] = []
    features: tuple[str, ...] = ("x", "y", "z")
    while at < len(lines) and lines[at].strip():
        count = int(number_of(path, at, lines))
        comment = lines[at + 1] if at + 1 < len(lines) else ""
        first, velocity = _properties(comment)
        columns = [*range(first, first + 3), *(range(velocity, velocity + 3) if velocity else ())]
        rows = rows_of(path, at + 2, count, lines, max(columns) + 1)
        stated = re.search(r"\b[Tt]ime\s*=\s*\"?([-+\d.eE]+)", comment)
        time = float(stated[1]) if stated and re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", stated[1]) else len(blocks)
        names = [f"{row[0] if first else ''}{i + 1}" for i, row in enumerate(rows)]
        blocks.append(Block(float(time), at + 3, names, floats_of(path, at + 2, rows, columns)))
        features = ("x", "y", "z", "vx", "vy", "vz")[: len(columns)]
        at += 2 + count
    if not blocks:
        raise InputError(f"{path}: has no frame; give at least one recording")
    if len({(len(block.names), block.values.shape[1]) for block in blocks}) > 1:
        raise InputError(f"{path}: frames differ in their particles or columns; write the same in all frames")
    what = f"{len(blocks):,} frames of {len(blocks[0].names):,} particles, named by kind and number"
    data = recordings_of(blocks, features, path, manner)
    return replace(data, origin=(("read as", what), *data.origin))


def _properties(comment: str) -> tuple[int, int]:
    """Returns the columns at which places and velocities begin, 0 for no velocities."""
    stated = re.search(r'Properties\s*=\s*"?([^\s"]+)', comment)
    if stated is None:
        return 1, 0
    at, found, words = 0, {"pos": 1}, stated[1].split(":")
    for name, _, width in zip(words[::3], words[1::3], words[2::3], strict=False):
        found[name] = at
        at += int(width) if width.isdecimal() and len(width) < 4 else 1
    return found["pos"], next((found[name] for name in ("vel", "velo", "velocities") if name in found), 0)


XYZ = Format(
    name="xyz",
    layout="an .xyz or .extxyz file",
    recognises=lambda path: path.suffix.lower() in (".xyz", ".extxyz") and path.is_file(),
    read=lambda path, part: read_xyz(path, Manner()),
    read_as=read_xyz,
)
