"""Chooses what is in a regression by its loss on folds of successive frames that were left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.results.blocks import gap_of, losses
from bouncegrad.results.frame_pairs import LAGS, Pairs, Regressors, design, sizes
from bouncegrad.results.ridge import fit

FOLDS = 5
LEAST_PER_COLUMN = 3  # pairs of frames for each regressor, beyond the simplest fit
# One after the other; each keeps the best of those before it. Trends are chosen without sources, since sources with
# trends would stand in for time.
TRIED: tuple[dict[str, Any], ...] = (*({"degree": d} for d in (2, 3)), *({"lags": lags} for lags in LAGS[1:]))
TRIED_WITHOUT_SOURCES = (*TRIED, {"trend": 1}, {"trend": 2})
TRIED_WITH_SOURCES = (*TRIED, {"products": True}, {"size": 0.1}, {"size": 0.01})


def chosen(pairs: Pairs, *, sources: bool, trend: int = 0) -> tuple[Regressors, Float[np.ndarray, "rows N D"]]:
    """Returns the regressors with the least loss, the same ones for all targets, and the loss of every number.

    Args:
        pairs: the rows.
        sources: whether other entities are used.
        trend: degree of the polynomial in time, if they are used.
    """
    best = Regressors(sources=sources, trend=trend)
    found = held_out(pairs, best)
    for other in TRIED_WITH_SOURCES if sources else TRIED_WITHOUT_SOURCES:
        trial = replace(best, **other)
        if trial.lags > pairs.lags or design(pairs, 0, trial)[0].shape[1] * LEAST_PER_COLUMN > len(pairs):
            continue
        loss = held_out(pairs, trial)
        if loss.mean() < found.mean():
            best, found = trial, loss
    return best, found


def held_out(pairs: Pairs, which: Regressors) -> Float[np.ndarray, "rows N D"]:
    """Returns the loss of every number when its fold is left out."""
    found = np.empty_like(pairs.change)
    for target in range(pairs.change.shape[1]):
        (x, groups), y = design(pairs, target, which), pairs.change[:, target]
        for train, held in folds_of(pairs):
            fitted = fit(x[train], y[train], sizes(which, x.shape[1], groups))
            found[held, target] = losses(y[held] - fitted.predict(x[held]), fitted.variance, pairs.unit)
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
