"""Forecasts and counterfactuals of a trained model, in the user's units."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.spread import SAMPLES, futures, widened
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.result import Result

if TYPE_CHECKING:
    from bouncegrad.app.model import Model

NUMBERS_AT_ONCE = 2**22  # of one task's tracks, sampled futures included
LONGEST = 100_000


class Start(NamedTuple):
    """From where tracks go on: modules on the entities of these recordings, states, last frame and structures."""

    forecaster: Forecaster
    states: Float[Tensor, "M 1 N D+H"]
    last: Float[Tensor, "M 1 N D"]
    z: Int[Tensor, "M E"]


def start_of(model: Model, seen: Trajectories, result: Result) -> Start:
    """At the last frame of the context `seen`."""
    on = model.on(seen)
    forecaster = model.forecaster.on(on.entities, on.pairs)
    tracks = scaled_tracks(seen, model.scaling)[:, -1 - model.config.lags :]
    z = adjacency_to_structure(torch.from_numpy(result.edges), on.pairs)
    return Start(forecaster, forecaster.graph.with_history(tracks), tracks[:, -1:], z)


def roll_out(model: Model, seen: Trajectories, steps: int, result: Result) -> Float[np.ndarray, "M steps N D"]:
    """Point forecasts of the frames after the context."""
    return roll_out_from(model, seen, start_of(model, seen, result), steps)


def roll_out_from(model: Model, seen: Trajectories, start: Start, steps: int) -> Float[np.ndarray, "M steps N D"]:
    """The same from a start."""
    require_steps(steps)
    at_once = max(1, NUMBERS_AT_ONCE // (steps * start.states[0].numel()))
    parts = zip(start.states.split(at_once), start.z.split(at_once), strict=True)
    with torch.no_grad():
        path = torch.cat([start.forecaster.rollout(x, z, steps)[:, 0] for x, z in parts])
    return in_units(model, seen, start, path)


def sample_futures(model: Model, seen: Trajectories, steps: int, result: Result) -> Forecast:
    """Point forecasts and the values between which 90 % of the futures lie.

    Structures are drawn as probable as inference has found them.
    """
    require_steps(steps)
    start = start_of(model, seen, result)
    source, target = start.forecaster.graph.pairs.numpy()
    until = torch.from_numpy(result.probability[:, source, target].cumsum(-1)[..., :-1])
    generator = torch.Generator().manual_seed(model.config.seed)
    drawn = torch.rand(SAMPLES, 1, start.z.shape[1], 1, generator=generator, dtype=torch.float64)
    state = generator.get_state()
    at_once = max(1, NUMBERS_AT_ONCE // (SAMPLES * steps * start.states[0].numel()))
    found: list[tuple[Tensor, ...]] = []
    for part in torch.arange(len(start.z)).split(at_once):
        generator.set_state(state)
        z = (drawn > until[part]).sum(-1)
        future = futures(start.forecaster, start.states[part], z, start.z[part], steps, generator)
        found.append(tuple(field[:, 0] for field in widened(future, start.forecaster.widening)))
    x, low, high = (in_units(model, seen, start, torch.cat(fields)) for fields in zip(*found, strict=True))
    return Forecast.of(seen, x, low, high)


def take_out(model: Model, seen: Trajectories, entity: str, steps: int, result: Result) -> Counterfactual:
    """Tracks with all entities and without one."""
    if entity not in seen.entities:
        raise InputError(f"option entity: {seen.source} has no entity {entity!r}; it has {', '.join(seen.entities)}")
    if len(seen.entities) < 3:
        raise InputError(f"option entity: without {entity} one entity is left; give recordings of at least three")
    number = seen.entities.index(entity)
    stay = np.delete(np.arange(len(seen.entities)), number)
    start = start_of(model, seen, result)
    graph = start.forecaster.graph
    among = (graph.pairs != number).all(0)
    pairs = graph.pairs[:, among]
    others = Start(
        start.forecaster.on(len(stay), pairs - (pairs > number).long()),
        start.states[:, :, stay],
        start.last[:, :, stay],
        start.z[:, among],
    )
    left = replace(seen, x=seen.x[:, :, stay], mask=None, edges=None, entities=tuple(seen.entities[i] for i in stay))
    return Counterfactual(
        roll_out_from(model, seen, start, steps)[:, :, stay],
        roll_out_from(model, left, others, steps),
        last=np.asarray(left.x[:, -1], np.float64),
        removed=entity,
        removed_number=number,
        removed_last=np.asarray(seen.x[:, -1, number], np.float64),
        context=seen.shape[1],
        dt=float(seen.dt),
        scale=model.scaling.scale,
        features=seen.features,
        entities=left.entities,
        tasks=seen.tasks,
    )


def in_units(
    model: Model, seen: Trajectories, start: Start, path: Float[Tensor, "M S N D"]
) -> Float[np.ndarray, "M S N D"]:
    """Scaled tracks in the user's units.

    Adding the scaled change to the last frame in double precision keeps small motions of far-away coordinates.
    """
    moved = (path.double() - start.last.double()).numpy() * np.array(model.scaling.scale)
    return np.asarray(seen.x[:, -1:], dtype=np.float64) + moved


def require_steps(steps: int) -> None:
    """Refuses lengths that are none, or that no memory holds."""
    if not 1 <= steps <= LONGEST:
        raise InputError(f"a forecast of {steps} steps; give 1 to {LONGEST:,}")
