"""Provenance of the training data: its description in data.json, by which other data are recognised."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories

FORMAT = 3  # of the run folder
ABOUT: dict[str, Any] = {
    "format": int,
    "source": str,
    "summary": str,
    "fingerprint": str,
    "shape": list,
    "features": list,
    "scaling": dict,
    "dt": float,
    "held_out": list | None,
    "read": dict | None,
}
"""Entries that data.json must have, and their types."""

READ: dict[str, Any] = {
    **dict.fromkeys(("velocities", "strict", "same_unit", "unswap"), bool),
    **dict.fromkeys(("angles", "periodic", "unit", "origin"), list | tuple),
    **dict.fromkeys(("time_step", "fps", "likelihood"), float | int | None),
    **dict.fromkeys(("edges", "edges_order", "resample", "groups", "kinds", "known", "new"), str | None),
    **dict.fromkeys(("columns", "keypoints", "missing"), str | None),
}
"""Options of reading that data.json may have under `read`, and their types."""


class Provenance(NamedTuple):
    """Where training data came from.

    Args:
        whole: the whole data set that the training part was taken from.
        held_out: indices of its tasks that are not in the training part.
        read: options with which the data set was read from disk.
        losses: held-out loss of each number of edge types, where the number was chosen with these data.
        held_out_frames: what held-out frames decided, as plain values, see `fitting/variants.py`.
    """

    whole: Trajectories
    held_out: list[int] | None = None
    read: dict[str, Any] | None = None
    losses: dict[int, float] | None = None
    held_out_frames: dict[str, Any] | None = None


def fingerprint(data: Trajectories) -> str:
    """Returns the SHA-256 of the states; equal fingerprints mean equal states."""
    found = digest(data.x)
    assert found is not None
    return found


def digest(array: np.ndarray | None) -> str | None:
    """Returns the SHA-256 of shape and values; None for no array."""
    if array is None:
        return None
    found = hashlib.sha256(str(array.shape).encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def describe(
    data: Trajectories, scaling: Scaling, provenance: Provenance, known: np.ndarray | None = None
) -> dict[str, Any]:
    """Returns the content of data.json.

    Args:
        data: the training part.
        scaling: fitted to the training part.
        provenance: of the training part.
        known: types of edges that need not be found, `[task, source, target]`, -1 where not known.
    """
    return {
        "format": FORMAT,
        "source": data.source,
        "summary": data.summary(),
        "shape": list(data.shape),
        "dt": float(data.dt),
        "features": list(data.features),
        "angles": list(data.angles),
        "periodic": list(data.periodic),
        "kinds": list(data.kinds),
        "units": list(data.units),
        "entities": list(data.entities),
        "fingerprint": fingerprint(provenance.whole),
        "mask": digest(provenance.whole.mask),
        "known": digest(known),
        "held_out": provenance.held_out,
        "read": provenance.read,
        "held_out_losses": provenance.losses or None,
        "held_out_frames": provenance.held_out_frames,
        "scaling": {k: list(v) for k, v in asdict(scaling).items()},
    }


def is_shape(about: dict[str, Any]) -> bool:
    """Whether `shape` is four sizes that agree with the numbers of entities and features.

    Without this check, an edited number could make the program claim any amount of memory.
    """
    shape = about["shape"]
    whole = len(shape) == 4 and all(type(size) is int and size > 0 for size in shape)
    return whole and shape[2:] == [len(about["entities"]), len(about["features"])]


def is_reading(read: dict[str, Any] | None) -> bool:
    """Whether these are options of reading, each with a value of its type."""
    return all(name in READ and isinstance(value, READ[name]) for name, value in (read or {}).items())


def require_same(about: dict[str, Any], whole: Trajectories, folder: Path) -> None:
    """Refuses another data set than the one that the training part was taken from.

    Raises:
        InputError: the states, the time step, the features, the entities, their kinds or the mask differ.
    """
    if about["fingerprint"] != fingerprint(whole):
        raise InputError(f"{whole.source}: is not the data that {folder} was trained on; give the same data")
    now = {
        "dt": float(whole.dt),
        "features": list(whole.features),
        "entities": list(whole.entities),
        "kinds": list(whole.kinds),
    }
    for name, value in (now | {"mask": digest(whole.mask)}).items():
        if about.get(name, value) != value:  # runs of early versions lack some entries
            raise InputError(f"{whole.source}: its {name} changed since {folder} was begun; give the data as it was")
