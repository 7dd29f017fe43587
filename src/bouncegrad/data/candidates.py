"""Finds candidate pairs: the pairs that may have an edge. Cost then grows with their number, and not with N²."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import header, read_cells, require_present
from bouncegrad.data.formats.edge_table import numbered
from bouncegrad.data.scaling import feature_groups
from bouncegrad.data.trajectories import POSITIONS, Trajectories

FRAMES = 256  # enough for a mean distance; more frames would cost N² time each


def candidate_pairs(candidates: int | str | None, data: Trajectories) -> Int[np.ndarray, "2 E"]:
    """Returns pairs (source, target), sorted by target, then source. They are the same for all tasks.

    Args:
        candidates: None for all pairs; a number k for the k sources that are nearest to each target on average; or the
            path of a table with the columns source and target.
        data: the recordings. Distances are those of positions, or of all features if none is called x, y or z.

    Raises:
        InputError: k is larger than N - 1, or the table does not fit the recordings.
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
    """Returns, for each target (column), the k sources of smallest mean distance, over at most 256 frames."""
    x = np.asarray(data.x, dtype=np.float64)
    first = feature_groups(data.features)[0]
    columns = first if data.features[first[0]] in POSITIONS else range(x.shape[-1])
    size = x.reshape(-1, x.shape[-1]).std(0) if len(first) != len(columns) else np.ones(x.shape[-1])
    frames = x.reshape(-1, *x.shape[2:])[:, :, list(columns)] / np.where(size > 0, size, 1.0)[list(columns)]
    periods = data.periods[list(columns)] / np.where(size > 0, size, 1.0)[list(columns)]
    chosen = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
    distance = sum((distances(frames[i], periods) for i in chosen), np.zeros((data.shape[2],) * 2))
    np.fill_diagonal(distance, np.inf)
    allowed = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(allowed, np.argsort(distance, axis=0, kind="stable")[:k], True, axis=0)
    return allowed


def distances(x: Float[np.ndarray, "N D"], periods: Float[np.ndarray, " D"]) -> Float[np.ndarray, "N N"]:
    """Returns the distances between all entities, the shorter way where a feature wraps."""
    apart = (np.subtract.outer(column, column) for column in x.T)
    whole = zip(apart, periods, strict=True)
    return np.sqrt(sum((wrapped(d[..., None], np.array([p]))[..., 0] if p else d) ** 2 for d, p in whole))


def read_pairs(path: Path, data: Trajectories) -> Bool[np.ndarray, "N N"]:
    """Returns the pairs that a table with the columns source and target lists, as a matrix `[source, target]`.

    Raises:
        InputError: names the line with an unknown entity or a self-edge.
    """
    columns, ends = header(path), ("source", "target")
    require_present(ends, columns, path, "name them so")
    table = read_cells(path, columns, text=ends)
    source, target = (numbered(table, end, data.entities, path, data.source) for end in ends)
    if (loops := source == target).any():
        line = table.index[int(loops.argmax())]
        raise InputError(f"{path}, line {line}: source and target are the same entity; remove this line")
    if not len(table):
        raise InputError(f"{path}: lists no pair; give at least one")
    allowed = np.zeros((len(data.entities),) * 2, dtype=bool)
    allowed[source, target] = True
    return allowed
