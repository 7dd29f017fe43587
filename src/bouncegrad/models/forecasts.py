"""Forecasts and counterfactuals of a trained model, in the user's units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.confined import FREE, Region
from bouncegrad.core.compositions.forecaster import Forecaster, as_graph
from bouncegrad.core.marks import unmarked, with_marks
from bouncegrad.core.spread import SAMPLES, Ensemble, ensemble, widened
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.angles import from_start
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.model import Model
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.result import Result

NUMBERS_AT_ONCE = 2**22  # numbers in the tracks that are rolled out together, sampled futures included; bounds memory
LONGEST = 100_000  # steps of a forecast, a limit against lengths that no memory holds


class Start(NamedTuple):
    """Where forecasts start: C states of each task.

    Args:
        forecaster: modules on the entities of these recordings.
        states: the states, history included.
        last: the features of the states, scaled.
        origin: the features of the states, in the user's units.
        z: the structure of each task.
    """

    forecaster: Forecaster
    states: Float[Tensor, "M C N D+H"]
    last: Float[Tensor, "M C N D"]
    origin: Float[np.ndarray, "M C N D"]
    z: Int[Tensor, "M E"]


def predict(
    model: Model, data: Trajectories, steps: int, context: int | None = None, result: Result | None = None
) -> Float[np.ndarray, "M steps N D"]:
    """Returns free-running point forecasts of the `steps` frames after the context, in the user's units.

    Args:
        model: the trained model.
        data: new tasks; frames after the context are not read.
        steps: how many frames to forecast, from 1.
        context: number of frames that the structure is inferred from; None: all.
        result: the result of inference for these tasks, if there is one, so that it is not repeated.
    """
    seen = model.seen(data, context)
    return roll_out(model, start_of(model, seen, result or model.infer(data, context)), steps)[:, 0]


def forecast(
    model: Model, data: Trajectories, steps: int, context: int | None = None, result: Result | None = None
) -> Forecast:
    """Returns point forecasts, and the values between which 90 % of the futures lie.

    Futures are sampled. Structures are drawn with the probabilities that inference finds. In every frame a change is
    drawn with the variance that the modules predict. The spread of each feature is then widened at each horizon by the
    factor that training tracks needed. Arguments are those of `predict`.
    """
    seen = model.seen(data, context)
    return sample_futures(model, seen, steps, result or model.infer(data, context))


def without(
    model: Model,
    data: Trajectories,
    entity: str,
    steps: int,
    context: int | None = None,
    result: Result | None = None,
) -> Counterfactual:
    """Returns the `steps` frames after the context with all entities, and as they would be without one of them.

    The entity is removed from the state, so its edges send nothing. The edges among the other entities are those that
    were inferred with it. Other arguments are those of `predict`.

    Args:
        entity: the name of the entity to remove.

    Raises:
        InputError: no entity has this name, or fewer than two would be left.
    """
    seen = model.seen(data, context)
    return take_out(model, seen, entity, steps, result or model.infer(data, context))


def of_tasks(result: Result, tasks: Sequence[int]) -> Result:
    """Returns the result of some tasks, given by their numbers."""
    which = list(tasks)
    names = tuple(result.tasks[task] for task in which)
    edges, probability, loss = result.edges[which], result.probability[which], result.loss[which]
    return replace(result, edges=edges, probability=probability, loss=loss, tasks=names)


def start_of(model: Model, seen: Trajectories, result: Result) -> Start:
    """Returns the start at the last frame of the context `seen`."""
    return starts_of(model, seen, seen, (seen.shape[1] - 1,), result)


def starts_of(model: Model, seen: Trajectories, data: Trajectories, frames: Sequence[int], result: Result) -> Start:
    """Returns starts at some frames of the recordings.

    An entity that was not observed at a start has NaN as its forecast.

    Args:
        model: the trained model.
        seen: the context frames; candidate pairs are found in them.
        data: the recordings.
        frames: indices of the frames in `data`, each at least as large as the number of lags.
        result: the inferred edges.
    """
    on = as_graph(model.on(seen), "forecasts")
    region = region_of(model.scaling, model.periods)
    forecaster = model.require_forecaster().on(on.entities, on.pairs, on.kinds).within(region)
    origin = np.asarray(data.x[:, list(frames)], np.float64)
    if data.mask is None or data.mask.all():
        needed = torch.tensor(frames)[:, None] + torch.arange(-model.config.lags, 1)
        tracks = scaled_tracks(data, model.scaling)[:, needed]
    else:  # gaps are filled from both sides, so each start is made without the frames after it
        cut = [scaled_tracks(data.frames(0, t + 1), model.scaling)[:, t - model.config.lags :] for t in frames]
        tracks = torch.stack([with_marks(part, on.features) for part in cut], 1)
        origin = np.where(data.mask[:, list(frames), :, None], origin, np.nan)
    states = forecaster.graph.with_history(tracks)[:, :, 0]
    z = adjacency_to_structure(torch.as_tensor(result.edges), on.pairs)
    return Start(forecaster, states, unmarked(tracks[:, :, -1], on.features), origin, z)


def region_of(scaling: Scaling, periods: Float[np.ndarray, " D"]) -> Region:
    """Returns the range of the training part in scaled units; features that wrap have no bounds."""
    low, high = ((np.array(bound) - scaling.shift) / scaling.scale for bound in (scaling.low, scaling.high))
    wraps = np.asarray(periods) > 0
    bounds = np.where(wraps, -np.inf, low), np.where(wraps, np.inf, high)
    return Region(*(torch.as_tensor(bound, dtype=torch.get_default_dtype()) for bound in bounds))


def frames_inside(model: Model, path: Float[np.ndarray, "M steps N D"]) -> int | None:
    """Returns the number of frames until the first state is clearly outside of what training saw; None: none is.

    That is a quarter of the range, or less where there are walls: twice the room that forecasts have behind them.

    Args:
        model: that the forecast comes from.
        path: forecast states, in the user's units.
    """
    low, high = np.array(model.scaling.low), np.array(model.scaling.high)
    room = FREE if model.forecaster is None else model.forecaster.room.double().cpu().numpy()
    free = np.where(np.asarray(model.periods) > 0, np.inf, np.minimum(2 * room, FREE) * (high - low))
    outside = ((path < low - free) | (path > high + free)).any((0, 2, 3))
    return int(outside.argmax()) if outside.any() else None


def roll_out(model: Model, start: Start, steps: int) -> Float[np.ndarray, "M C steps N D"]:
    """Returns point forecasts of the frames after each start, in the user's units."""
    require_steps(steps)
    at_once = max(1, NUMBERS_AT_ONCE // (steps * start.states[0].numel()))
    parts = zip(start.states.split(at_once), start.z.split(at_once), strict=True)
    with torch.no_grad():
        path = torch.cat([start.forecaster.forecast(x, z, steps) for x, z in parts])
    return around(model, in_units(model, start, path))


def sample_futures(model: Model, seen: Trajectories, steps: int, result: Result) -> Forecast:
    """Returns the forecast of `forecast` for the context frames `seen`.

    Structures are drawn with the probabilities in `result`.
    """
    require_steps(steps)
    start = start_of(model, seen, result)
    widening = start.forecaster.widening
    found = [widened(part.futures(), widening) for part in ensembles(model, start, steps, result)]
    x, low, high = (in_units(model, start, torch.cat(fields))[:, 0] for fields in zip(*found, strict=True))
    point = around(model, x)
    return Forecast.of(seen, point, point + (low - x), point + (high - x))


def ensembles(model: Model, start: Start, steps: int, result: Result) -> Iterator[Ensemble]:
    """Yields point forecasts and samples of some tasks after the other, in their order."""
    source, target = start.forecaster.graph.pairs.cpu().numpy()
    until = torch.as_tensor(result.probability[:, source, target].cumsum(-1)[..., :-1])
    generator = torch.Generator(start.z.device).manual_seed(model.config.seed)
    drawn = torch.rand(SAMPLES, 1, start.z.shape[1], 1, generator=generator, dtype=torch.float64)
    state = generator.get_state()
    at_once = max(1, NUMBERS_AT_ONCE // (SAMPLES * steps * start.states[0].numel()))
    for part in torch.arange(len(start.z)).split(at_once):
        generator.set_state(state)
        z = (drawn > until[part]).sum(-1)
        yield ensemble(start.forecaster, start.states[part], z, start.z[part], steps, generator)


def take_out(model: Model, seen: Trajectories, entity: str, steps: int, result: Result) -> Counterfactual:
    """Returns the counterfactual of `without` for the context frames `seen`."""
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
        start.forecaster.on(len(stay), pairs - (pairs > number).long(), [graph.kinds[i] for i in stay]),
        start.states[:, :, stay],
        start.last[:, :, stay],
        start.origin[:, :, stay],
        start.z[:, among],
    )
    return Counterfactual(
        roll_out(model, start, steps)[:, 0][:, :, stay],
        roll_out(model, others, steps)[:, 0],
        last=others.origin[:, 0],
        removed=entity,
        removed_number=number,
        removed_last=start.origin[:, 0, number],
        context=seen.shape[1],
        dt=float(seen.dt),
        scale=model.scaling.scale,
        periods=tuple(map(float, model.periods)),
        features=seen.features,
        entities=tuple(seen.entities[i] for i in stay),
        tasks=seen.tasks,
    )


def in_units(model: Model, start: Start, path: Float[Tensor, "M C S N D"]) -> Float[np.ndarray, "M C S N D"]:
    """Returns scaled tracks in the user's units.

    The change since the start is added to the start in double precision. So small motions far from the origin of the
    coordinates keep their digits.
    """
    moved = (path.double() - start.last[:, :, None].double()).cpu().numpy() * np.array(model.scaling.scale)
    return start.origin[:, :, None] + moved


def around(model: Model, x: Float[np.ndarray, "*S D"]) -> Float[np.ndarray, "*S D"]:
    """Returns the same tracks with angles and periodic positions in the range of training: one turn, or the box."""
    return from_start(x, model.periods, np.array(model.scaling.low))


def require_steps(steps: int) -> None:
    """Refuses forecasts of no steps, or of too many for memory.

    Raises:
        InputError: names the number of steps.
    """
    if not 1 <= steps <= LONGEST:
        raise InputError(f"a forecast of {steps} steps; give 1 to {LONGEST:,}")
