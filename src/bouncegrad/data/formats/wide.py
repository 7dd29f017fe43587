"""Reads and writes the wide table: a CSV with one row for each frame, and one column for each entity and feature.

A column is named `entity:feature`, or with an underscore `entity_feature` or `feature_entity`. `read_columns` describes
how the names decide which of the two it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed, numbers, write_cells
from bouncegrad.data.formats.edge_table import edges_path, write_edges
from bouncegrad.data.formats.format import require_no_stale_edges
from bouncegrad.data.formats.grid import Frames
from bouncegrad.data.formats.order import coded, sorted_names
from bouncegrad.data.formats.plan import KNOWN_FEATURES, Plan, numbered
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.times import Times, times
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "name all columns entity:feature, such as a:x"
SIGNAL = "value"  # the feature of entities with one column each


def from_cells(rows: pd.DataFrame, path: Path, manner: Manner, plan: Plan) -> Trajectories:
    """Returns the recordings in the rows of a wide table, which may have any order.

    Without a column of times, rows are frames in the order of the file, and dt is 1.

    Args:
        rows: the table; its index holds line numbers.
        path: the file, for messages.
        manner: the options of reading.
        plan: the roles of the columns.

    Raises:
        InputError: the name of a column is ambiguous, an entity lacks one of the features, a cell is not a number, or
            the rows do not form a grid (see `Grid`).
    """
    pairs = read_columns(path, plan, manner)
    features = tuple(dict.fromkeys(feature for _, feature in pairs))
    entities = tuple(dict.fromkeys(entity for entity, _ in pairs))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in entities):
        entities = tuple(entities[i] for i in sorted_names(list(entities)))
    for entity in entities:
        for feature in features:
            if (entity, feature) not in pairs:
                raise InputError(
                    f"{path}, line 1: entity {entity} has no column for the feature {feature} of the others; add it, "
                    "or leave that feature out"
                )
    columns = plan.columns
    task, tasks = (np.zeros(len(rows), np.int64), ("0",)) if columns.task is None else coded(rows[columns.task])
    time = Times(_counted(task)) if columns.time is None else times(rows, columns.time, path, manner.fps)
    if columns.time is None and manner.fps is not None:
        time = Times(time.values / manner.fps, f"rows, {manner.fps:g} in a second")
    values = np.stack([numbers(rows, pairs[entity, f], path, blank=True) for entity in entities for f in features], -1)
    values = values.reshape(len(rows), len(entities), len(features))
    frames = Frames(path, task, time.values, rows.index.to_numpy(), tasks, entities)
    data = frames.recordings(values, features, manner)
    return replace(data, origin=(("times", time.read_as),) if time.read_as else ())


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes a wide table with columns `entity:feature`, and beside it the table of edges if the true edges are known.

    Time starts at 0 in every task. Unobserved cells are blank. Units are lost, since the layout has no place for them.

    Raises:
        InputError: a name contains a colon, or an observed value is not finite.
    """
    if colon := [name for name in (*data.entities, *data.features) if ":" in name]:
        raise InputError(f"{path}: the name {colon[0]!r} has a colon, which separates entity and feature; rename it")
    data.require_finite()
    require_no_stale_edges(data, edges_path(path))
    m, t, _, _ = data.shape
    columns = {
        "task": np.repeat(np.array(data.tasks, dtype=object), t),
        "time": np.tile([float(f"{k * data.dt:.12g}") for k in range(t)], m),
    }
    x = data.x if data.mask is None else np.where(data.mask[..., None], data.x, np.nan)
    for i, entity in enumerate(data.entities):
        columns |= {f"{entity}:{name}": x[:, :, i, j].ravel() for j, name in enumerate(data.features)}
    write_cells(columns, path)
    if data.edges is not None:
        write_edges(data, edges_path(path))


def read_columns(path: Path, plan: Plan, manner: Manner) -> dict[tuple[str, str], str]:
    """Returns the column of each (entity, feature).

    If every name has a colon, the entity is the part before it. Otherwise all names are divided at their first
    underscore, or all at their last one. The part at the outer end must then be a known feature (x, y, z, vx, vy, vz)
    in all columns, or the number of an entity in all columns. Names such as x1 are a known feature and the number of an
    entity. Exactly one of these readings must be possible. If names have neither colons nor underscores, each column
    is the one signal of an entity.

    Raises:
        InputError: no reading is possible, or several are.

    Example:
        >>> from bouncegrad.data.formats.roles import Columns
        >>> columns = Columns(features=(("x_1", "x_1"), ("y_1", "y_1")))
        >>> list(read_columns(Path("a.csv"), Plan(columns), Manner()))
        [('1', 'x'), ('1', 'y')]
    """
    columns = [name for name, _ in plan.columns.features]
    original = dict(plan.columns.features)
    if all(":" in name for name in columns):
        wrong = [name for name in columns if name.count(":") > 1 or "" in _cut(name, ":", first=True)]
        if wrong:
            raise InputError(
                f"{path}, line 1: column {wrong[0]!r} is not one entity, a colon and one feature; rename it"
            )
        readings = [[_cut(name, ":", first=True) for name in columns]]
    elif all(map(numbered, columns)):
        cuts = [len(name.rstrip("0123456789")) for name in columns]
        readings = [[(name[cut:], name[:cut]) for name, cut in zip(columns, cuts, strict=True)]]
    elif not any(":" in name or "_" in name for name in columns):
        readings = [[(name, SIGNAL) for name in columns]]
    else:
        lost = [name for name in columns if ":" in name or "" in _cut(name, "_", first=True)]
        named = manner.columns is not None and bool(manner.columns.features)
        if lost and not named:
            raise InputError(
                f"{path}, line 1: column {lost[0]!r} does not say entity and feature like the others "
                f"({listed([name for name in columns if name != lost[0]], 3)}); "
                f"{REMEDY}, leave the column out (name the others in --columns 'features=[...]'), or for a long table "
                "call one column entity"
            )
        readings = [] if lost else _readings(columns)
        if named and len(readings) != 1:
            readings = [[(name, SIGNAL) for name in columns]]  # the user chose these columns, and their names say less
    if len(readings) != 1:
        raise InputError(
            f"{path}, line 1: names such as {columns[0]!r} do not say which part is the entity; {REMEDY}, or use an "
            f"underscore and one of {', '.join((*POSITIONS, *VELOCITIES))} in all names; if each column is one signal, "
            f"name them with --columns features=[{columns[0][:60]},...]; for a long table name the columns of time and "
            "entity: --columns time=COLUMN,entity=COLUMN"
        )
    return {pair: original[name] for pair, name in zip(readings[0], columns, strict=True)}


def _readings(columns: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Returns the different ways to read names with underscores as (entity, feature)."""
    found: list[list[tuple[str, str]]] = []
    for first in (True, False):
        parts = [_cut(name, "_", first=first) for name in columns]
        ends = [head if first else tail for head, tail in parts]
        rests = [tail if first else head for head, tail in parts]
        known = [end.lower() for end in ends]
        for possible, pairs in (
            (set(known) <= KNOWN_FEATURES, list(zip(rests, known, strict=True))),
            (all(end.isdecimal() for end in ends), list(zip(ends, rests, strict=True))),
        ):
            if possible and pairs not in found:
                found.append(pairs)
    return found


def _cut(name: str, mark: str, *, first: bool) -> tuple[str, str]:
    head, _, tail = name.partition(mark) if first else name.rpartition(mark)
    return head, tail


def _counted(task: np.ndarray) -> np.ndarray:
    """Returns the number of each row among the rows of its task."""
    order = np.argsort(task, kind="stable")
    starts = np.searchsorted(task[order], task[order])
    number = np.empty(len(task))
    number[order] = np.arange(len(task)) - starts
    return number
