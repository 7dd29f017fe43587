"""Does a source save more than the same source at another time?

Where entities swing at nearly the same pace, or drift, any of them helps to predict any other one: it stands in for the
phase, or for time. Then the same track helps about as much if it is rolled in time. So an edge is believed only as far
as the source saves more than its best rolled copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from bouncegrad.results.blocks import LARGEST_GAIN, blocks_of, log_ratio
from bouncegrad.results.forward import Moments, forward
from bouncegrad.results.source_gains import Fold, Gains, Law, Search
from bouncegrad.results.terms import terms_of

SHIFTS = (0.25, 0.5, 0.75)  # shares of the rows by which a track is rolled


def over_shifts(search: Search, found: Sequence[Gains]) -> Float[np.ndarray, "N N"]:
    """Returns log-likelihood ratios of the gain over that of the best rolled copy; infinite where none was tried.

    Args:
        search: the rows and terms.
        found: what sources save, for each target.
    """
    n = len(found)
    ratio = np.full((n, n), np.inf)
    for source in range(n):
        laws = {target: of.laws[0] for target, of in enumerate(found) if source in of.rows}
        for target, copies in rolled_gains(search, source, laws).items():
            best = copies[copies.mean(1).argmax()]
            if best.mean() > 0:
                more = found[target].rows[source] - best
                ratio[source, target] = log_ratio(more[:, None], blocks_of(len(more)))[1][0]
    return ratio


def rolled_gains(search: Search, source: int, laws: dict[int, Law]) -> dict[int, Float[np.ndarray, "shifts rows"]]:
    """Returns what rolled copies of a source save targets, frame by frame.

    Args:
        search: the rows and terms.
        source: the entity whose track is rolled.
        laws: of the targets.
    """
    pairs, d = search.pairs, search.pairs.change.shape[2]
    found = {target: np.zeros((len(SHIFTS), len(pairs))) for target in laws}
    allowed = {target: search.allowed(target, law.form) for target, law in laws.items()}
    needed = np.any([np.logical_or(*of) for of in allowed.values()], 0)
    for i, share in enumerate(SHIFTS if laws else ()):
        states = pairs.states.copy()
        states[:, :, source] = np.roll(states[:, :, source], round(share * len(pairs)), axis=0)
        values = terms_of(replace(pairs, states=states), search.past).values[:, needed]
        for number, (train, held) in enumerate(search.rows):
            fold = Fold(Moments.of(values[train], search.changes[train]), held, values[held])
            for target, law in laws.items():
                own, may = (of[needed] for of in allowed[target])
                for feature, steps in enumerate(law.steps):
                    path = forward(fold.moments, target * d + feature, own, may, int(steps))
                    copy = search.held_out(fold, target * d + feature, path)[1][:, -1]
                    gain = search.without(target, law, feature, source, number) - copy
                    found[target][i, held] += np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN)
    return found
