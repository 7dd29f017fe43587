"""What often goes wrong in recordings, one check each; every check yields lines that name the place and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Bool, Float, UInt64

from bouncegrad.data.derivatives import derivative
from bouncegrad.data.trajectories import POSITIONS, Trajectories, plural

FEW_FRAMES = 10
JUMP = 20.0
MISMATCH = 0.2
CATEGORIES = 10
RUN = 5


def suspicions(data: Trajectories, parts: Mapping[str, Trajectories]) -> Iterator[str]:
    """The lines of all checks; repeated frames are sought in all parts together."""
    for check in (few_frames, unusable_values, never_recorded, unusual_features, jumps, velocity_mismatch):
        yield from check(data)
    yield from repeated_frames(parts or {"": data})


def few_frames(data: Trajectories) -> Iterator[str]:
    """Fewer frames than `FEW_FRAMES`, or than entities."""
    _, t, n, _ = data.shape
    if t < FEW_FRAMES:
        yield f"only {t} frames; laws of interaction can hardly be told apart, record more"
    if n > t:
        yield f"more entities ({n}) than frames ({t}); if the table is transposed, exchange its axes"


def unusable_values(data: Trajectories) -> Iterator[str]:
    """Observed values that are not finite."""
    bad = not_finite(data)
    if bad.any():
        count = int(bad.sum())
        first = place(data, *np.argwhere(bad)[0])
        yield (
            f"{count:,} {plural('value', count)} not finite, first at {first}; put NaN where nothing was recorded or "
            "cut these frames"
        )


def never_recorded(data: Trajectories) -> Iterator[str]:
    """Features that an entity never has though it has others: without them none of its frames counts."""
    never = np.isnan(data.x).all(1)
    for entity, feature in np.argwhere((never & ~never.all(-1, keepdims=True)).any(0))[:1]:
        yield (
            f"entity {data.entities[entity]} never has the feature {data.features[feature]}, so that none of its "
            "frames counts; give it a number, such as 0, or leave the feature out"
        )


def unusual_features(data: Trajectories) -> Iterator[str]:
    """Features that never change, and whole numbers of at most `CATEGORIES` kinds."""
    for i, name in enumerate(data.features):
        values = seen(data, i)
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            yield f"feature {name} is always {values[0]:.4g}; it tells nothing, leave it out"
        elif (values == np.round(values)).all():
            kinds = len(np.unique(values))
            # Among few values, few kinds mean nothing.
            if kinds <= CATEGORIES and 10 * kinds <= values.size:
                yield (
                    f"feature {name} takes only {kinds} whole values; if they are codes of categories, give one 0/1 "
                    f"feature for each; if they are a quantity that changes, train with --quantities [{name}]"
                )


def codes(data: Trajectories) -> list[str]:
    """Features that look like codes of categories: 3 to `CATEGORIES` whole values, and entities change theirs.

    An error between codes would depend on how they are numbered. Two values are no matter, since all their codes are
    the same up to origin and unit, nor are codes that stay, which are not predicted, nor positions and velocities.
    """
    known = {*POSITIONS, *(f"v{axis}" for axis in POSITIONS)}
    return [name for i, name in enumerate(data.features) if name not in known and _coded(seen(data, i))]


def _coded(values: Float[np.ndarray, "M T N"]) -> bool:
    there = np.isfinite(values)
    kinds = np.unique(values[there])
    few = 3 <= len(kinds) <= CATEGORIES and 10 * len(kinds) <= there.sum()
    if not few or (kinds != np.round(kinds)).any():
        return False
    first = np.where(there, values, np.inf).min(1, keepdims=True)
    return bool((values != first)[there].any())


def jumps(data: Trajectories) -> Iterator[str]:
    """For each feature its largest one-step change, if above `JUMP` standard deviations of all its other changes."""
    for i, name in enumerate(data.features):
        change = np.diff(seen(data, i), axis=1)
        if np.isfinite(change).sum() < 3:
            continue
        task, frame, entity = np.unravel_index(int(np.nanargmax(np.abs(change))), change.shape)
        largest = change[task, frame, entity]
        # A single outlier among few changes would widen its own measure.
        change[task, frame, entity] = np.nan
        sd = np.nanstd(change)
        if abs(largest) > JUMP * sd > 0:
            where = place(data, int(task), int(frame) + 1, int(entity), i)
            yield (
                f"feature {name} jumps by {largest:.4g}, {abs(largest) / sd:.0f} standard deviations of its other "
                f"changes, up to {where}; look for a wall, a gap or exchanged entities"
            )


def velocity_mismatch(data: Trajectories) -> Iterator[str]:
    """Velocities further than `MISMATCH`, in the median, from the derivative of the positions."""
    axes = [axis for axis in POSITIONS if axis in data.features and f"v{axis}" in data.features]
    if not axes:
        return
    position, stated = (
        np.stack([seen(data, data.features.index(name + axis)) for axis in axes], axis=-1) for name in ("", "v")
    )
    derived = derivative(position, data.dt)
    error, speed, moved = (np.linalg.norm(v, axis=-1) for v in (stated - derived, stated, derived))
    larger = np.maximum(speed, moved)
    used = np.isfinite(error) & (larger > 0)
    mismatch = np.median(error[used] / larger[used]) if used.any() else 0.0
    if mismatch > MISMATCH:
        yield (
            f"velocities differ by {mismatch:.0%} (median) from the change of positions over dt = {data.dt:g}: "
            f"medians {np.median(speed[used]):.3g} and {np.median(moved[used]):.3g}; check dt and the units"
        )


def repeated_frames(parts: Mapping[str, Trajectories]) -> Iterator[str]:
    """Tasks that repeat `RUN` frames in a row of an earlier task, of the same part or of another."""
    names = [f"{task} of {part}" if part else task for part, data in parts.items() for task in data.tasks]
    runs = [_fingerprints(data) for data in parts.values()]
    task = np.repeat(np.arange(len(names)), [rows.shape[1] for rows in runs for _ in rows])
    prints = np.concatenate([rows.ravel() for rows in runs])
    # Frames in which nobody was seen are padding, and all alike.
    task, prints = task[prints != 0], prints[prints != 0]
    _, first, number = np.unique(prints, return_index=True, return_inverse=True)
    origin = task[first][number]
    repeats = np.unique(task[origin != task])
    if repeats.size:
        original = origin[(task == repeats[0]) & (origin != task)][0]
        yield (
            f"{repeats.size} {plural('task', repeats.size)} with frames of earlier ones, first task "
            f"{names[repeats[0]]}, which repeats {RUN} frames or more of task {names[original]}; "
            "remove copies and overlapping clips"
        )


def _fingerprints(data: Trajectories) -> UInt64[np.ndarray, "M R"]:
    """A number for each run of frames: 0 if nobody was seen in one of them, else equal for equal runs only.

    (Different runs collide with a chance of 2^-64.)
    """
    x = data.x.astype(np.float64)
    there = np.logical_and.reduce(np.isfinite(x), axis=-1)
    if data.mask is not None:
        there &= data.mask
    x[~there] = 0.0
    frames = _hashed(x.reshape(*x.shape[:2], -1).view(np.uint64), seed=0)
    frames[~there.any(2)] = 0
    runs = np.lib.stride_tricks.sliding_window_view(frames, min(RUN, frames.shape[1]), axis=1)
    return np.where((runs != 0).all(-1), _hashed(runs.copy(), seed=1), np.uint64(0))


def _hashed(bits: UInt64[np.ndarray, "... width"], seed: int) -> UInt64[np.ndarray, " ..."]:
    factors = np.random.default_rng(seed).integers(2**63, size=bits.shape[-1], dtype=np.uint64) * 2 + 1
    # Round numbers end in zero bits, which a product keeps: fold the upper bits down before and after.
    bits ^= bits >> np.uint64(32)
    bits *= factors
    bits ^= bits >> np.uint64(29)
    return bits.sum(-1, dtype=np.uint64)


def not_finite(data: Trajectories) -> Bool[np.ndarray, "M T N D"]:
    """Where an observed value is NaN or infinite."""
    bad = ~np.isfinite(data.x)
    return bad if data.mask is None else bad & data.mask[..., None]


def seen(data: Trajectories, feature: int) -> Float[np.ndarray, "M T N"]:
    """A copy of one feature, NaN wherever it was not observed or is not finite."""
    values = data.x[..., feature].astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    if data.mask is not None:
        values[~data.mask] = np.nan
    return values


def place(data: Trajectories, task: int, frame: int, entity: int, feature: int) -> str:
    """A place in words."""
    return f"task {data.tasks[task]}, frame {frame}, entity {data.entities[entity]}, feature {data.features[feature]}"
