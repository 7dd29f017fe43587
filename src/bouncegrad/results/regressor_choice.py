"""Chooses what predicts entities from themselves alone, by its loss on folds of frames that were left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.results.blocks import RESOLUTION, gap_of, losses
from bouncegrad.results.frame_pairs import LAGS, OwnPast, Pairs, own_columns
from bouncegrad.results.ridge import fit

FOLDS = 5
FEW_LAGS = 4  # with more, the past of a track that is seen without noise stands in for all that acts on it
LEAST_PER_COLUMN = 3  # pairs of frames for each regressor, beyond the simplest fit
# One after the other; each keeps the best of those before it.
TRIED: tuple[dict[str, Any], ...] = (
    *({"degree": degree} for degree in (2, 3)),
    *({"lags": lags} for lags in LAGS[1:]),
    *({"trend": trend} for trend in (1, 2)),
)


def chosen(pairs: Pairs, resolution: float = RESOLUTION) -> tuple[OwnPast, Float[np.ndarray, "rows N D"]]:
    """Returns the own past with the least loss, the same one for all targets, and the loss of every number."""
    best = OwnPast()
    found = held_out(pairs, best, resolution)
    for other in TRIED:
        trial = replace(best, **other)
        if trial.lags > FEW_LAGS and found.mean() < 0:  # errors are small: there is no noise to average
            continue
        if trial.lags > pairs.lags or own_columns(pairs, 0, trial).shape[1] * LEAST_PER_COLUMN > len(pairs):
            continue
        loss = held_out(pairs, trial, resolution)
        if loss.mean() < found.mean():
            best, found = trial, loss
    return best, found


def held_out(pairs: Pairs, which: OwnPast, resolution: float = RESOLUTION) -> Float[np.ndarray, "rows N D"]:
    """Returns the loss of every number when its fold is left out."""
    found = np.empty_like(pairs.change)
    for target in range(pairs.change.shape[1]):
        x, y = own_columns(pairs, target, which), pairs.change[:, target]
        for train, held in folds_of(pairs):
            fitted = fit(x[train], y[train])
            error = y[held] - fitted.predict(x[held])
            found[held, target] = losses(error, fitted.variance, pairs.unit, resolution)
    return found


def folds_of(pairs: Pairs) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held"]]]:
    """Returns the rows to train on and those to judge on, five times, with a gap between them."""
    gap = gap_of(pairs.frames) + pairs.lags
    time = pairs.at[:, 0] * (pairs.frames + gap) + pairs.at[:, 1]  # no gap is needed across borders of recordings
    found = []
    for held in np.array_split(np.arange(len(time)), FOLDS):
        apart = (time < time[held[0]] - gap) | (time > time[held[-1]] + gap)
        found.append((np.flatnonzero(apart), held))
    return found
