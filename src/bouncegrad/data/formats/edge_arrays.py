"""Reads true edges from a file of their own: a table of pairs, a matrix, or a vector whose order is given.

From every form `read_truth` makes `[task, source, target]`. A name in the file states which side is the source. Arrays
have no names, so `read_truth` documents their axes. The numbers never decide it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.arrays import read_array
from bouncegrad.data.formats.cells import header, listed, numbers, read_cells
from bouncegrad.data.formats.edge_table import numbered, read_edges
from bouncegrad.data.formats.folders import to_matrices
from bouncegrad.data.memory import require_loadable
from bouncegrad.data.trajectories import Trajectories, plural

# The order in which a vector lists all ordered pairs without self-edges: by source first, or by target first.
ORDERS = ("source", "target")


def read_truth(path: Path, data: Trajectories, order: str | None = None) -> Int[np.ndarray, "M N N"]:
    """Returns the edge types `[source, target]` that a file states for these recordings.

    Args:
        path: a `.npy` array: a matrix `[source, target]` or `[task, source, target]`; or, if `order` is given, a vector
            of all ordered pairs, `[pair]` or `[task, pair]`. Any other file is a CSV: a table of pairs (see
            `read_edges`), or a matrix whose first column is called `source` (rows act on columns) or `target` (columns
            act on rows). A matrix or vector without tasks is one graph that all tasks share.
        data: the recordings, whose names and sizes the edges must have.
        order: for a vector: `source` if pairs are sorted by source, then target; `target` if by target, then source.

    Raises:
        InputError: sizes or names differ from those of the recordings, a value is not an edge type, or there is a
            self-edge.
    """
    if order is not None and order not in ORDERS:
        raise InputError(f"{path}: the order of edges is {order!r}; choose one of {', '.join(ORDERS)}")
    if path.suffix == ".npy":
        return _read_array(path, data, order)
    if order is not None:
        raise InputError(f"{path}: an order of edges goes with a vector in a .npy file; leave it out")
    named = {"source", "target"} & set(header(path))
    return _read_matrix(path, data, named.pop()) if len(named) == 1 else read_edges(path, data)


def _read_array(path: Path, data: Trajectories, order: str | None) -> Int[np.ndarray, "M N N"]:
    values = read_array(path)
    m, n = len(data.tasks), len(data.entities)
    pairs = n * (n - 1)
    axes, size = ("source, target", (n, n)) if order is None else ("pair", (pairs,))
    if values.shape not in (size, (m, *size)):
        remedy = "give the edges of these recordings"
        if order is None and values.shape in ((pairs,), (m, pairs)):
            remedy = f"for a vector of pairs, name its order: {' or '.join(ORDERS)}"
        raise InputError(
            f"{path}: shape {values.shape}, but {data.source} has {m} {plural('task', m)} of {n} entities, which need "
            f"{(m, *size)} (task, {axes}) or {size} for all tasks; {remedy}"
        )
    _require_room(path, m, n)
    values = np.broadcast_to(values, (m, *size))
    if order is None:
        _require_no_loops(values, path, data)
        values = values[:, ~np.eye(n, dtype=bool)]
    matrices = to_matrices(values, n, path)
    return matrices.transpose(0, 2, 1) if order == "target" else matrices


def _read_matrix(path: Path, data: Trajectories, rows: str) -> Int[np.ndarray, "M N N"]:
    """Returns the edge types of a CSV matrix whose rows are sources or targets, as the argument `rows` says."""
    columns = header(path)
    m, n = len(data.tasks), len(data.entities)
    across = [name for name in columns if name not in (rows, "task")]
    other = "target" if rows == "source" else "source"
    if set(across) != set(data.entities):
        strange = [name for name in across if name not in data.entities]
        lost = [name for name in data.entities if name not in across]
        found = f"column {strange[0]!r} is no entity" if strange else f"no column for entity {lost[0]!r}"
        raise InputError(
            f"{path}, line 1: {found} of {data.source} ({listed(data.entities)}); a table of pairs has the columns "
            f"source, target, type, a matrix has a column for each {other} beside {rows}"
        )
    table = read_cells(path, columns, text=("task", rows))
    entity = numbered(table, rows, data.entities, path, data.source)
    task = np.zeros_like(entity)
    if "task" in columns:
        task = numbered(table, "task", data.tasks, path, data.source)
    _require_room(path, m, n)
    count = np.zeros((m if "task" in columns else 1, n), dtype=np.int64)
    np.add.at(count, (task, entity), 1)
    if (count != 1).any():
        which, row = np.argwhere(count != 1)[0]
        where = f" in task {data.tasks[which]}" if "task" in columns else ""
        found = f"{count[which, row]} {plural('row', count[which, row])} for {rows} {data.entities[row]}{where}"
        raise InputError(f"{path}: {found}; give one for each entity")
    values = np.empty((len(count), n, n))
    for i, name in enumerate(data.entities):
        values[task, entity, i] = numbers(table, name, path)
    values = np.broadcast_to(values, (m, n, n))
    _require_no_loops(values, path, data)
    matrices = to_matrices(values[:, ~np.eye(n, dtype=bool)], n, path)
    return matrices.transpose(0, 2, 1) if rows == "target" else matrices


def _require_room(path: Path, m: int, n: int) -> None:
    """Refuses edges of m tasks and n entities that do not fit in memory; the file may hold one graph for all tasks."""
    require_loadable(16.0 * m * n * n, math.inf, str(path))


def _require_no_loops(values: np.ndarray, path: Path, data: Trajectories) -> None:
    """Refuses types on the diagonal. They often mean that the file has another order of pairs."""
    loops = np.einsum("mii->mi", values) != 0
    if loops.any():
        task, entity = np.argwhere(loops)[0]
        raise InputError(
            f"{path}: task {data.tasks[task]} has an edge from entity {data.entities[entity]} to itself; "
            "set the diagonal to 0"
        )
