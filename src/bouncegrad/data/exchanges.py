"""Exchanged names: a tracker takes two entities for each other in one step, and goes on with the wrong names.

Each entity is expected where its last two observed frames lead it at constant speed. Two entities are exchanged if both
miss their expected places by far, and each is close to the place where the other was expected:

    own      = the smaller of |x_i - e_i|, |x_j - e_j|  >  10 usual misses
    crossed  = the larger of |x_j - e_i|, |x_i - e_j|   <  own / 4

A usual miss is the median of all misses that are not 0; misses across a gap are divided by what they grow there. In the
three frames before both must have been within 5 usual misses of their expected places, and with their names exchanged
back also in the three frames after, or be exchanged again. Otherwise they may be two fast entities close together,
whose ways are not straight within a step.

Names are exchanged back from this frame on, and later frames are judged after that. Three entities that exchange their
names in one step are not recognised, nor are exchanges in the first two frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import box_sizes, wrapped
from bouncegrad.data.observed import observed_values
from bouncegrad.data.trajectories import POSITIONS, Trajectories, plural

FAR = 10.0  # usual misses; smooth motion rarely has a larger one
SMOOTH = 5.0  # usual misses; around an exchange motion must be smooth
CLOSER = 4.0  # times; a collision turns both entities, but rarely onto each other's ways
AROUND = 3  # frames before and after an exchange that must be as expected
LONGEST = 5  # unobserved frames; after a longer gap an entity may be anywhere


class Exchange(NamedTuple):
    """Two entities that exchange their names in one step: the task, the first frame with the wrong names, both."""

    task: int
    frame: int
    one: int
    other: int

    def place(self, data: Trajectories) -> str:
        """Returns the names of all, for messages."""
        pair = f"{data.entities[self.one]} and {data.entities[self.other]}"
        return f"{pair} in task {data.tasks[self.task]}, frame {self.frame}"


def exchanges(data: Trajectories) -> list[Exchange]:
    """Returns all exchanges by the positions; none if there are fewer than two of the features x, y, z.

    A single signal that is exchanged for another cannot be told from a signal that changes.
    """
    axes = [i for i, name in enumerate(data.features) if name in POSITIONS]
    if len(axes) < 2:
        return []
    periods = box_sizes(data.periodic, data.features, data.source)[axes]
    blocks = (_places(part, axes) for part in data.blocks())
    miss = np.concatenate([expected(places, periods).miss(places, periods) for places in blocks])
    moved = miss[np.isfinite(miss) & (miss > 0)]
    if not moved.size:
        return []
    usual = float(np.median(moved))
    far = (np.nan_to_num(miss) > FAR * usual).sum(2) >= 2
    found = []
    for task in np.flatnonzero(far.any(1)):
        track = _places(data.select([int(task)]), axes)[0]
        for frame in np.flatnonzero(far[task]):
            for one, other in crossed(track, int(frame), periods, FAR * usual):
                track[frame:, [one, other]] = track[frame:, [other, one]]
                if not smooth_around(track[:, [one, other]], int(frame), periods, SMOOTH * usual):
                    track[frame:, [one, other]] = track[frame:, [other, one]]
                    continue
                found.append(Exchange(int(task), int(frame), one, other))
    return found


def _places(data: Trajectories, axes: list[int]) -> Float[np.ndarray, "M T N k"]:
    """Returns the places, with NaN where an entity was not observed."""
    return np.stack([observed_values(data, i) for i in axes], axis=-1)


class Expected(NamedTuple):
    """Where entities are expected, and how much a usual miss has grown since they were last observed.

    An unknown change of velocity makes a miss that grows as g (g + 1) / 2 with the number g of frames.
    """

    place: Float[np.ndarray, "*M T N k"]
    growth: Float[np.ndarray, "*M T N"]

    def miss(
        self, places: Float[np.ndarray, "*M T N k"], periods: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "*M T N"]:
        """Returns how far places are from the expected ones, the shorter way round a box, divided by the growth."""
        return np.asarray(np.linalg.norm(wrapped(places - self.place, periods), axis=-1) / self.growth)


def expected(places: Float[np.ndarray, "*M T N k"], periods: Float[np.ndarray, " k"]) -> Expected:
    """Returns where the last two observed frames lead each entity at constant speed; NaN after a long gap.

    Example:
        >>> expected(np.array([0.0, 1.0, np.nan, 5.0])[:, None, None], np.zeros(1)).place[:, 0, 0].tolist()
        [nan, nan, 2.0, 3.0]
    """
    t = places.shape[-3]
    frame = np.arange(t)[:, None]
    last = _before(np.isfinite(places).all(-1), frame)
    earlier = np.where(last >= 0, np.take_along_axis(last, np.maximum(last, 0), axis=-2), -1)
    gap, step = frame - last, last - earlier
    here, there = (np.take_along_axis(places, np.maximum(at, 0)[..., None], axis=-3) for at in (last, earlier))
    speed = wrapped(here - there, periods) / np.maximum(step, 1)[..., None]
    known = (earlier >= 0) & (step <= 1 + LONGEST) & (gap <= 1 + LONGEST)
    return Expected(np.where(known[..., None], here + gap[..., None] * speed, np.nan), gap * (gap + 1) / 2)


def _before(seen: Bool[np.ndarray, "*M T N"], frame: Int[np.ndarray, "T 1"]) -> Int[np.ndarray, "*M T N"]:
    """Returns the last frame before each frame in which an entity was observed; -1 if there is none."""
    latest = np.maximum.accumulate(np.where(seen, frame, -1), axis=-2)
    return np.concatenate([np.full_like(latest[..., :1, :], -1), latest[..., :-1, :]], axis=-2)


def crossed(
    track: Float[np.ndarray, "T N k"], frame: int, periods: Float[np.ndarray, " k"], far: float
) -> list[tuple[int, int]]:
    """Returns the pairs that are exchanged in a frame of one task, the clearest first; no entity is in two of them."""
    recent = expected(track[max(frame - 2 - 2 * LONGEST, 0) : frame + 1], periods)
    there = Expected(recent.place[-1][:, None], recent.growth[-1][:, None])
    apart = there.miss(track[frame, None], periods)
    own = np.nan_to_num(np.diagonal(apart))
    smaller, larger = np.minimum(own[:, None], own), np.fmax(apart, apart.T)
    ratio = np.where((smaller > far) & np.isfinite(apart + apart.T), larger / np.maximum(smaller, far), np.inf)
    pairs: list[tuple[int, int]] = []
    for one, other in np.argwhere(np.triu(ratio < 1 / CLOSER, 1))[np.argsort(ratio[np.triu(ratio < 1 / CLOSER, 1)])]:
        if not {int(one), int(other)} & {who for pair in pairs for who in pair}:
            pairs.append((int(one), int(other)))
    return pairs


def smooth_around(pair: Float[np.ndarray, "T 2 k"], frame: int, periods: Float[np.ndarray, " k"], far: float) -> bool:
    """Returns whether two entities are where they are expected, perhaps exchanged, in the frames around this one."""
    start = max(frame - AROUND - 2 - 2 * LONGEST, 0)
    seen = pair[start : frame + AROUND + 1]
    there = expected(seen, periods)
    misses = (np.nan_to_num(there.miss(seen[:, who], periods)).max(1) for who in ([0, 1], [1, 0]))
    own, other = (miss[max(frame - AROUND, 0) - start :] for miss in misses)
    return bool((np.minimum(own, other) <= far).all())


def exchanged_back(data: Trajectories) -> Trajectories:
    """Returns the recordings with the names of all exchanges exchanged back, and a row of `origin` that says so."""
    found = exchanges(data)
    if not found:
        return replace(data, origin=(*data.origin, ("exchanged back", "no names (--unswap)")))
    x, mask = data.x.copy(), None if data.mask is None else data.mask.copy()
    for task, frame, one, other in found:
        for values in (x, mask):
            if values is not None:
                values[task, frame:, [one, other]] = values[task, frame:, [other, one]]
    times = f"{len(found):,} {plural('time', len(found))}, first {found[0].place(data)} (--unswap)"
    return replace(data, x=x, mask=mask, origin=(*data.origin, ("exchanged back", times)))
