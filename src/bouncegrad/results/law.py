"""The learned law of each edge type: the effect of its edges on their targets, as a function of distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

Force: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A force along the line from source to target as a function of distance; positive values push the target away."""

BINS = 20  # enough for the shape of a law, few enough for a stable median in each
FEWEST = 10  # smallest number of visits in a bin; with fewer, quartiles mean little
MOVED = 0.5  # share of the distance; if the offset changes more within one frame, the visit has no single distance
QUARTILES = (0.25, 0.5, 0.75)


class Law(NamedTuple):
    """Effect of edges along and across the line from source to target, in bins of distance.

    A visit is one edge in one frame. All bins of a type have the same number of visits.

    Args:
        distance: median distance of each bin, `Float[K, bins]`, in the user's units; NaN if a type has too few visits.
        along: quartiles of the effect along the line, `Float[K, 3, bins]`; positive values push the target away.
        across: quartiles of the effect across the line, same shape. In two dimensions, positive values point to the
            left as seen from the source. In three dimensions, it is the size of the effect.
        visits: number of visits of each type that are used, `Int[K]`.
        fast: share of all visits that are left out because the distance changes much within one frame.
        type_names: K names.
        what: the feature that changes, "velocity" or "position".
    """

    distance: Float[np.ndarray, "K bins"]
    along: Float[np.ndarray, "K 3 bins"]
    across: Float[np.ndarray, "K 3 bins"]
    visits: Int[np.ndarray, " K"]
    fast: float
    type_names: tuple[str, ...]
    what: str = "velocity"

    @property
    def types(self) -> list[int]:
        """Types with enough visits."""
        return [k for k in range(len(self.visits)) if np.isfinite(self.distance[k]).any()]

    def ordered(self, order: Sequence[int], names: Sequence[str]) -> Law:
        """Returns the law with its types in another order and with other names."""
        rows = list(order)
        distance, along, across, visits = (part[rows] for part in self[:4])
        return Law(distance, along, across, visits, self.fast, tuple(names), self.what)

    def correlation(self, k: int, force: Force) -> float:
        """Returns the correlation of the learned effect along the line with a true force, over the bins of type k.

        If one of them is constant, the correlation is NaN.
        """
        seen = np.isfinite(self.distance[k])
        learned, true = self.along[k, 1, seen], force(self.distance[k, seen])
        return float(np.corrcoef(learned, true)[0, 1]) if np.ptp(true) > 0 and np.ptp(learned) > 0 else float("nan")


def law_of(
    offset: Float[np.ndarray, "R P"],
    later: Float[np.ndarray, "R P"],
    effect: Float[np.ndarray, "R P"],
    kind: Int[np.ndarray, " R"],
    type_names: Sequence[str],
    what: str = "velocity",
) -> Law:
    """Computes the law from R visits of edges.

    A visit is left out if the offset changes by more than half of the distance within one frame, since it then has no
    single distance.

    Args:
        offset: position of the target minus that of the source, in P = 2 or 3 dimensions.
        later: the same offset one frame later.
        effect: effect of the edge on the target, along the same axes.
        kind: type of each edge.
        type_names: K names.
        what: the feature that changes, "velocity" or "position".
    """
    distance = np.linalg.norm(offset, axis=1)
    slow = (np.linalg.norm(later - offset, axis=1) <= MOVED * distance) & (distance > 0)
    offset, effect, kind, distance = offset[slow], effect[slow], kind[slow], distance[slow]
    line = offset / distance[:, None]
    along = (effect * line).sum(1)
    if offset.shape[1] == 2:
        across = line[:, 0] * effect[:, 1] - line[:, 1] * effect[:, 0]
    else:
        across = np.linalg.norm(effect - along[:, None] * line, axis=1)
    k = len(type_names)
    middle = np.full((k, BINS), np.nan)
    found = np.full((2, k, len(QUARTILES), BINS), np.nan)
    for number in range(k):
        rows = np.flatnonzero(kind == number)
        if len(rows) < FEWEST * BINS:
            continue
        for i, part in enumerate(np.array_split(rows[np.argsort(distance[rows], kind="stable")], BINS)):
            middle[number, i] = np.median(distance[part])
            for values, into in zip((along, across), found, strict=True):
                into[number, :, i] = np.quantile(values[part], QUARTILES)
    fast = 1 - float(slow.mean()) if len(slow) else 0.0
    return Law(middle, found[0], found[1], np.bincount(kind, minlength=k), fast, tuple(type_names), what)
