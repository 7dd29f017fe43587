"""What a user may ask of recordings that were read from arrays: names of features, and that nothing is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.formats.roles import Columns
from bouncegrad.data.trajectories import Trajectories

ASSUMED = "assumed"


def unnamed(data: Trajectories) -> Trajectories:
    """Returns recordings whose file does not name its features, with a note that says which names they got."""
    names = ", ".join(data.features)
    if data.features[:1] == ("x",):
        text = f"the file does not name its features, so they were taken for {names}; if they are others, name them "
        text += "with --columns 'features=[a,b,c,d]'"
        return replace(data, origin=(*data.origin, (ASSUMED, text)))
    text = f"{names}, since the file has no names; name them with --columns 'features=[x,y]'"
    return replace(data, origin=(*data.origin, ("features", text)))


def named_as(data: Trajectories, features: tuple[str, ...]) -> Trajectories:
    """Returns the recordings with the features of training, if their file does not name its own and has as many."""
    if not _is_unnamed(data) or len(data.features) != len(features) or data.features == features:
        return data
    text = f"the file does not name its features, so they were taken for those of training, {listed(features)}"
    kept = tuple(row for row in data.origin if row[0] not in (ASSUMED, "features"))
    return replace(data, features=features, origin=(*kept, (ASSUMED, text)))


def chosen_features(data: Trajectories, columns: Columns | None) -> Trajectories:
    """Returns the recordings with the features that `--columns` names.

    If the file names its features, these are chosen, and perhaps renamed. Otherwise they get these names in order.

    Raises:
        InputError: the names do not fit, or a role is given that an array does not have.
    """
    if columns is None:
        return data
    if columns.time or columns.entity or columns.task or not columns.features:
        raise InputError(
            f"{data.source}: is no table, so it has no such columns; give features only, as features=[x,y]"
        )
    names = [column for _, column in columns.features]
    if set(names) <= set(data.features) and not _is_unnamed(data):
        index = [data.features.index(name) for name in names]
        kept = tuple(row for row in data.origin if row[0] != ASSUMED)
        units, named = tuple(data.units[i] for i in index), tuple(name for name, _ in columns.features)
        return replace(data, x=data.x[..., index], features=named, units=units, origin=kept)
    if _is_unnamed(data) and len(names) == len(data.features):
        kept = tuple(row for row in data.origin if row[0] not in (ASSUMED, "features"))
        return replace(data, features=tuple(name for name, _ in columns.features), origin=kept)
    raise InputError(
        f"{data.source}: {len(names)} features are named ({listed(names)}), but it has {len(data.features)} "
        f"({listed(data.features)}); name all of them, or choose among them"
    )


def _is_unnamed(data: Trajectories) -> bool:
    return any(name in (ASSUMED, "features") for name, _ in data.origin)


def recorded(data: Trajectories) -> np.ndarray:
    """Returns which frames of each task lie between its first and last frame with an observation, `Bool[M, T]`.

    Shorter tasks are filled up to the length of the longest one; these frames were never recorded.
    """
    m, t, _, _ = data.shape
    if data.mask is None:
        return np.ones((m, t), bool)
    some = np.asarray(data.mask.any(2))
    return np.logical_or.accumulate(some, 1) & np.logical_or.accumulate(some[:, ::-1], 1)[:, ::-1]


def first_missing(data: Trajectories) -> tuple[int, str]:
    """Returns how many cells are missing inside the recordings, and task, time and entity of the first one."""
    if data.mask is None:
        return 0, ""
    holes = ~data.mask & recorded(data)[:, :, None]
    if not holes.any():
        return 0, ""
    task, frame, entity = np.argwhere(holes)[0]
    where = f"task {data.tasks[task]}, time {frame * data.dt:.6g} (frame {frame}), entity {data.entities[entity]}"
    return int(holes.sum()), where


def require_all_observed(data: Trajectories) -> None:
    """Refuses recordings in which a cell is missing; the frames after the end of a shorter task do not count.

    Raises:
        InputError: names the first one.
    """
    count, where = first_missing(data)
    if count:
        raise InputError(
            f"{data.source}: {count:,} of {data.x[..., 0].size:,} observations are missing, the first at {where}; fill "
            "the gap, or leave out --strict"
        )
