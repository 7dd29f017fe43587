"""The law that a trained model has learned, in the user's units, and the true law of simulated systems."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import as_graph
from bouncegrad.core.laws import effects
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.angles import wrapped
from bouncegrad.data.simulate.systems import SYSTEMS
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.models.model import Model
from bouncegrad.results.law import Force, Law, law_of
from bouncegrad.results.result import Result

TASKS, FRAMES, EDGES = 100, 20, 200_000  # at most so many are evaluated, so that long recordings take no longer


def learned_law(model: Model, data: Trajectories, result: Result) -> Law | None:
    """Returns the effect of edges of each inferred type on their targets, at the distances in the recordings.

    `effect = (change of the target's velocity with the message - change without the message) / dt`, at some frames of
    the context. If velocities were not recorded, the change is that of the position. Without positions in two or three
    dimensions the result is None.

    Args:
        model: the trained model.
        data: the recordings that `result` was inferred from.
        result: the inferred edges.
    """
    names = [name for name in POSITIONS if name in data.features]
    if len(names) < 2 or model.forecaster is None:
        return None
    moving = all(f"v{name}" in data.features for name in names)
    places = [data.features.index(name) for name in names]
    changed = [data.features.index(f"v{name}") for name in names] if moving else places
    some = data.select(range(min(TASKS, len(data.tasks)))).frames(0, result.context)
    on, lags = as_graph(model.on(some), "laws"), model.config.lags
    many = max(1, min(FRAMES, EDGES // (len(some.tasks) * on.slots)))
    frames = np.unique(np.linspace(lags, some.shape[1] - 2, many).round().astype(int))
    z = adjacency_to_structure(torch.as_tensor(result.edges[: len(some.tasks)]), on.pairs)
    states = on.with_history(scaled_tracks(some, model.scaling))[:, frames - lags]
    source, target = on.pairs.numpy()
    effect = effects(on, states, z).double().numpy()[..., changed] * np.array(model.scaling.scale)[changed] / some.dt
    kind = np.broadcast_to(z.numpy()[:, None], effect.shape[:3])
    x, there = np.asarray(some.x, np.float64)[..., places], np.ones(some.shape[:3], bool)
    if some.mask is not None:
        there = some.mask
    apart = wrapped(x[:, :, target] - x[:, :, source], some.periods[places])
    both = there[:, :, source] & there[:, :, target]
    seen = both[:, frames] & both[:, frames + 1]
    now, later = apart[:, frames][seen], apart[:, frames + 1][seen]
    return law_of(now, later, effect[seen], kind[seen], result.type_names, "velocity" if moving else "position")


def true_law(source: str) -> tuple[Force, ...] | None:
    """Returns the force of each true edge type along the line between two entities, for data of `simulate`.

    For other data, and for systems without such a force, the result is None.
    """
    system = SYSTEMS.get(source.removeprefix("simulate ")) if source.startswith("simulate ") else None
    if system is None or system.force is None:
        return None
    return tuple(partial(system.force, k) for k in range(system.edge_types))
