"""How well a model states the uncertainty of its forecasts, beside baselines that state theirs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.core.spread import SAMPLES, widened
from bouncegrad.data.angles import wrapped
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.forecasts import ensembles, in_units, of_tasks, start_of
from bouncegrad.models.model import Model
from bouncegrad.models.protocols import MODEL, Plan
from bouncegrad.results.crps import crps_of_samples
from bouncegrad.results.metrics import error_at
from bouncegrad.results.noisy_baselines import autoregression, random_walk
from bouncegrad.results.result import Result

TASKS = 50  # scored at most, since sampling takes long
MESSAGES = 2**23  # of the samples; with many entities fewer tasks are scored
RANDOM_WALK, AUTOREGRESSION = "random walk", "linear autoregression"


class Scores(NamedTuple):
    """By horizon: the share of true values inside the interval of 90 %, and the mean CRPS in published units."""

    inside: Float[np.ndarray, " S"]
    crps: Float[np.ndarray, " S"]


def forecast_scores(model: Model, data: Trajectories, planned: Plan, result: Result) -> dict[str, Scores]:
    """Returns the scores of the model and of the baselines; empty unless one forecast starts at the end of the context.

    Args:
        model: the trained model.
        data: tasks; at most 50 of them count, evenly spaced, and fewer if they have many entities.
        planned: the plan of the protocol.
        result: structures inferred from `planned.context` frames.
    """
    start, steps = planned.context - 1, planned.steps
    if planned.starts != (start,) or steps < 1 or model.forecaster is None:
        return {}
    of_each = SAMPLES * steps * model.forecaster.substeps * data.shape[2] * (data.shape[2] - 1)
    count = min(TASKS, len(data.tasks), max(1, MESSAGES // of_each))
    which = np.unique(np.linspace(0, len(data.tasks) - 1, count).round().astype(int)).tolist()
    some = model.adopted(data).select(which).frames(0, start + 1 + steps).require_finite()
    truth = np.asarray(some.x[:, start + 1 :], np.float64)
    counts = np.ones(truth.shape[:3], bool)
    if some.mask is not None:
        counts = some.mask[:, start + 1 :] & some.mask[:, start, None]
    factors = model.scaling.published()
    scores = {MODEL: _scores_of_model(model, some.frames(0, start + 1), truth, counts, of_tasks(result, which))}
    for name, baseline in ((RANDOM_WALK, random_walk), (AUTOREGRESSION, autoregression)):
        found = baseline(some, steps, start)
        near = found.mean + wrapped(truth - found.mean, model.periods)
        scores[name] = _mean_scores(found.covers(near), found.crps(near) * factors, counts)
    return scores


def _scores_of_model(
    model: Model,
    seen: Trajectories,
    truth: Float[np.ndarray, "M S N D"],
    counts: Bool[np.ndarray, "M S N"],
    result: Result,
) -> Scores:
    begin = start_of(model, seen, result)
    inside, crps, done = [], [], 0
    for part in ensembles(model, begin, truth.shape[1], result):
        rows = slice(done, done + len(part.x))
        done = rows.stop
        here = begin._replace(last=begin.last[rows], origin=begin.origin[rows])
        widening = begin.forecaster.widening
        point = in_units(model, here, part.x)[:, 0]
        # The truth in the units of the modules, the shorter way from the point forecast.
        moved = wrapped(truth[rows] - point, model.periods) / np.array(model.scaling.scale)
        near = part.x[:, 0].double().cpu().numpy() + moved
        ends = widened(part.futures(), widening)
        low, high = (end[:, 0].double().cpu().numpy() for end in (ends.low, ends.high))
        inside.append((low <= near) & (near <= high))
        values = crps_of_samples(part.widened(widening).ranked[:, :, 0].double().cpu().numpy(), near)
        crps.append(values * np.array(model.scaling.scale) * model.scaling.published())
    return _mean_scores(np.concatenate(inside).astype(float), np.concatenate(crps), counts)


def _mean_scores(
    inside: Float[np.ndarray, "M S N D"], crps: Float[np.ndarray, "M S N D"], counts: Bool[np.ndarray, "M S N"]
) -> Scores:
    """Returns means over what was observed; NaN for a frame in which nothing was."""
    number = counts.sum((0, 2))
    means = (np.where(counts, values.mean(-1), 0.0).sum((0, 2)) for values in (inside, crps))
    return Scores(*(np.where(number > 0, mean / np.maximum(number, 1), np.nan) for mean in means))


def as_numbers(scores: dict[str, Scores], horizons: tuple[int, ...]) -> dict[str, dict[str, float | None]]:
    """Returns the scores at some horizons, ready for JSON."""
    return {
        name: {
            f"{what}_{h}": error_at(values, h)
            for what, values in (("inside", found.inside), ("crps", found.crps))
            for h in horizons
        }
        for name, found in scores.items()
    }
