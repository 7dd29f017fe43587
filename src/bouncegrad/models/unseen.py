"""Unseen entities: a trained model finds entities that were not recorded in new tasks, and their number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import as_graph
from bouncegrad.core.unseen import Explanation, UnseenEffort, find_unseen
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.forecasts import Start, around, predict, roll_out
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import forecast_error
from bouncegrad.results.result import Result
from bouncegrad.results.unseen import Unseen
from bouncegrad.settings.build import build_coupling

HELD_OUT, SHORTEST = 10, 20  # held-out frames that determine how many are missing; frames that are needed to find them
MOST = 3  # unseen entities; searches for more have never succeeded
EFFORT = UnseenEffort()


def unseen(
    model: Model,
    data: Trajectories,
    count: int | None = 1,
    context: int | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Unseen:
    """Returns the tracks of entities that were not recorded, and the edges of all entities.

    Args:
        model: a model without lags, candidate pairs, angles and kinds.
        data: new tasks, in which some entities are missing.
        count: how many are missing; None: the number, 0 to 2, with the best forecast of the last frames of the visible
            entities.
        context: frames that are read; None: all.
        report: called with the share of the present search that is done.

    Raises:
        InputError: the model cannot do it, or there are too few frames to determine how many entities are missing.
    """
    if model.config.lags or model.config.candidates is not None:
        raise InputError("unseen entities: a model with --lags or --candidates cannot find them; train without")
    if model.angles:
        raise InputError("unseen entities: a model of angles cannot find them; give sines and cosines as features")
    if model.kinds:
        raise InputError("unseen entities: a model of kinds of entities cannot find them; train without --kinds")
    if count is not None and not 1 <= count <= MOST:
        raise InputError(f"option count: {count} cannot be used; give 1 to {MOST}, or leave it out")
    seen = model.seen(data, context).require_complete()
    errors: dict[int, float] = {}
    if count is None:
        if seen.shape[1] < HELD_OUT + SHORTEST:
            raise InputError(
                f"option count: finding how many are unseen holds out {HELD_OUT} frames, which leaves "
                f"{max(seen.shape[1] - HELD_OUT, 0)} of {seen.shape[1]}; give the number, or longer recordings"
            )
        errors = {assumed: held_out_error(model, seen, assumed, report) for assumed in (0, 1, 2)}
        count = min(errors, key=lambda assumed: errors[assumed])
    return explained(model, seen, count, errors, report)


def explained(
    model: Model, seen: Trajectories, count: int, errors: dict[int, float], report: Callable[[float], None]
) -> Unseen:
    """Returns the result for this number of unseen entities; if it is 0, only the edges of the visible ones."""
    if count == 0:
        no_tracks = np.zeros((len(seen.tasks), seen.shape[1], 0, seen.shape[3]))
        all_true = np.ones(len(seen.tasks), dtype=bool)
        return Unseen(no_tracks, all_true, np.zeros(len(seen.tasks)), model.infer(seen), errors, *about(seen))
    found, names = explanation(model, seen, count, report), unseen_names(seen, count)
    tracks = found.tracks.double().numpy() * np.array(model.scaling.scale) + np.array(model.scaling.shift)
    tracks = around(model, tracks)
    determined, apart = found.determined.numpy(), found.apart.double().numpy()
    return Unseen(tracks, determined, apart, edges_of(model, seen, found, names), errors, *about(seen))


def about(seen: Trajectories) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """Returns the time step, the features and the units."""
    return float(seen.dt), seen.features, seen.units


def explanation(model: Model, seen: Trajectories, count: int, report: Callable[[float], None]) -> Explanation:
    """Searches for this number of unseen entities, and returns their tracks and all edges in scaled units."""
    coupling = build_coupling(model.config, seen.shape[2] + count)
    tracks, seed = scaled_tracks(seen, model.scaling), model.config.seed
    composition = as_graph(model.composition, "unseen entities")
    return find_unseen(composition, tracks, count, seed, coupling, EFFORT, report)


def edges_of(model: Model, seen: Trajectories, found: Explanation, names: tuple[str, ...]) -> Result:
    """Returns the edges among all entities; the unseen ones come last."""
    n = seen.shape[2] + len(names)
    source, target = model.composition.on(n).pairs.numpy()
    probability = np.zeros((len(seen.tasks), n, n, model.config.edge_types))
    probability[..., 0] = 1 - np.eye(n)
    probability[:, source, target] = found.probability.numpy()
    return Result.from_probability(
        probability,
        found.loss.double().numpy(),
        seen.shape[1],
        tasks=seen.tasks,
        entities=(*seen.entities, *names),
        priors=model.config.priors,
        source=f"unseen entities of {seen.source}",
    )


def unseen_names(seen: Trajectories, count: int) -> tuple[str, ...]:
    """Returns `unseen`, or `unseen 1`, `unseen 2`; a mark ' is added if an entity has this name already."""
    names = ["unseen"] if count == 1 else [f"unseen {i + 1}" for i in range(count)]
    while set(names) & set(seen.entities):
        names = [f"{name}'" for name in names]
    return tuple(names)


def held_out_error(model: Model, seen: Trajectories, assumed: int, report: Callable[[float], None]) -> float:
    """Returns the mean squared error of visible entities in the last 10 frames, forecast from the frames before."""
    start = seen.shape[1] - HELD_OUT
    past, truth = seen.frames(0, start), seen.x[:, start:]
    if assumed == 0:
        path = predict(model, past, HELD_OUT)
    else:
        path = forecast_visible(model, past, explanation(model, past, assumed, report))
    errors = forecast_error(truth, path, model.scaling.published(), periods=model.periods)
    assert errors is not None
    return float(errors.mean())


def forecast_visible(model: Model, past: Trajectories, found: Explanation) -> Float[np.ndarray, "M steps V D"]:
    """Returns a forecast of the visible entities after these frames; the unseen ones are forecast with them."""
    visible = past.shape[2]
    last = torch.cat([scaled_tracks(past, model.scaling)[:, -1:], found.tracks[:, -1:]], 2)
    forecaster = model.require_forecaster().on(last.shape[2])
    origin = last.double().numpy() * np.array(model.scaling.scale) + np.array(model.scaling.shift)
    start = Start(forecaster, last, last, origin, found.probability.argmax(-1))
    return roll_out(model, start, HELD_OUT)[:, 0, :, :visible]
