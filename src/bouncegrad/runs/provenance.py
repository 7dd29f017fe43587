"""What a run folder says of its training data, in data.json, so that other data can be told from it."""

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
    **{
        "format": int,
        "source": str,
        "summary": str,
        "fingerprint": str,
        "shape": list,
        "features": list,
        "scaling": dict,
    },
    **{"dt": float, "held_out": list | None, "read": dict | None},
}

READ: dict[str, Any] = {
    **{"velocities": bool, "time_step": float | int | None, "angles": list | tuple},
    **dict.fromkeys(("edges", "edges_order", "resample", "groups", "kinds", "known", "new"), str | None),
}


class Origin(NamedTuple):
    """Where training data came from: the whole data set, the tasks held out of it, and how it was read from disk.

    And the held-out loss of each number of edge types, where that was chosen with these data.
    """

    whole: Trajectories
    held_out: list[int] | None = None
    read: dict[str, Any] | None = None
    losses: dict[int, float] | None = None


def fingerprint(data: Trajectories) -> str:
    """SHA-256 of the states: tells whether two data sets are the same."""
    found = digest(data.x)
    assert found is not None
    return found


def digest(array: np.ndarray | None) -> str | None:
    """SHA-256 of shape and values."""
    if array is None:
        return None
    found = hashlib.sha256(str(array.shape).encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def describe(data: Trajectories, scaling: Scaling, origin: Origin, known: np.ndarray | None = None) -> dict[str, Any]:
    """What data.json keeps of the training data and of the data set it was taken from."""
    return {
        "format": FORMAT,
        "source": data.source,
        "summary": data.summary(),
        "shape": list(data.shape),
        "dt": float(data.dt),
        "features": list(data.features),
        "angles": list(data.angles),
        "kinds": list(data.kinds),
        "units": list(data.units),
        "entities": list(data.entities),
        "fingerprint": fingerprint(origin.whole),
        "mask": digest(origin.whole.mask),
        "known": digest(known),
        "held_out": origin.held_out,
        "read": origin.read,
        "held_out_losses": origin.losses or None,
        "scaling": {k: list(v) for k, v in asdict(scaling).items()},
    }


def is_shape(about: dict[str, Any]) -> bool:
    """Whether `shape` is four sizes, and there are as many names as it says: no edited number may claim the world."""
    shape = about["shape"]
    whole = len(shape) == 4 and all(type(size) is int and size > 0 for size in shape)
    return whole and shape[2:] == [len(about["entities"]), len(about["features"])]


def is_reading(read: dict[str, Any] | None) -> bool:
    """Whether these are options of reading, each with a value that it may have."""
    return all(name in READ and isinstance(value, READ[name]) for name, value in (read or {}).items())


def require_same(about: dict[str, Any], whole: Trajectories, folder: Path) -> None:
    """Refuses another data set than the one that the training part was taken from.

    Raises:
        InputError: other states, time steps, names of features or entities, or cells that were observed.
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
        if about.get(name, value) != value:  # early runs say nothing of some
            raise InputError(f"{whole.source}: its {name} changed since {folder} was begun; give the data as it was")
