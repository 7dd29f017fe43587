"""What the player of a page shows: tracks of a few tasks in motion, with their graphs, as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.result import Result
from bouncegrad.results.style import PAGE_COLOURS, entity_style, type_style

WIDTH, HEIGHT, ROOM = 640, 440, 34  # of the drawing, and what is left free at its sides
NUMBERS = 12_000  # places a task at most; longer recordings are thinned evenly
EDGES = 600  # a task at most; of larger graphs the surest are shown


class Type(NamedTuple):
    """How edges of one type are drawn."""

    name: str
    colour: str
    dash: str


class Player(NamedTuple):
    """A player: the numbers that its script reads, names of tasks and how types look."""

    numbers: Markup
    tasks: tuple[str, ...]
    types: tuple[Type, ...]
    truth: bool


def player(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    tasks: Sequence[int],
) -> Player | None:
    """Tracks and inferred edges of some tasks, with the true edges where they are known.

    Args:
        data: recordings; None without places x and y.
        result: of these recordings.
        perm: `perm[inferred type] = true type`, where the truth is known.
        without_type: the inferred type that is not drawn; where the truth is known, it is true type 0.
        tasks: indices of those that can be chosen.
    """
    if data is None or not {"x", "y"} <= set(data.features) or not len(tasks):
        return None
    truth = None if result is None or perm is None else data.edges
    shown: list[dict[str, Any]] = []
    for task in tasks:
        places, frames = _places(data, task)
        shown.append({"name": data.tasks[task], "frames": frames, "places": places})
        if result is not None:
            edges, sure = result.edges[task], result.probability[task].max(-1)
            if truth is not None:
                assert perm is not None
                edges = np.asarray(perm)[edges]
                shown[-1]["truth"] = _edges(truth[task], np.ones_like(sure), 0)
            shown[-1]["edges"] = _edges(edges, sure, without_type if truth is None else 0)
    kinds = sorted({edge[2] for task in shown for name in ("edges", "truth") for edge in task.get(name, [])})
    names = result.type_names if result is not None and truth is None else ()
    types = {k: _type(k, names[k] if k < len(names) else str(k)) for k in kinds}
    marks = [entity_style(i) for i in range(len(data.entities))]
    numbers = {
        "size": [WIDTH, HEIGHT],
        "context": None if result is None else result.context,
        "entities": list(data.entities),
        "marks": [[PAGE_COLOURS[colour], shape] for colour, shape in marks],
        "types": {k: type_._asdict() for k, type_ in types.items()},
        "tasks": shown,
    }
    text = json.dumps(numbers, separators=(",", ":")).replace("<", "\\u003c")
    return Player(Markup(text), tuple(task["name"] for task in shown), tuple(types.values()), truth is not None)


def _type(k: int, name: str) -> Type:
    colour, dash = type_style(k)
    pattern = "" if dash == "solid" else " ".join(f"{2 * part:g}" for part in dash[1])
    return Type(f"type {name}" if name == str(k) else name, PAGE_COLOURS[colour], pattern)


def _places(data: Trajectories, task: int) -> tuple[list[list[int | None]], list[int]]:
    """Where the entities are drawn, `[x0, y0, x1, y1, ...]` for each frame, None where unseen; and the frames."""
    x = np.asarray(data.x[task], np.float64)[..., [data.features.index("x"), data.features.index("y")]]
    if data.mask is not None:
        x = np.where(data.mask[task][..., None], x, np.nan)
    frames = np.arange(0, len(x), max(1, -(-x.shape[0] * x.shape[1] // NUMBERS)))
    drawn = _fitted(x[frames]).reshape(len(frames), -1)
    return [[None if np.isnan(v) else round(v) for v in row] for row in drawn.tolist()], frames.tolist()


def _fitted(x: Float[np.ndarray, "T N 2"]) -> Float[np.ndarray, "T N 2"]:
    """Places on the drawing, y upwards, with one unit for both."""
    seen = x[np.isfinite(x).all(-1)]
    low, high = (seen.min(0), seen.max(0)) if len(seen) else (np.zeros(2), np.ones(2))
    room = np.array([WIDTH - 2 * ROOM, HEIGHT - 2 * ROOM])
    width = np.where(high > low, high - low, 1.0)
    moved = (x - (low + high) / 2) * (room / width).min() * np.array([1.0, -1.0])
    return moved + np.array([WIDTH, HEIGHT]) / 2


def _edges(
    edges: Int[np.ndarray, "N N"], sure: Float[np.ndarray, "N N"], without_type: int | None
) -> list[tuple[int, int, int, float]]:
    """(source, target, type, probability) of those that are drawn."""
    here = ~np.eye(len(edges), dtype=bool) & (edges >= 0)
    if without_type is not None:
        here &= edges != without_type
    found = [(int(s), int(t), int(edges[s, t]), round(float(sure[s, t]), 3)) for s, t in np.argwhere(here)]
    return sorted(found, key=lambda edge: -edge[3])[:EDGES]
