"""Defines the scaling of states and changes, which is fitted on the training part and stored with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.moments import Moments
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories


@dataclass(frozen=True)
class Scaling:
    """Shift and scale of each feature, and the size of changes and differences; fitted on the training part.

    All fields are `Float[D]`. States are scaled by `(x - shift) / scale`. One-step changes are measured in units of
    `change`, and differences between two entities in the same frame in units of `difference`. `low` and `high` are the
    training minimum and maximum of each feature's group: positions form one group, velocities another, and any other
    feature its own. The published errors are normalised to [-1, 1] with them. Angles are not centred: their scaled
    values are radians. Their `low` and `high` are a full turn apart: `low` is 0 if no angle in the training part is
    negative, else minus half a turn.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    change: tuple[float, ...]
    difference: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

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
        angles = data.periods > 0
        none = np.zeros(data.shape[-1])
        scale, change = np.sqrt(state.variance), np.sqrt(move.variance) if move.count else none
        largest = np.maximum(np.abs(low), np.abs(high))
        for group in feature_groups(data.features):
            low[group], high[group] = low[group].min(), high[group].max()
        if angles.any():
            low = np.where(angles, np.where(low >= 0, 0.0, -data.periods / 2), low)
            high = np.where(angles, low + data.periods, high)
        tiny = 1e-12 * largest  # the rounding error of a constant feature, in any unit
        scale = np.where(angles, data.periods / (2 * np.pi), np.where(scale > tiny, scale, 1.0))
        change = np.where(change > tiny, change, scale)
        apart = np.sqrt(2 * within.mean) if within.count else none
        difference = np.where((apart > tiny) & ~angles, apart, scale)
        shift = np.where(angles, 0.0, state.mean)
        return cls(*(tuple(map(float, v)) for v in (shift, scale, change, difference, low, high)))

    def published(self) -> Float[np.ndarray, " D"]:
        """Returns factors that convert differences in user units to the published normalisation, `2 / (high - low)`."""
        width = np.subtract(self.high, self.low)
        return 2.0 / np.where(width > 0, width, 2.0)


def feature_groups(features: Sequence[str]) -> list[list[int]]:
    """Returns groups of features with a common range, as indices: x, y, z; vx, vy, vz; each other feature alone."""
    position = [i for i, name in enumerate(features) if name in POSITIONS]
    velocity = [i for i, name in enumerate(features) if name in VELOCITIES]
    alone = [[i] for i in range(len(features)) if i not in position + velocity]
    return [group for group in (position, velocity, *alone) if group]
