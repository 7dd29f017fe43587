"""Finds which files of a folder belong together, for data sets that have several files for each part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import read_array
from bouncegrad.data.formats.format import chosen_part
from bouncegrad.data.trajectories import MOST_TYPES

# The published generator has steps of 1e-3 and keeps every 100th state. The files do not store this.
PUBLISHED_DT = 0.1
PUBLISHED_FEATURES = ("x", "y", "vx", "vy")


class Chosen(NamedTuple):
    """One part of one data set in a folder."""

    folder: Path
    name: str
    part: str


@dataclass(frozen=True)
class Folder:
    """Describes how the files of a data set are named.

    Args:
        template: a file name with the placeholders `{kind}`, `{name}` and `{part}`.
        name: a regular expression for `{name}`, which distinguishes several data sets in one folder.
        kinds: the kinds of file; every part has a file of the first kind.
        spelling: the parts in order, and the word for each of them in file names.
    """

    template: str
    name: str
    kinds: tuple[str, ...]
    spelling: Mapping[str, str]

    def file(self, kind: str, chosen: Chosen) -> Path:
        """Returns the path of one file of a part."""
        return chosen.folder / self.template.format(kind=kind, name=chosen.name, part=self.spelling[chosen.part])

    def read(self, kind: str, chosen: Chosen) -> np.ndarray:
        """Returns the array of one file of a part.

        Raises:
            InputError: the file is missing or damaged.
        """
        file = self.file(kind, chosen)
        if not file.exists():
            raise InputError(f"{file}: no such file; it belongs to the same part as the other files, add it")
        return read_array(file)

    def files(self, path: Path, name: str, part: str | None) -> tuple[Path, ...]:
        """Returns all files of the part that `chosen_for_writing` returns."""
        chosen = self.chosen_for_writing(path, name, part)
        return tuple(self.file(kind, chosen) for kind in self.kinds)

    def recognises(self, path: Path) -> bool:
        """Returns whether a folder holds such a data set, or a file belongs to one."""
        return bool(self._data_sets(path)) if path.is_dir() else self._named(path) is not None

    def parts(self, path: Path) -> tuple[str, ...]:
        """Returns the parts of the data set at `path`, which is a folder or one of its files.

        Raises:
            InputError: a folder holds several data sets.
        """
        folder, name = self._data_set(path)
        return self._data_sets(folder).get(name, ())

    def choose(self, path: Path, part: str | None) -> Chosen:
        """Returns the part to read: the one that is asked for, else the part of the file `path`, else the only one.

        Raises:
            InputError: there are several data sets or parts and none is chosen, or there is no such part.
        """
        parts, own = self.parts(path), self._named(path)
        if part is None and own is not None:
            return own
        return Chosen(*self._data_set(path), chosen_part(path, parts, part))

    def chosen_for_writing(self, folder: Path, name: str, part: str | None) -> Chosen:
        """Returns the part to write, which must be one that this layout has."""
        if part is None or part not in self.spelling:
            raise InputError(f"{folder}: part {part!r} cannot be written; choose one of {', '.join(self.spelling)}")
        return Chosen(folder, name, part)

    def _named(self, path: Path, kinds: Sequence[str] = ()) -> Chosen | None:
        """Returns the part that a file belongs to, by its name; None if it is of none of these kinds (default: all)."""
        part = {spelled: part for part, spelled in self.spelling.items()}
        pattern = self.template.replace(".", r"\.").format(
            kind=f"(?:{'|'.join(kinds or self.kinds)})",
            name=f"(?P<name>{self.name})",
            part=f"(?P<part>{'|'.join(part)})",
        )
        match = re.fullmatch(pattern, path.name)
        return Chosen(path.parent, match["name"], part[match["part"]]) if match else None

    def _data_sets(self, folder: Path) -> dict[str, tuple[str, ...]]:
        """Returns the parts of every data set in a folder, by the name of the data set."""
        files = [self._named(file, self.kinds[:1]) for file in folder.glob("*")]
        found = {(file.name, file.part) for file in files if file is not None}
        names = sorted({name for name, _ in found})
        return {name: tuple(part for part in self.spelling if (name, part) in found) for name in names}

    def _data_set(self, path: Path) -> tuple[Path, str]:
        """Returns the folder and the name of the data set at a path."""
        if (own := self._named(path)) is not None:
            return own.folder, own.name
        found = self._data_sets(path)
        if len(found) > 1:
            first = self.file(self.kinds[0], Chosen(path, next(iter(found)), next(iter(found.values()))[0]))
            raise InputError(
                f"{path}: holds {len(found)} data sets, {', '.join(map(repr, found))}; "
                f"give one of the files itself, such as {first}"
            )
        return path, next(iter(found))


def to_matrices(values: Shaped[np.ndarray, "M E"], n: int, file: Path) -> Int[np.ndarray, "M N N"]:
    """Returns edge types as matrices, from the values of all pairs row by row without the diagonal.

    The types 0, 1, ... 999 are kept. Products of charges, -1 and +1, become 0 and 1.

    Raises:
        InputError: there is another value.
    """
    known = "write the types 0, 1, ... or, for charges, only -1 and +1"
    if values.dtype.kind not in "fiub":
        raise InputError(f"{file}: edges have dtype {values.dtype}; {known}")
    charged = bool((values == -1).any())
    wrong = (
        ~np.isin(values, (-1, 1)) if charged else (values < 0) | (values >= MOST_TYPES) | (values != np.round(values))
    )
    if wrong.any():
        task, pair = np.argwhere(wrong)[0]
        raise InputError(f"{file}: the value {values[task, pair]} among the edges of task {task}; {known}")
    matrices = np.zeros((len(values), n, n), dtype=np.int64)
    matrices[:, ~np.eye(n, dtype=bool)] = (values > 0) if charged else values
    return matrices
