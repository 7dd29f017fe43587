"""Units and origins: numbers of another unit become those of the wanted one, as the user states or as tasks tell.

    x  <-  unit * (x - origin)        for each feature that the options --unit and --origin name

`--same_unit` finds tasks in another unit than most, by two medians of each task: the length of a step, and the distance
of a place from the middle of all places. A task has another unit if both are at least 5 times those of most tasks, or a
fifth, and agree with each other. Its unit and its origin then become those of most tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.angles import as_stated, box_sizes
from bouncegrad.data.errors import InputError
from bouncegrad.data.observed import observed_values
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories, plural

OTHER = 5.0  # times as large; recordings of one unit rarely differ so much in both medians
AGREE = 2.5  # times; so far apart may both ratios be
NEAR = 0.1  # relative; a power of ten so close to an estimate is taken for it


def numbers_of(
    stated: Sequence[str], features: Sequence[str], source: str, option: str, usual: float
) -> Float[np.ndarray, " D"]:
    """Returns the number that is stated for each feature, as `x:0.01`; `usual` for the others.

    Raises:
        InputError: there is no such feature, it is stated twice, or a number is missing, or not positive for `unit`.

    Example:
        >>> numbers_of(("y:0.01",), ("x", "y"), "array", "unit", 1.0).tolist()
        [1.0, 0.01]
    """
    found = np.full(len(features), np.nan)
    for text in stated:
        name, _, number = text.rpartition(":")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value) or (option == "unit" and value <= 0):
            raise InputError(f"{source}: option {option}: {text!r} has no number that can be used; give it as x:0.01")
        if name not in features:
            raise InputError(f"{source}: option {option}: {name!r} is no feature; it has {', '.join(features)}")
        at = list(features).index(name)
        if not np.isnan(found[at]):
            raise InputError(f"{source}: option {option}: {name!r} is stated twice; give one number")
        found[at] = value
    return np.where(np.isnan(found), usual, found)


def with_units(data: Trajectories, unit: Sequence[str], origin: Sequence[str]) -> Trajectories:
    """Returns the recordings with each named feature as unit * (x - origin); a box of the file is scaled, too."""
    if not unit and not origin:
        return data
    scale = numbers_of(unit, data.features, data.source, "unit", 1.0)
    start = numbers_of(origin, data.features, data.source, "origin", 0.0)
    box = box_sizes(data.periodic, data.features, data.source) * scale
    return replace(
        data,
        x=scale * (data.x - start),
        periodic=as_stated(box, data.features),
        units=tuple(name if by == 1 else "" for name, by in zip(data.units, scale, strict=True)),
    )


class Other(NamedTuple):
    """Tasks of another unit than most.

    Args:
        tasks: their indices.
        unit: what their positions are multiplied by.
        origin: what is subtracted before, for each position.
        axes: the indices of the positions.
    """

    tasks: Int[np.ndarray, " some"]
    unit: float
    origin: Float[np.ndarray, " k"]
    axes: tuple[int, ...]

    def place(self, data: Trajectories) -> str:
        """Returns which tasks these are, for messages."""
        more = len(self.tasks) - 1
        others = f" and {more:,} {plural('other', more)}" if more else ""
        return f"task {data.tasks[self.tasks[0]]}{others} of {len(data.tasks):,}"


def other_units(data: Trajectories) -> list[Other]:
    """Returns the groups of tasks that have another unit than most; none where positions wrap."""
    axes = tuple(i for i, name in enumerate(data.features) if name in POSITIONS)
    if len(data.tasks) < 2 or not axes or data.periods[list(axes)].any():
        return []
    places = np.stack([observed_values(data, i) for i in axes], axis=-1)
    middle, size = _sizes(places)
    usable = np.flatnonzero(np.isfinite(size).all(1))
    if len(usable) < 2:
        return []
    most = np.sort(size[usable, 1])[(len(usable) - 1) // 2]
    most_tasks = usable[np.abs(size[usable, 1] - most) < math.log(OTHER)]
    ratio = np.median(size[most_tasks], axis=0) - size
    one_way = (np.abs(ratio) > math.log(OTHER)).all(1) & (np.abs(ratio[:, 0] - ratio[:, 1]) < math.log(AGREE))
    tasks = np.flatnonzero(np.isfinite(size).all(1) & one_way)
    tasks = tasks[np.argsort(ratio[tasks].mean(1), kind="stable")]
    cuts = np.flatnonzero(np.diff(ratio[tasks].mean(1)) > math.log(OTHER) / 2) + 1
    home, spread = np.median(middle[most_tasks], axis=0), float(ratio[most_tasks].mean(1).std())
    found = []
    for group in (np.sort(part) for part in np.split(tasks, cuts) if len(part)):
        error = 1.25 * max(spread, 0.1) / math.sqrt(len(group))  # 1.25: of a median, relative to a mean
        unit = simplest(math.exp(float(np.median(ratio[group].mean(1)))), error)
        width = np.exp(np.median(size[group, 1])) / math.sqrt(len(group))
        start = np.array([rounded(float(v), float(width)) for v in np.median(middle[group], axis=0) - home / unit])
        found.append(Other(group, unit, start, axes))
    return sorted(found, key=lambda other: int(other.tasks[0]))


def with_one_unit(data: Trajectories) -> Trajectories:
    """Returns the recordings with all tasks in the unit and the origin of most, and rows of `origin` that say so."""
    found = other_units(data)
    if not found:
        return replace(data, origin=(*data.origin, ("one unit", "no task has another unit (--same_unit)")))
    x, said = data.x.astype(np.float64), list(data.origin)
    moving = [i for i, name in enumerate(data.features) if name in (*POSITIONS, *VELOCITIES)]
    for other in found:
        states = x[other.tasks]
        states[..., other.axes] -= other.origin
        states[..., moving] *= other.unit
        x[other.tasks] = states
        less = ", ".join(f"{data.features[i]} - {start:g}" for i, start in zip(other.axes, other.origin, strict=True))
        said.append(("one unit", f"{other.place(data)}: {other.unit:g} times ({less}) (--same_unit)"))
    return replace(data, x=x, origin=tuple(said))


def _sizes(places: Float[np.ndarray, "M T N k"]) -> tuple[Float[np.ndarray, "M k"], Float[np.ndarray, "M 2"]]:
    """Returns the median place of each task, and the logarithms of the medians of step and distance from it."""
    middle, size = np.full((len(places), places.shape[-1]), np.nan), np.full((len(places), 2), np.nan)
    step = np.linalg.norm(np.diff(places, axis=1), axis=-1)
    if np.isfinite(places).all() and (step > 0).all():  # all tasks at once, which is much faster
        middle = np.median(places, axis=(1, 2))
        away = np.median(np.linalg.norm(places - middle[:, None, None], axis=-1), axis=(1, 2))
        return middle, np.stack([np.log(np.median(step, axis=(1, 2))), np.log(away)], axis=1)
    for task, (track, moved) in enumerate(zip(places, step, strict=True)):
        seen, moved = track[np.isfinite(track).all(-1)], moved[np.isfinite(moved) & (moved > 0)]
        if not len(seen) or not len(moved):
            continue
        middle[task] = np.median(seen, axis=0)
        away = float(np.median(np.linalg.norm(seen - middle[task], axis=-1)))
        if away > 0:
            size[task] = math.log(float(np.median(moved))), math.log(away)
    return middle, size


def remedy(data: Trajectories, shift: Sequence[float], scale: Sequence[float], other: Sequence[int]) -> str:
    """Returns the options with which recordings of another unit or origin become like those of training.

    Args:
        data: the recordings.
        shift: the mean of each feature in training.
        scale: the standard deviation of each feature in training.
        other: the features that are unlike those of training.
    """
    tasks = math.sqrt(len(data.tasks))
    unit, origin = [], []
    wanted = [i for i in other if data.features[i] not in data.derived]
    with np.errstate(all="ignore"):
        spread = {i: float(np.nanstd(observed_values(data, i))) for i in wanted}
        mean = {i: float(np.nanmean(observed_values(data, i))) for i in wanted}
    for i in wanted:
        # Axes have one unit in common.
        names = next((group for group in (POSITIONS, VELOCITIES) if data.features[i] in group), (data.features[i],))
        together = [k for k in wanted if data.features[k] in names and spread[k] > 0]
        if not together:
            continue
        ratio = math.exp(sum(math.log(scale[k] / spread[k]) for k in together) / len(together))
        by = simplest(ratio, 0.5 / tasks) if not 1 / OTHER < ratio < OTHER else 1.0
        start = rounded(mean[i] - shift[i] / by, spread[i] / tasks)
        unit += [f"{data.features[i]}:{by:.4g}"] if by != 1 else []
        origin += [f"{data.features[i]}:{start:g}"] if start else []
    stated = (("unit", unit), ("origin", origin))
    return " ".join(f"--{option} '[{','.join(numbers)}]'" for option, numbers in stated if numbers)


def simplest(value: float, error: float) -> float:
    """Returns the simplest number that is as good as an estimate: a power of ten, or one with few digits.

    Args:
        value: the estimate, positive.
        error: its relative standard error.

    Example:
        >>> simplest(97.4, 0.05), simplest(0.0362, 0.01), simplest(0.254, 0.02)
        (100.0, 0.036, 0.25)
    """
    power = 10.0 ** round(math.log10(value))
    if abs(math.log(value / power)) < max(2 * error, NEAR):
        return float(f"{power:.0e}")
    tried = (float(f"{value:.{digits}g}") for digits in (1, 2, 3))
    return next((number for number in tried if abs(math.log(number / value)) <= error), float(f"{value:.3g}"))


def rounded(value: float, error: float) -> float:
    """Returns the number with the fewest digits that is within the error of the value.

    Example:
        >>> rounded(1003.2, 8.0), rounded(0.4, 8.0), rounded(-3.02, 0.1)
        (1000.0, 0.0, -3.0)
    """
    if abs(value) <= error:
        return 0.0
    tried = (float(f"{value:.{digits}g}") for digits in range(1, 7))
    return next((number for number in tried if abs(number - value) <= error), value)
