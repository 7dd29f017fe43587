"""Checks that modules can learn from recordings; each check refuses with one line and a remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.observed import location
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.suspicions import codes
from bouncegrad.data.trajectories import Trajectories

LARGEST = 1e30  # before scaling; a single-precision number is at most 3e38
FARTHEST = 1e12  # after scaling; squares, and sums of them, stay far below 3e38


def require_moderate(data: Trajectories, scaling: Scaling | None = None) -> None:
    """Refuses states whose squares are too large for single precision, which would lead to NaN.

    Args:
        data: finite recordings.
        scaling: the scaling of the training part. If it is None, only numbers too large for any scaling are refused.

    Raises:
        InputError: names the first task, frame, entity and feature.
    """
    for block in data.blocks():
        _require_moderate(block, scaling)


def _require_moderate(data: Trajectories, scaling: Scaling | None) -> None:
    size = np.abs(data.x) if scaling is None else np.abs((data.x - np.array(scaling.shift)) / np.array(scaling.scale))
    bad = size > (LARGEST if scaling is None else FARTHEST)
    if data.mask is not None:
        bad &= data.mask[..., None]
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        what = "too large a number" if scaling is None else f"{size[at]:.3g} times the spread of the training data away"
        raise InputError(
            f"{data.source}: {data.x[at]:.4g} at {location(data, *at)} is {what}; use "
            f"{'other units' if scaling is None else 'the units of the training data'}, or cut these frames"
        )


def require_quantities(data: Trajectories, stated: Sequence[str] = ()) -> None:
    """Refuses features that are codes of categories, since errors would depend on how categories are numbered.

    Args:
        data: the training part.
        stated: features that are quantities although they have few whole values.

    Raises:
        InputError: names the first such feature, or a stated feature that the data does not have.
    """
    if unknown := [name for name in stated if name not in data.features]:
        raise InputError(
            f"setting quantities: feature {unknown[0]!r} is not in the data, which has {', '.join(data.features)}"
        )
    if found := [name for name in codes(data) if name not in stated]:
        values = data.x[..., data.features.index(found[0])]
        kinds = ", ".join(f"{value:g}" for value in np.unique(values))
        raise InputError(
            f"{data.source}: feature {found[0]} changes among {kinds}, which look like codes of categories; give one "
            f"0/1 feature for each, or, if they are a quantity, --quantities [{found[0]}]"
        )
