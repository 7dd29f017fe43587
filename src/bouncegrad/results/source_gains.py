"""How much worse a target is predicted without one source, frame by frame; the frames are left out of the fits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bouncegrad.results.blocks import LARGEST_GAIN, losses
from bouncegrad.results.frame_pairs import Pairs, Regressors, design, sizes
from bouncegrad.results.regressor_choice import folds_of
from bouncegrad.results.ridge import fit


def fold_gains(pairs: Pairs, which: Regressors) -> Float[np.ndarray, "rows source target"]:
    """Returns the loss without a source minus the loss with it, where each fold is left out in turn.

    Gains are summed over the target's features.
    """
    n = pairs.change.shape[1]
    found = np.zeros((len(pairs), n, n))
    for target in range(n):
        (x, groups), y = design(pairs, target, which), pairs.change[:, target]
        sources = np.delete(np.arange(n), target)
        for train, held in folds_of(pairs):
            fitted = fit(x[train], y[train], sizes(which, x.shape[1], groups))
            refits = fitted.without(x[held], groups)
            full = losses(y[held] - fitted.predict(x[held]), fitted.variance, pairs.unit)
            less = losses(y[held] - refits.predictions, refits.variance[:, None], pairs.unit)
            found[held[:, None], sources, target] = _summed(less - full).T
    return found


def single_gains(
    pairs: Pairs, which: Regressors
) -> tuple[Float[np.ndarray, "rows source target"], Float[np.ndarray, "source target"]]:
    """Returns the same gains where each frame is left out in turn, and the score of every pair from all frames."""
    n = pairs.change.shape[1]
    found, score = np.zeros((len(pairs), n, n)), np.zeros((n, n))
    for target in range(n):
        x, groups = design(pairs, target, which)
        sources = np.delete(np.arange(n), target)
        fitted = fit(x, pairs.change[:, target], sizes(which, x.shape[1], groups))
        refits = fitted.without(x[:0], groups)
        full = losses(fitted.left_out, fitted.variance, pairs.unit)
        less = losses(refits.left_out, refits.variance[:, None], pairs.unit)
        found[:, sources, target] = _summed(less - full).T
        score[sources, target] = refits.size.max(1)
    return found, score


def _summed(gain: Float[np.ndarray, "S rows D"]) -> Float[np.ndarray, "S rows"]:
    """Returns gains summed over features, after each is cut."""
    return np.asarray(np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN).sum(-1))
