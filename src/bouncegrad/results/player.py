"""Data for the player of a report page: tracks and graphs of a few tasks, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from markupsafe import Markup

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.communities import background
from bouncegrad.results.labels import plane, type_label, type_name
from bouncegrad.results.plots_graph import ARROWS
from bouncegrad.results.result import DETERMINED, Result
from bouncegrad.results.style import PAGE_COLOURS, entity_style, type_style

WIDTH, HEIGHT, ROOM = 640, 440, 34  # size of the drawing, and of its empty border, which holds names
POINTS = 12_000  # largest number of drawn points per task, so that pages stay small; frames are skipped evenly
MOST = 600  # edges that are drawn at a time, so that pages stay fast; the most probable ones
EDGES = 10_000  # edges of a task in the page, of which the reader chooses; all those of 100 entities


class Type(NamedTuple):
    """Name and style of one edge type."""

    name: str
    colour: str
    dash: str


class Player(NamedTuple):
    """The content of a player.

    Args:
        data: the JSON that its script reads.
        tasks: names of the tasks that can be chosen.
        types: name and style of each edge type that is drawn.
        truth: whether true edges are part of the JSON.
        entities: names of the entities of which one can be chosen; empty if there are few.
        least: the probability below which edges are hidden at first.
        absent: name of the most frequent type, if it is not drawn because there are many entities; otherwise empty.
        surplus: whether a task has more edges than are drawn at a time.
        most: the number of edges that are drawn at a time.
    """

    data: Markup
    tasks: tuple[str, ...]
    types: tuple[Type, ...]
    truth: bool
    entities: tuple[str, ...]
    least: float
    absent: str
    surplus: bool
    most: int = MOST


def player(
    data: Trajectories | None,
    result: Result | None,
    perm: Sequence[int] | None,
    without_type: int | None,
    tasks: Sequence[int],
) -> Player | None:
    """Returns tracks and inferred edges of some tasks, with the true edges if they are known.

    Args:
        data: the recordings.
        result: the result for these recordings.
        perm: `perm[inferred type] = true type`, if the truth is known.
        without_type: the inferred type that is not drawn. If the truth is known, true type 0 is not drawn. If neither
            is known and there are many entities, the most frequent type is not drawn.
        tasks: indices of the tasks that can be chosen.

    Returns:
        None if there are no recordings with positions x and y.
    """
    if data is None or plane(data.features) is None or not len(tasks):
        return None
    truth, many = None if result is None or perm is None else data.edges, len(data.entities) > ARROWS
    absent = background(result.edges, None) if many and result is not None and truth is without_type is None else None
    without_type = 0 if truth is not None else without_type if absent is None else absent
    shown: list[dict[str, Any]] = []
    for task in tasks:
        places, frames = _places(data, task)
        shown.append({"name": data.tasks[task], "frames": frames, "places": places})
        if result is not None:
            edges, highest = result.edges[task], result.probability[task].max(-1)
            seen = np.ones(len(edges), dtype=bool) if data.mask is None else data.mask[task].any(0)
            if truth is not None:
                assert perm is not None
                edges = np.asarray(perm)[edges]
                shown[-1]["truth"] = _edges(truth[task], np.ones_like(highest), without_type, seen)
            shown[-1]["edges"] = _edges(edges, highest, without_type, seen)
    kinds = sorted({edge[2] for task in shown for name in ("edges", "truth") for edge in task.get(name, [])})
    names = result.type_names if result is not None and truth is None else ()
    types = {k: _type(k, type_name(names, k)) for k in kinds}
    marks = [entity_style(i) for i in range(len(data.entities))]
    content = {
        "size": [WIDTH, HEIGHT],
        "context": None if result is None else result.context,
        "entities": list(data.entities),
        "marks": [[PAGE_COLOURS[colour], shape] for colour, shape in marks],
        "types": {k: type_._asdict() for k, type_ in types.items()},
        "most": MOST,
        "tasks": shown,
    }
    text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return Player(
        data=Markup(text),
        tasks=tuple(task["name"] for task in shown),
        types=tuple(types.values()),
        truth=truth is not None,
        entities=data.entities if many and kinds else (),
        least=DETERMINED if many else 0.0,
        absent="" if absent is None else type_label(type_name(names, absent), absent),
        surplus=any(len(task.get(name, [])) > MOST for task in shown for name in ("edges", "truth")),
    )


def _type(k: int, name: str) -> Type:
    colour, dash = type_style(k)
    pattern = "" if dash == "solid" else " ".join(f"{2 * part:g}" for part in dash[1])
    return Type(type_label(name, k), PAGE_COLOURS[colour], pattern)


def _places(data: Trajectories, task: int) -> tuple[list[list[int | None]], list[int]]:
    """Returns the drawn points, `[x0, y0, x1, y1, ...]` for each frame, and the numbers of these frames.

    Points that were not observed are None.
    """
    x = np.asarray(data.x[task], np.float64)[..., plane(data.features)]
    if data.mask is not None:
        x = np.where(data.mask[task][..., None], x, np.nan)
    frames = np.arange(0, len(x), max(1, -(-x.shape[0] * x.shape[1] // POINTS)))
    drawn = _fitted(x[frames]).reshape(len(frames), -1)
    return [[None if np.isnan(v) else round(v) for v in row] for row in drawn.tolist()], frames.tolist()


def _fitted(x: Float[np.ndarray, "T N 2"]) -> Float[np.ndarray, "T N 2"]:
    """Moves and scales positions so that they fit into the drawing, with y upwards and the same scale for x and y."""
    seen = x[np.isfinite(x).all(-1)]
    low, high = (seen.min(0), seen.max(0)) if len(seen) else (np.zeros(2), np.ones(2))
    room = np.array([WIDTH - 2 * ROOM, HEIGHT - 2 * ROOM])
    width = np.where(high > low, high - low, 1.0)
    moved = (x - (low + high) / 2) * (room / width).min() * np.array([1.0, -1.0])
    return moved + np.array([WIDTH, HEIGHT]) / 2


def _edges(
    edges: Int[np.ndarray, "N N"],
    highest: Float[np.ndarray, "N N"],
    without_type: int | None,
    seen: Bool[np.ndarray, " N"],
) -> list[tuple[int, int, int, float]]:
    """Returns (source, target, type, probability) of the edges that can be drawn, the most probable first.

    Equally probable edges are in random order, always the same one, so that no entity has more of the first ones.
    """
    here = ~np.eye(len(edges), dtype=bool) & (edges >= 0) & np.outer(seen, seen)
    if without_type is not None:
        here &= edges != without_type
    found = [(int(s), int(t), int(edges[s, t]), round(float(highest[s, t]), 3)) for s, t in np.argwhere(here)]
    mixed = [found[i] for i in np.random.default_rng(0).permutation(len(found))]
    return sorted(mixed, key=lambda edge: -edge[3])[:EDGES]
