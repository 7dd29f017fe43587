"""Checks how entities move: lost states, walls of a periodic box, exchanged names, tracks that stand still, jumps.

All are judged by the median step. A standard deviation would grow with the very jumps that are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.data.angles import box_sizes, wrapped
from bouncegrad.data.exchanges import exchanges
from bouncegrad.data.observed import location, moment, observed_values
from bouncegrad.data.trajectories import POSITIONS, Trajectories, plural

FAR = 10.0  # median steps; smooth motion rarely has a longer one
JUMP = 25.0  # standard deviations of the smaller changes, which smooth motion hardly ever reaches in one step
LEAP = 50.0  # median changes of a position
OFTEN = 3  # times; twice may be a coincidence
STILL = 10  # frames in a row without any change
SELDOM = 0.2  # share of steps without a change; where there are more, resting is usual
SMALL = 0.98  # share of the changes that are taken for small ones


class Places(NamedTuple):
    """The places of all entities, with NaN where there is none.

    Args:
        names: the features that make up a place.
        values: the places.
        periods: the size of the box along each feature with periodic walls; 0 for other features.
        step: the length of each step; NaN beside a gap.
        usual: the median length of a step, of those that are not 0.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "M T N k"]
    periods: Float[np.ndarray, " k"]
    step: Float[np.ndarray, "M T-1 N"]
    usual: float


def checks(data: Trajectories) -> Iterator[str]:
    """Yields the lines of all checks of motion."""
    places = places_of(data)
    if places is None:
        yield from jumps(data, np.zeros(data.shape[:3], bool), ())
        return
    lost = lost_states(places)
    yield from lost_lines(data, places, lost)
    places = measured(places.names, np.where(lost[..., None], np.nan, places.values), places.periods)
    wrapping = wrapping_features(places)
    yield from wrap_lines(data, places, wrapping)
    if not wrapping:
        found = replace(data, x=np.where(lost[..., None], np.nan, data.x)) if lost.any() else data
        yield from exchange_lines(found)
    yield from still(data, places)
    yield from jumps(data, lost, tuple(wrapping))


def places_of(data: Trajectories) -> Places | None:
    """Returns the places by the features x, y, z, or by all features if there are none; None if nothing can be told."""
    named = [i for i, name in enumerate(data.features) if name in POSITIONS]
    box = box_sizes(data.periodic, data.features, data.source)
    used = [i for i in named or range(len(data.features)) if box[i] or not data.periods[i]]
    if not used:
        return None
    names = tuple(data.features[i] for i in used)
    return measured(names, np.stack([observed_values(data, i) for i in used], axis=-1), box[used])


def measured(names: tuple[str, ...], values: Float[np.ndarray, "M T N k"], periods: Float[np.ndarray, " k"]) -> Places:
    """Returns places with the lengths of their steps, which go the shorter way round a periodic box."""
    step = np.linalg.norm(wrapped(np.diff(values, axis=1), periods), axis=-1)
    moved = step[np.isfinite(step) & (step > 0)]
    return Places(names, values, periods, step, float(np.median(moved)) if moved.size else 0.0)


def lost_states(places: Places) -> Bool[np.ndarray, "M T N"]:
    """Returns where entities are in the one state from and to which they jump again and again, such as (0, 0)."""
    far = np.nan_to_num(places.step) > FAR * places.usual
    beside = np.zeros(places.values.shape[:3], bool)
    if not far.any() or not places.usual:
        return beside
    beside[:, 1:] |= far
    beside[:, :-1] |= far
    states, count = np.unique(places.values[beside], axis=0, return_counts=True)
    top = states[count.argmax()]
    same = (places.values == top).all(-1)
    alone = count.max() >= OFTEN and (count == count.max()).sum() == 1
    return same if alone and same.mean() < 0.5 else beside & False


def lost_lines(data: Trajectories, places: Places, lost: Bool[np.ndarray, "M T N"]) -> Iterator[str]:
    """Warns of states that may stand for lost entities."""
    if not lost.any():
        return
    state = places.values[tuple(np.argwhere(lost)[0])]
    shown = ", ".join(f"{name} = {value:g}" for name, value in zip(places.names, state, strict=True))
    who = [data.entities[i] for i in np.flatnonzero(lost.any((0, 1)))]
    first = [moment(data, *map(int, at)) for at in np.argwhere(lost)[:3]]
    more = ", ..." if lost.sum() > 3 else ""
    remedy = "put NaN there"
    if data.features[: len(places.names)] == places.names:
        remedy = f"add --missing {','.join(f'{value:g}' for value in state)}"
    yield (
        f"{int(lost.sum()):,} times {_list(who)} {'is' if len(who) == 1 else 'are'} at exactly {shown}, far from the "
        f"frames before and after ({'; '.join(first)}{more}); if this means that the entity was lost, {remedy}"
    )


def wrapping_features(places: Places) -> dict[str, float]:
    """Returns the features that jump from one end of their range to the other, and the size of the box for each."""
    found = {}
    for i, name in enumerate(places.names):
        change = np.diff(places.values[..., i], axis=1)
        known = np.abs(change[np.isfinite(change)])
        values = places.values[..., i][np.isfinite(places.values[..., i])]
        if not known.size or not values.size or places.periods[i]:
            continue
        extent, usual = float(np.ptp(values)), float(np.median(known))
        large = known[known > extent / 2]
        if len(large) < OFTEN or usual > extent / FAR or large.min() < 0.8 * extent or len(large) > 0.2 * len(known):
            continue
        # A step over the wall is the size of the box less the true step, which is like those before and after it.
        across = np.abs(np.nan_to_num(change)) > extent / 2
        inside = np.where(across, np.nan, change)
        sizes = np.abs(change[:, 1:-1] - (inside[:, :-2] + inside[:, 2:]) / 2)[across[:, 1:-1]]
        sizes = sizes[np.isfinite(sizes)]
        found[name] = roundest(sizes if sizes.size else large, extent)
    return found


def roundest(sizes: Float[np.ndarray, " some"], least: float) -> float:
    """Returns the number with the fewest digits that is as good an estimate as the median, and not below the least.

    Example:
        >>> roundest(np.array([2.98, 3.0, 3.01, 3.04]), 2.992)
        3.0
    """
    middle = float(np.median(sizes))
    error = 2 * 1.25 * float(np.std(sizes)) / len(sizes) ** 0.5  # 1.25: of a median, relative to a mean
    tried = (float(f"{middle:.{digits}g}") for digits in (1, 2, 3, 4))
    return next((size for size in tried if size >= least and abs(size - middle) <= error), middle)


def wrap_lines(data: Trajectories, places: Places, wrapping: dict[str, float]) -> Iterator[str]:
    """Warns of features that wrap around, as in a box with periodic walls."""
    box = ",".join(f"{name}:{size:.4g}" for name, size in wrapping.items())
    for name, size in wrapping.items():
        across = crossings(places, name, size)
        task, frame, entity = np.argwhere(across)[0]
        where = moment(data, int(task), int(frame) + 1, int(entity))
        angle = next((unit for unit, turn in (("", 2 * np.pi), (":deg", 360.0)) if abs(size / turn - 1) < 0.03), None)
        remedy = f"if it is an angle, add --angles '[{name}{angle}]'; " if angle is not None else ""
        yield (
            f"feature {name} wraps: {int(across.sum()):,} times it jumps from one end of its range to the other, first "
            f"at {where}; {remedy}if this is a box with periodic walls, add its size, which is about --periodic "
            f"'[{box}]'"
        )


def crossings(places: Places, name: str, size: float) -> Bool[np.ndarray, "M T-1 N"]:
    """Returns the steps in which a feature jumps over a wall of a box of this size."""
    change = np.abs(np.diff(places.values[..., places.names.index(name)], axis=1))
    return np.asarray(np.nan_to_num(change) > size / 2)


def exchange_lines(data: Trajectories) -> Iterator[str]:
    """Warns of two entities that exchange their places in one step."""
    found = exchanges(data)
    if found:
        yield (
            f"{len(found):,} {plural('time', len(found))} two entities exchange their places in one step, first "
            f"{found[0].place(data)}; if the tracker exchanged their names, add --unswap, which exchanges them back"
        )


def still(data: Trajectories, places: Places) -> Iterator[str]:
    """Warns of frames that are copies of the frame before, and of an entity that does not move at all for long."""
    copies, runs = copies_of(places), resting(places)
    if copies.any():
        task, frame = map(int, np.argwhere(copies)[0])
        count = int(copies.sum())
        yield (
            f"{count:,} {plural('frame', count)} {'is a copy' if count == 1 else 'are copies'} of the frame before, "
            f"first task {data.tasks[task]}, frame {frame + 1}; if the camera doubled frames, leave the copies out"
        )
    if runs.any():
        task, frame, entity = map(int, np.argwhere(runs)[0])
        who = [data.entities[i] for i in np.flatnonzero(runs.any((0, 1)))]
        yield (
            f"{_list(who)} {'does' if len(who) == 1 else 'do'} not move at all for {STILL} frames or more, first "
            f"from {moment(data, task, frame, entity)}; if the tracker repeated the last place of a lost entity, "
            "put NaN there"
        )


def copies_of(places: Places) -> Bool[np.ndarray, "M T-1"]:
    """Returns the steps in which nobody moves, if hardly anybody rests at other times."""
    rest, known, copies = _rest(places)
    single = rest & ~copies[:, :, None]
    return copies if copies.any() and single[known].mean() < SELDOM / 4 else copies & False


def resting(places: Places) -> Bool[np.ndarray, "M T-1 N"]:
    """Returns the steps with which `STILL` steps without any change begin, of one entity while others move."""
    rest, _, copies = _rest(places)
    single = rest & ~copies[:, :, None]
    begins = np.zeros_like(single)
    if single.any() and single.shape[1] >= STILL:
        windows = np.lib.stride_tricks.sliding_window_view(single, STILL, axis=1)
        begins[:, : windows.shape[1]] = windows.all(-1)
    return begins


def _rest(
    places: Places,
) -> tuple[Bool[np.ndarray, "M T-1 N"], Bool[np.ndarray, "M T-1 N"], Bool[np.ndarray, "M T-1"]]:
    """Returns the steps without a change, the known ones, and the steps in which all rest; none if rest is usual."""
    rest, known = places.step == 0, np.isfinite(places.step)
    if not rest.any() or rest[known].mean() > SELDOM or rest.shape[2] < 2:
        return rest & False, known, np.zeros(rest.shape[:2], bool)
    return rest, known, np.asarray((rest | ~known).all(2) & (rest.sum(2) > 1))


def jumps(data: Trajectories, lost: Bool[np.ndarray, "M T N"], wrapping: tuple[str, ...]) -> Iterator[str]:
    """Warns of the largest one-step change of a feature, if it is far above the usual ones."""
    for i, name in enumerate(data.features):
        values = observed_values(data, i)
        values[lost] = np.nan
        change = wrapped(np.diff(values, axis=1)[..., None], data.periods[[i]])[..., 0]
        size = np.abs(change[np.isfinite(change)])
        if size.size < 3 or name in wrapping:
            continue
        largest = float(size.max())
        small = size[size <= np.quantile(size, SMALL)]
        sd = float(np.sqrt((small**2).mean()))
        usual = float(np.median(size[size > 0])) if (size > 0).any() else 0.0
        leaps = name in POSITIONS and largest > LEAP * usual > 0
        if leaps or largest > JUMP * sd > 0:
            task, frame, entity = map(int, np.argwhere(np.abs(change) == largest)[0])
            yield (
                f"feature {name} jumps by {change[task, frame, entity]:.4g}, {largest / usual:.0f} times the usual "
                f"change, at {location(data, task, frame + 1, entity, i)}; look for a wall, a gap or exchanged entities"
            )


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"entity {shown}" if len(names) == 1 else f"entities {shown}"
