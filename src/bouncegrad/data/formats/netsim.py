"""Reads and writes archives of one recording with one number per entity: NetSim as in the ACD code, and Lorenz-96.

`X_np` is `[entity, frame]`. In `Gref` a row is a receiver, so it is transposed. Its diagonal is ignored.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import keys_of, one_number, read_archive, write_archive
from bouncegrad.data.formats.folders import to_matrices
from bouncegrad.data.formats.format import Format, chosen_part, require_complete
from bouncegrad.data.trajectories import Trajectories

SIZES = ("n", "T")
# Keys that say how a Lorenz-96 file was simulated. Of these `Trajectories` keeps only the time step `delta_t`.
SIMULATED = ("F", "delta_t", "sd", "burn_in", "seed")


def read(path: Path, part: str | None) -> Trajectories:
    """Returns one file as one task, or files of a folder as one task each.

    The files that are read together have names that differ only in the number at their end. The time step is `delta_t`
    if the file states it, else 1.

    Raises:
        InputError: a file is damaged, or the files of a folder do not fit together.
    """
    if path.is_file():
        return _read_file(path)
    groups = _groups(path)
    files = groups[chosen_part(path, tuple(groups), part)]
    tasks = [_read_file(file) for file in files]
    first = tasks[0]
    for file, task in zip(files, tasks, strict=True):
        if (task.shape, task.dt, task.edges is None) != (first.shape, first.dt, first.edges is None):
            raise InputError(
                f"{file}: {task.summary()}, dt {task.dt:g}, but {files[0]}: {first.summary()}, dt {first.dt:g}; "
                "keep files of one kind in the folder"
            )
    return Trajectories(
        np.concatenate([task.x for task in tasks]),
        edges=None if first.edges is None else np.concatenate([task.edges for task in tasks if task.edges is not None]),
        dt=first.dt,
        tasks=tuple(file.stem for file in files),
        source=str(path),
    )


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes one task as one file, with its time step as `delta_t`.

    Names and units are lost, since the layout has no place for them.

    Raises:
        InputError: there are several tasks or features, or unobserved cells.
    """
    m, t, n, d = data.shape
    if m > 1 or d > 1:
        what = f"{m} tasks; write a file for each" if m > 1 else f"{d} features; save as .npz of the own format"
        raise InputError(f"{path}: a NetSim file holds one task with one feature, found {what}")
    require_complete(data, path)
    arrays = {"X_np": np.ascontiguousarray(data.x[0, :, :, 0].T), "n": np.array(n), "T": np.array(t)}
    if data.edges is not None:
        arrays["Gref"] = np.ascontiguousarray(data.edges[0].T)
    write_archive(path, arrays | {"delta_t": np.array(data.dt)})


def _read_file(path: Path) -> Trajectories:
    known = ("X_np", "Gref", *SIZES, *SIMULATED)
    arrays = read_archive(path, known, "rename or remove the others")
    states = arrays["X_np"]
    if states.ndim != 2:
        raise InputError(f"{path}: X_np has shape {states.shape}; give (entity, frame)")
    for name, size in zip(SIZES, states.shape, strict=True):
        stated = arrays.get(name, np.array(size))
        if stated.size != 1 or stated.reshape(()) != size:
            raise InputError(
                f"{path}: {name} is {stated.tolist()}, but X_np has shape {states.shape} (entity, frame); transpose it "
                f"or correct {name}"
            )
    n = len(states)
    edges = None
    if "Gref" in arrays:
        if arrays["Gref"].shape != (n, n):
            raise InputError(
                f"{path}: Gref has shape {arrays['Gref'].shape}, but {n} entities need {(n, n)} (receiver, sender); "
                "give the edges of this recording"
            )
        edges = to_matrices(arrays["Gref"][None, ~np.eye(n, dtype=bool)], n, path).transpose(0, 2, 1)
    dt = one_number(arrays.get("delta_t", np.array(1.0)), "delta_t", path)
    x = np.ascontiguousarray(states.T)[None, :, :, None]
    return Trajectories(x, edges=edges, dt=dt, source=str(path))


def _recognises(path: Path) -> bool:
    return bool(_groups(path)) if path.is_dir() else path.suffix == ".npz" and "X_np" in keys_of(path)


def _groups(folder: Path) -> dict[str, list[Path]]:
    """Returns the files of a folder, grouped by their names without the number at the end, sorted by that number."""
    groups: dict[str, list[tuple[int, Path]]] = {}
    for file in sorted(folder.glob("*.npz")):
        if "X_np" in keys_of(file):
            number = re.search(r"\d*$", file.stem)[0]  # type: ignore[index]
            name = file.stem.removesuffix(number).removesuffix("_")
            groups.setdefault(name, []).append((int(number or 0), file))
    return {name: [file for _, file in sorted(files)] for name, files in groups.items()}


def _parts(path: Path) -> tuple[str, ...]:
    groups = tuple(_groups(path)) if path.is_dir() else ()
    return groups if len(groups) > 1 else ()


NETSIM = Format(
    name="netsim",
    layout="a NetSim or Lorenz-96 .npz (or a folder of them) with the keys X_np (entity, frame) and Gref",
    recognises=_recognises,
    read=read,
    write=write,
    suffix=".npz",
    parts=_parts,
    left_out="the self-edges on the diagonal of Gref, and how the recording was simulated, except the time step",
)
