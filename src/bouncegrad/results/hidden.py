"""Test of the search for unseen entities: a recorded entity is hidden, found, and compared with its recording."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.results.unseen import Unseen


def hide(data: Trajectories, entity: str) -> tuple[Trajectories, Trajectories]:
    """Returns the recordings without an entity, and the recordings in which this entity is the last one.

    The first are given to the search. The second are the truth.

    Raises:
        InputError: there is no entity with this name.
    """
    if entity not in data.entities:
        raise InputError(f"option hide: {data.source} has no entity {entity!r}; it has {', '.join(data.entities)}")
    number = data.entities.index(entity)
    stay = [i for i in range(len(data.entities)) if i != number]
    order = [*stay, number]
    edges = None if data.edges is None else data.edges[:, order][:, :, order]
    mask = None if data.mask is None else data.mask[:, :, order]
    names = tuple(data.entities[i] for i in order)
    whole = replace(data, x=data.x[:, :, order], edges=edges, mask=mask, entities=names)
    visible = replace(
        whole,
        x=whole.x[:, :, :-1],
        edges=None if edges is None else edges[:, :-1, :-1],
        mask=None if mask is None else mask[:, :, :-1],
        entities=names[:-1],
    )
    return visible, whole


def compared(
    found: Unseen, whole: Trajectories, factors: Float[np.ndarray, " D"], types: int, *, pinned: bool = False
) -> dict[str, Any]:
    """Track error and edge accuracy of one hidden entity, ready for JSON.

    `track_error = mean(((found - true) * factors)^2)` over frames and features. `centre_error` is the same error if the
    mean of the visible entities is taken as the track. `by_degree` gives these numbers separately by the number of
    entities with which the hidden entity has an edge, in any direction, of a type other than 0.

    Args:
        found: the search result, with one unseen entity.
        whole: the recordings, with the hidden entity as the last one.
        factors: `Scaling.published()`, which maps the training range of each feature to [-1, 1].
        types: number of edge types, K.
        pinned: whether type 0 was fixed beforehand as "no interaction".
    """
    x = np.asarray(whole.x[:, : found.tracks.shape[1]], np.float64)
    # Around the first entity, so that the centre of periodic positions does not depend on where the box begins.
    centre = x[:, :, 0] + wrapped(x[:, :, :-1] - x[:, :, :1], whole.periods).mean(2)
    errors = {
        "track_error": np.square(wrapped(found.tracks[:, :, 0] - x[:, :, -1], whole.periods) * factors).mean((1, 2)),
        "centre_error": np.square(wrapped(centre - x[:, :, -1], whole.periods) * factors).mean((1, 2)),
        "determined": found.determined.astype(float),
    }
    numbers: dict[str, Any] = {"edge_accuracy": None, "hidden_edge_accuracy": None}
    degree = np.zeros(len(x), int)
    if whole.edges is not None:
        edges = found.result.edges
        perm = relabelling(whole.edges, edges, types, pinned=pinned)
        numbers["edge_accuracy"] = edge_accuracy(whole.edges, edges, perm)
        right = np.asarray(perm)[edges] == whole.edges
        errors["hidden_edge_accuracy"] = (right[:, -1, :-1].mean(1) + right[:, :-1, -1].mean(1)) / 2
        degree = ((whole.edges[:, -1] > 0) | (whole.edges[:, :, -1] > 0)).sum(1)
    numbers |= {name: float(values.mean()) for name, values in errors.items()}
    numbers["by_degree"] = [
        {"interacts_with": int(d), "tasks": int((degree == d).sum())}
        | {name: float(values[degree == d].mean()) for name, values in errors.items()}
        for d in np.unique(degree)
        if whole.edges is not None
    ]
    return numbers
