"""Candidate pairs: who may act on whom at all, so that cost grows with the pairs and not with N²."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, listed, read_cells
from bouncegrad.data.scaling import feature_groups
from bouncegrad.data.trajectories import Trajectories

FRAMES = 256


def candidate_pairs(candidates: int | str | None, data: Trajectories) -> Int[np.ndarray, "2 E"]:
    """Pairs (source, target), ordered by target, then source; the same for all tasks.

    Args:
        candidates: None: all pairs. A number k: the k entities that are nearest to each target on average. Else the
            path of a table with the columns source and target.
        data: the recordings; where k counts, their positions are looked at (all features, where none is x, y or z).

    Raises:
        InputError: more neighbours than there are, or a table that does not fit.
    """
    n = data.shape[2]
    if candidates is None:
        allowed = ~np.eye(n, dtype=bool)
    elif isinstance(candidates, str):
        allowed = read_pairs(Path(candidates), data)
    else:
        if candidates > n - 1:
            raise InputError(
                f"setting candidates: {candidates} nearest, but {data.source} has {n} entities; give at most {n - 1}"
            )
        allowed = nearest(data, candidates)
    target, source = np.nonzero(allowed.T)
    return np.stack([source, target])


def nearest(data: Trajectories, k: int) -> Bool[np.ndarray, "N N"]:
    """For each target (column) the k sources of least mean distance, over at most 256 frames of the data set."""
    x = np.asarray(data.x, dtype=np.float64)
    first = feature_groups(data.features)[0]
    columns = first if data.features[first[0]] in ("x", "y", "z") else range(x.shape[-1])
    size = x.reshape(-1, x.shape[-1]).std(0) if len(first) != len(columns) else np.ones(x.shape[-1])
    frames = x.reshape(-1, *x.shape[2:])[:, :, list(columns)] / np.where(size > 0, size, 1.0)[list(columns)]
    chosen = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
    distance = sum((distances(frames[i]) for i in chosen), np.zeros((data.shape[2],) * 2))
    np.fill_diagonal(distance, np.inf)
    allowed = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(allowed, np.argsort(distance, axis=0, kind="stable")[:k], True, axis=0)
    return allowed


def distances(x: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N N"]:
    """Between all entities."""
    return np.sqrt(sum(np.subtract.outer(column, column) ** 2 for column in x.T))


def read_pairs(path: Path, data: Trajectories) -> Bool[np.ndarray, "N N"]:
    """The pairs that a table with the columns source and target lists, as a matrix `[source, target]`.

    Raises:
        InputError: names the line with an unknown entity or a self-edge.
    """
    columns = header(path)
    if missing := [name for name in ("source", "target") if name not in columns]:
        raise InputError(f"{path}, line 1: no column {' and '.join(missing)} among {listed(columns)}; name them so")
    table = read_cells(path, columns, text=("source", "target"))
    number = {name: i for i, name in enumerate(data.entities)}
    allowed = np.zeros((len(number), len(number)), dtype=bool)
    for line, source, target in zip(table.index, table["source"], table["target"], strict=True):
        for name in (source, target):
            if name not in number:
                raise InputError(
                    f"{path}, line {line}: entity {name!r} is no entity of {data.source} ({listed(data.entities)}); "
                    "correct the name"
                )
        if source == target:
            raise InputError(f"{path}, line {line}: source and target are the same entity; remove this line")
        allowed[number[source], number[target]] = True
    if not allowed.any():
        raise InputError(f"{path}: lists no pair; give at least one")
    return allowed
