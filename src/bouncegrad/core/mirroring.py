"""Mirrored copies: tasks are mirrored or turned at random, separately for every task and visit.

    x' = R (x - c) + c,  v' = R v,      R one of the symmetries of the square (cube, in three dimensions)

If tasks are few and the law has no preferred direction, each task then counts as eight. Positions are mirrored about
their mean, `c`; features that are neither positions nor velocities do not change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES


class Mirrored:
    """Yields batches in which every task is mirrored.

    Args:
        batches: batches of scaled states.
        features: names of the features; x, y, z and vx, vy, vz are mirrored.
        scaling: of the states.
        device: of the states; None: the default device.

    Raises:
        InputError: there are no positions, or their number differs from that of the velocities.
    """

    def __init__(
        self,
        batches: RandomFrames,
        features: Sequence[str],
        scaling: Scaling,
        device: torch.device | str | None = None,
    ) -> None:
        self.batches, self.mirror = batches, Mirror(features, scaling, device)

    def __call__(self, generator: torch.Generator) -> Iterator[Batch]:
        for batch in self.batches(generator):
            yield self.mirror(batch, generator)


class Mirror:
    """Mirrors each task of a batch by a random symmetry; arguments as in `Mirrored`."""

    def __init__(self, features: Sequence[str], scaling: Scaling, device: torch.device | str | None = None) -> None:
        self.matrices, self.shifts = symmetries(features, scaling, device)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Returns the batch with its tasks mirrored."""
        drawn = torch.randint(len(self.matrices), (batch.whole,), generator=generator, device=generator.device)
        which = batch.own(drawn)
        matrix, shift = self.matrices[which], self.shifts[which]
        d = matrix.shape[-1]
        tracks = torch.einsum("btnd,bed->btne", batch.tracks[..., :d], matrix) + shift[:, None, None]
        segments = torch.einsum("bcrnd,bed->bcrne", batch.segments[..., :d], matrix) + shift[:, None, None, None]
        return batch._replace(
            tracks=torch.cat([tracks, batch.tracks[..., d:]], -1),
            segments=torch.cat([segments, batch.segments[..., d:]], -1),
        )


def symmetries(
    features: Sequence[str], scaling: Scaling, device: torch.device | str | None = None
) -> tuple[Float[Tensor, "symmetries D D"], Float[Tensor, "symmetries D"]]:
    """Returns the matrix and the shift of each symmetry, for scaled states as columns."""
    groups = [[features.index(name) for name in names if name in features] for names in (POSITIONS, VELOCITIES)]
    positions, velocities = groups
    if not positions or len(velocities) not in (0, len(positions)):
        raise InputError(
            f"setting mirror: features {', '.join(features)} have no positions x, y (and velocities vx, vy) to mirror; "
            "rename the features, or leave out mirror"
        )
    period = np.array(scaling.period or (0.0,) * len(features))
    d, scale, middle = len(features), np.array(scaling.scale), np.array(scaling.shift)
    still = np.zeros(d)
    still[velocities] = middle[velocities]  # velocities are mirrored about 0, not about their mean
    matrices, shifts = [], []
    for order in itertools.permutations(range(len(positions))):
        if (period[positions] != period[positions][list(order)]).any():
            continue  # a box that is longer along one axis does not look the same when turned
        for signs in itertools.product((1.0, -1.0), repeat=len(positions)):
            raw = np.eye(d)
            for group in groups:
                if group:
                    raw[np.ix_(group, group)] = np.diag(signs)[:, order]
            matrices.append(raw * scale / scale[:, None])
            shifts.append((raw @ still - still) / scale)
    matrix, shift = (torch.tensor(np.array(each), device=device).float() for each in (matrices, shifts))
    return matrix, shift
