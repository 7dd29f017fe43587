"""Cuts recordings into windows of time, each of which becomes a task, for graphs that change in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories


def windows(data: Trajectories, frames: int) -> Trajectories:
    """Returns the windows of every task, in order. A window has W changes; the last one may have fewer.

    Window w has the frames `w W ... (w + 1) W`. It begins with the last frame of the previous window, so that no change
    is lost. Its name states the first and last frame. The known edges of a task hold in all its windows.

    Args:
        data: M tasks.
        frames: W, from 1 to T - 1.

    Raises:
        InputError: W is not in this range.

    Example:
        >>> windows(Trajectories(np.zeros((1, 7, 2, 1))), 3).tasks
        ('0, frames 0-3', '0, frames 3-6')
    """
    m, t, n, _ = data.shape
    if not 1 <= frames < t:
        raise InputError(f"option window: {frames} frames; {data.source} has {t}, give 1 to {t - 1}")
    count = -(-(t - 1) // frames)
    missing = count * frames + 1 - t
    mask = np.ones((m, t, n), bool) if data.mask is None else data.mask
    at = np.arange(count)[:, None] * frames + np.arange(frames + 1)
    x, mask = np.pad(data.x, ((0, 0), (0, missing), (0, 0), (0, 0))), np.pad(mask, ((0, 0), (0, missing), (0, 0)))
    ends = [(int(part[0]), int(min(part[-1], t - 1))) for part in at]
    return replace(
        data,
        x=x[:, at].reshape(m * count, frames + 1, *data.x.shape[2:]),
        mask=None if mask.all() else mask[:, at].reshape(m * count, frames + 1, n),
        edges=None if data.edges is None else data.edges.repeat(count, 0),
        groups=tuple(group for group in data.groups for _ in ends),
        tasks=tuple(f"{task}, frames {first}-{last}" for task in data.tasks for first, last in ends),
    )
