"""Decides which column of a table has which role: by `--columns`, by the layout of a program, or by the names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import TASK_WORDS, UNNAMED, listed
from bouncegrad.data.formats.layouts import OTHER, Layout, layout_of
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.formats.roles import Columns
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES

TIME_WORDS = ("time", "t", "seconds", "frame", "frames", "frame_idx", "timestamp", "date", "datetime")
ENTITY_WORDS = (
    *("entity", "id", "particle", "track", "track_id", "ped", "pedestrian", "animal", "individual", "player"),
    *("agent", "joint", "object", "name", "who", "sensor", "cell", "node"),
)
KNOWN_FEATURES = frozenset((*POSITIONS, *VELOCITIES))
LONGEST_OPTION = 300  # characters; a longer option does not fit into a message of one line


class Plan(NamedTuple):
    """How a table is read.

    Args:
        columns: the role of each column that is used. Without an entity, each column belongs to one entity.
        left_out: the columns that are not used, and why.
        layout: the layout of a program, or None.
    """

    columns: Columns
    left_out: tuple[tuple[str, str], ...] = ()
    layout: Layout | None = None

    def rows(self) -> list[tuple[str, str]]:
        """Returns what `inspect` says about it."""
        columns = self.columns
        if columns.entity is None and len(columns.features) > 20:
            columns = columns._replace(features=())  # the same is read without them
        found = [("columns", columns.option())] if columns.used() else []
        reasons: dict[str, list[str]] = {}
        for name, why in self.left_out:
            reasons.setdefault(why, []).append(name)
        return found + [("left out", f"{listed(names, 20)}: {why}") for why, names in reasons.items()]


def plan_of(names: Sequence[str], path: Path, manner: Manner) -> Plan:
    """Returns how a table with these columns is read.

    Raises:
        InputError: a column that the user names is not there, or the columns say too little.
    """
    given = manner.columns or Columns()
    if lost := [name for name in given.used() if name not in names]:
        raise InputError(f"{path}, line 1: no column {lost[0]!r} among {listed(list(names))}; correct --columns")
    layout = layout_of(names)
    entity = given.entity or (layout.entity if layout else "entity" if "entity" in names else None)
    task = given.task or next((name for name in names if name in TASK_WORDS and name not in given.used()), None)
    if entity is None:
        return _wide(names, path, given._replace(task=task))
    time = given.time or _time(names, layout, manner, [entity])
    others = [name for name in names if name not in (entity, task, time)]
    features = given.features or _features(others, layout, own=given.entity is None)
    if time is None or not features:
        raise InputError(f"{path}, line 1: {refusal(names)}")
    columns = Columns(time, entity, task, features)
    reasons = dict(layout.reasons) if layout else {}
    left = [(n, reasons.get(n, COUNTS if n == UNNAMED else OTHER)) for n in names if n not in columns.used()]
    return Plan(columns, tuple(left), layout)


COUNTS = "counts rows"


def refusal(names: Sequence[str]) -> str:
    """Returns why columns are refused, and the option by which they may be read."""
    entity = next((name for name in names if name.lower() in ENTITY_WORDS or name.lower().endswith("_id")), None)
    time = next((name for word in TIME_WORDS for name in names if name.lower() == word), None)
    task = next((name for name in names if name in TASK_WORDS), None)
    others = [n for n in names if n not in (entity, time, task, UNNAMED) and n.lower() not in TIME_WORDS]
    known = [name for name in others if name in KNOWN_FEATURES]
    pairs = tuple((name, name) for name in known or others)
    option = Columns(time or "COLUMN", entity or "COLUMN", task, pairs).option()
    signals = Columns(time, None, task, pairs).option()
    if len(option) > LONGEST_OPTION:
        option = "--columns time=COLUMN,entity=COLUMN,features=[COLUMN,COLUMN]"
        signals = "--columns features=[COLUMN,COLUMN]"
    if entity is None and not known and len(others) > 1:
        option += f"; if each column is one signal, and rows are frames: {signals}"
    return (
        f"the columns are {listed(list(names))}; needed are time, entity, one or more features, and for more than one "
        f"recording {' or '.join(TASK_WORDS)}: rename them, or name them with {option}"
    )


def _time(names: Sequence[str], layout: Layout | None, manner: Manner, used: Sequence[str]) -> str | None:
    """Returns the column of times; None if none is called like that, or if several could be meant."""
    if layout is not None:
        if manner.fps is not None and layout.counted in names:
            return layout.counted
        return next(name for name in layout.time if name in names)
    if "time" in names:
        return "time"
    if manner.fps is None and (manner.columns is None or manner.columns.entity is None):
        return None  # the own layout calls it time; with --fps, frames are counted
    found = [name for name in names if name.lower() in TIME_WORDS and name not in used]
    return found[0] if len(found) == 1 else None


def _features(others: Sequence[str], layout: Layout | None, own: bool) -> tuple[tuple[str, str], ...]:
    """Returns the name and column of each feature among the columns without another role."""
    if layout is not None:
        choices = ((name, next((c for c in columns if c in others), None)) for name, columns in layout.features)
        return tuple((name, column) for name, column in choices if column is not None)
    named = [name for name in others if name != UNNAMED]
    known = [name for name in named if name in KNOWN_FEATURES]
    return tuple((name, name) for name in (named if own else known or named))


def _wide(names: Sequence[str], path: Path, given: Columns) -> Plan:
    """Returns the plan of a table with columns for each entity."""
    words = [name for word in TIME_WORDS for name in names if name.lower() == word and name != given.task]
    time = given.time or (words[0] if words else None)
    others = [name for name in names if name not in (time, given.task, UNNAMED)]
    features = given.features
    if not features:
        plain = [name for name in others if name.lower() not in TIME_WORDS]
        signals = not any(":" in name or "_" in name or numbered(name) for name in plain)
        mixed = [name for name in plain if name in KNOWN_FEATURES or name.lower() in ENTITY_WORDS]
        if not plain or (signals and (time is None or mixed or len(plain) < 2)):
            raise InputError(f"{path}, line 1: {refusal(names)}")
        features = tuple((name, name) for name in plain)
    columns = given._replace(time=time, features=features)
    why = {UNNAMED: COUNTS}
    left = [(n, why.get(n, "other times" if n.lower() in TIME_WORDS else OTHER)) for n in names]
    return Plan(columns, tuple((name, reason) for name, reason in left if name not in columns.used()))


def numbered(name: str) -> bool:
    """Returns whether a name is a known feature and the number of an entity, such as x1."""
    return name.rstrip("0123456789") in KNOWN_FEATURES and name[-1].isdecimal()
