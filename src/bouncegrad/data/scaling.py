"""Defines the scaling of states and changes, which is fitted on the training part and stored with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bouncegrad.data.angles import box_sizes, wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.moments import Moments
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories

PARTNERS = 8  # entities that each entity is compared with, at most


@dataclass(frozen=True)
class Scaling:
    """Shift and scale of each feature, and the size of changes and differences; fitted on the training part.

    All fields are `Float[D]`. States are scaled by `(x - shift) / scale`. One-step changes are measured in units of
    `change`, and differences between two entities in the same frame in units of `difference`. `low` and `high` are the
    training minimum and maximum of each feature's group: positions form one group, velocities another, and any other
    feature its own. The published errors are normalised to [-1, 1] with them. Angles are not centred: their scaled
    values are radians. Their `low` and `high` are a full turn apart: `low` is 0 if no angle in the training part is
    negative, else minus half a turn. Periodic positions are scaled in the same way; their `low` is that of `box_start`,
    and their `difference` goes the shorter way. `period` is the size of the box for each of them and 0 for other
    features; it is empty if there are none.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    change: tuple[float, ...]
    difference: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    period: tuple[float, ...] = ()

    @classmethod
    def fit(cls, data: Trajectories) -> Scaling:
        """Returns the scaling of the observed states. A constant feature has scale 1, so nothing is divided by zero.

        Raises:
            InputError: nothing was observed.
        """
        state, move, within = Moments(), Moments(), Moments()
        low, high = np.full(data.shape[-1], np.inf), np.full(data.shape[-1], -np.inf)
        for part in data.blocks():
            x = np.asarray(part.x, dtype=np.float64)
            rows, moves, frames = x, np.diff(x, axis=1), x.reshape(-1, *x.shape[2:])
            if part.mask is not None:
                observed, together = part.mask, part.mask.sum(2) >= 2
                rows, moves = x[observed], moves[observed[:, 1:] & observed[:, :-1]]
                frames = np.where(observed[..., None], x, np.nan)[together]
            rows, moves = rows.reshape(-1, x.shape[-1]), moves.reshape(-1, x.shape[-1])
            state.add(rows)
            move.add(wrapped(moves, data.periods))
            if len(rows):
                low, high = np.minimum(low, rows.min(0)), np.maximum(high, rows.max(0))
            # The difference of two independent entities has twice the variance within a frame.
            if len(frames):
                within.add(frames.var(1) if part.mask is None else np.nanvar(frames, axis=1))
        if not state.count:
            raise InputError(f"{data.source}: the mask leaves no observed state to learn from; correct the mask")
        angles, box = data.periods > 0, box_sizes(data.periodic, data.features, data.source)
        none = np.zeros(data.shape[-1])
        scale, change = np.sqrt(state.variance), np.sqrt(move.variance) if move.count else none
        largest = np.maximum(np.abs(low), np.abs(high))
        start = box_start(low, high, box)
        for group in feature_groups(data.features):
            low[group], high[group] = low[group].min(), high[group].max()
        if angles.any():
            low = np.where(angles, np.where(low >= 0, 0.0, -data.periods / 2), low)
            low = np.where(box > 0, start, low)
            high = np.where(angles, low + data.periods, high)
        tiny = 1e-12 * largest  # the rounding error of a constant feature, in any unit
        scale = np.where(angles, data.periods / (2 * np.pi), np.where(scale > tiny, scale, 1.0))
        change = np.where(change > tiny, change, scale)
        apart = np.sqrt(2 * within.mean) if within.count else none
        difference = np.where((apart > tiny) & ~angles, apart, scale)
        shift = np.where(angles, 0.0, state.mean)
        if data.periodic:
            apart = typical_distances(data)
            difference = np.where((box > 0) & (apart > 0), apart, difference)
        fitted = (shift, scale, change, difference, low, high, *([box] if data.periodic else []))
        return cls(*(tuple(map(float, v)) for v in fitted))

    def published(self) -> Float[np.ndarray, " D"]:
        """Returns factors that convert differences in user units to the published normalisation, `2 / (high - low)`."""
        width = np.subtract(self.high, self.low)
        return 2.0 / np.where(width > 0, width, 2.0)


def box_start(
    low: Float[np.ndarray, " D"], high: Float[np.ndarray, " D"], size: Float[np.ndarray, " D"]
) -> Float[np.ndarray, " D"]:
    """Returns where the periodic box begins along each feature, by the lowest and highest position.

    It is 0 or minus half of its size if all positions lie in such a box. Otherwise it is the lowest position, or 0 if
    positions go on over the walls.

    Example:
        >>> box_start(np.array([0.1, -1.9, 11.0, 0.5]), np.array([3.9, 1.9, 14.0, 9.0]), np.full(4, 4.0)).tolist()
        [0.0, -2.0, 11.0, 0.0]
    """
    inside = (low >= 0) & (high <= size)
    about = (low >= -size / 2) & (high <= size / 2)
    return np.where(inside | (high - low > size), 0.0, np.where(about, -size / 2, low))


def typical_distances(data: Trajectories) -> Float[np.ndarray, " D"]:
    """Returns the root mean square of the differences between two entities in a frame, taken the shorter way.

    Each entity is compared with a few others, since all pairs would cost N² times the frames.
    """
    n = data.shape[2]
    total, count = np.zeros(data.shape[3]), 0
    for part in data.blocks():
        x = np.asarray(part.x, np.float64)
        seen = np.ones(x.shape[:3], bool) if part.mask is None else part.mask
        for step in np.unique(np.linspace(1, n // 2, PARTNERS).astype(int)):
            both = seen & np.roll(seen, step, axis=2)
            apart = wrapped(x - np.roll(x, step, axis=2), data.periods)[both]
            total, count = total + np.square(apart).sum(0), count + len(apart)
    return np.sqrt(total / max(count, 1))


def feature_groups(features: Sequence[str]) -> list[list[int]]:
    """Returns groups of features with a common range, as indices: x, y, z; vx, vy, vz; each other feature alone."""
    position = [i for i, name in enumerate(features) if name in POSITIONS]
    velocity = [i for i, name in enumerate(features) if name in VELOCITIES]
    alone = [[i] for i in range(len(features)) if i not in position + velocity]
    return [group for group in (position, velocity, *alone) if group]
