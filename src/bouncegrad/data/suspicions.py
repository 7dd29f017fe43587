"""Checks for frequent mistakes in recordings. Every check yields lines that name the place and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float, UInt64

from bouncegrad.data import motion
from bouncegrad.data.angles import without_seams
from bouncegrad.data.derivatives import derivative
from bouncegrad.data.observed import location, not_finite, observed_values
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories, plural
from bouncegrad.data.units import other_units

FEW_FRAMES = 10  # fewer changes rarely suffice to fit a law
MISMATCH = 0.2  # relative error; far above that of finite differences at usual time steps
CATEGORIES = 10  # most categories; quantities that are counted usually take more values
RUN = 5  # frames; fewer equal frames in a row may be a coincidence, for example at rest


def suspicions(data: Trajectories, parts: Mapping[str, Trajectories]) -> Iterator[str]:
    """Yields the lines of all checks. Repeated frames are searched for in all parts together."""
    for check in (
        few_frames,
        unusable_values,
        never_recorded,
        unusual_features,
        motion.checks,
        units_differ,
        velocity_mismatch,
    ):
        yield from check(data)
    yield from repeated_frames(parts or {"": data})
    if "train" in parts and "valid" not in parts:
        yield (
            f"parts are {', '.join(parts)}, none is called valid, so a run has no tasks of this folder to be validated "
            "on; name some with --new"
        )


def few_frames(data: Trajectories) -> Iterator[str]:
    """Warns of fewer frames than `FEW_FRAMES`, and of fewer frames than entities."""
    _, t, n, _ = data.shape
    if t < FEW_FRAMES:
        yield f"only {t} frames; laws of interaction can hardly be distinguished, record more"
    if n > t:
        yield f"more entities ({n}) than frames ({t}); if the table is transposed, exchange its axes"


def unusable_values(data: Trajectories) -> Iterator[str]:
    """Warns of observed values that are not finite."""
    bad = not_finite(data)
    if bad.any():
        count = int(bad.sum())
        first = location(data, *np.argwhere(bad)[0])
        yield (
            f"{count:,} {plural('value', count)} not finite, first at {first}; put NaN where nothing was recorded or "
            "cut these frames"
        )


def never_recorded(data: Trajectories) -> Iterator[str]:
    """Warns of an entity that has some features but never this one, so that none of its frames is used."""
    never = np.isnan(data.x).all(1)
    for entity, feature in np.argwhere((never & ~never.all(-1, keepdims=True)).any(0))[:1]:
        yield (
            f"entity {data.entities[entity]} never has the feature {data.features[feature]}, so that none of its "
            "frames counts; give it a number, such as 0, or leave the feature out"
        )


def unusual_features(data: Trajectories) -> Iterator[str]:
    """Warns of features that never change, and of features with at most `CATEGORIES` different whole values."""
    for i, name in enumerate(data.features):
        values = observed_values(data, i)
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            yield f"feature {name} is always {values[0]:.4g}; it has no information, leave it out"
        elif (values == np.round(values)).all():
            kinds = len(np.unique(values))
            # With few values in all, any feature has few different ones. Places on a grid are no categories.
            if name not in (*POSITIONS, *VELOCITIES) and kinds <= CATEGORIES and 10 * kinds <= values.size:
                yield (
                    f"feature {name} takes only {kinds} whole values; if they are codes of categories, give one 0/1 "
                    f"feature for each; if they are a quantity that changes, train with --quantities [{name}]"
                )


def codes(data: Trajectories) -> list[str]:
    """Returns the features that look like codes of categories.

    These have 3 to `CATEGORIES` different whole values, and change in time for some entity. The error between two codes
    would depend on how categories are numbered. Features with two values are not returned, since all codes of two
    values are equal up to shift and scale. Codes that never change are not predicted, so they are not returned either,
    nor are positions and velocities.
    """
    known = {*POSITIONS, *VELOCITIES}
    return [name for i, name in enumerate(data.features) if name not in known and _coded(observed_values(data, i))]


def _coded(values: Float[np.ndarray, "M T N"]) -> bool:
    """Returns whether the values of one feature look like codes of categories."""
    finite = np.isfinite(values)
    kinds = np.unique(values[finite])
    few = 3 <= len(kinds) <= CATEGORIES and 10 * len(kinds) <= finite.sum()
    if not few or (kinds != np.round(kinds)).any():
        return False
    lowest = np.where(finite, values, np.inf).min(1, keepdims=True)
    return bool((values != lowest)[finite].any())


def units_differ(data: Trajectories) -> Iterator[str]:
    """Warns of tasks whose positions are in another unit than those of most tasks."""
    for other in other_units(data):
        x = observed_values(data, other.axes[0])[other.tasks[0]]
        name, by = data.features[other.axes[0]], other.unit
        times = f"{1 / by:.4g} times" if by < 1 else f"1/{by:.4g}"
        yield (
            f"{other.place(data)}: places and steps are about {times} as large as in most tasks, {name} is "
            f"{np.nanmin(x):.4g} to {np.nanmax(x):.4g} in task {data.tasks[other.tasks[0]]}; if the unit is another, "
            f"add --same_unit, which subtracts the origin and multiplies by {by:g}"
        )


def velocity_mismatch(data: Trajectories) -> Iterator[str]:
    """Warns if velocities differ from the derivative of the positions by more than `MISMATCH` in the median."""
    axes = [axis for axis in POSITIONS if axis in data.features and f"v{axis}" in data.features]
    if not axes:
        return
    position, stated = (
        np.stack([observed_values(data, data.features.index(name + axis)) for axis in axes], axis=-1)
        for name in ("", "v")
    )
    periods = data.periods[[data.features.index(axis) for axis in axes]]
    here = np.isfinite(position).all(-1)
    whole = np.where(here[..., None], without_seams(position, here, periods), np.nan)
    derived = derivative(whole if periods.any() else position, data.dt)
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
    """Warns of tasks that repeat `RUN` frames in a row of an earlier task, in the same part or in another."""
    names = [f"{task} of {part}" if part else task for part, data in parts.items() for task in data.tasks]
    runs = [_fingerprints(data) for data in parts.values()]
    task = np.repeat(np.arange(len(names)), [rows.shape[1] for rows in runs for _ in rows])
    prints = np.concatenate([rows.ravel() for rows in runs])
    # Frames in which no entity was observed are padding, and are all equal.
    task, prints = task[prints != 0], prints[prints != 0]
    _, first, number = np.unique(prints, return_index=True, return_inverse=True)
    earliest = task[first][number]
    repeats = np.unique(task[earliest != task])
    if repeats.size:
        original = earliest[(task == repeats[0]) & (earliest != task)][0]
        yield (
            f"{repeats.size} {plural('task', repeats.size)} with frames of earlier tasks, first task "
            f"{names[repeats[0]]}, which repeats {RUN} frames or more of task {names[original]}; "
            "remove copies and overlapping clips"
        )


def _fingerprints(data: Trajectories) -> UInt64[np.ndarray, "M R"]:
    """Returns a hash of each run of `RUN` frames; 0 if no entity was observed in one of them.

    Equal runs have equal hashes. Two different runs have equal hashes with a probability of 2^-64.
    """
    x = data.x.astype(np.float64)
    observed = np.logical_and.reduce(np.isfinite(x), axis=-1)
    if data.mask is not None:
        observed &= data.mask
    x[~observed] = 0.0
    frames = _hashed(x.reshape(*x.shape[:2], -1).view(np.uint64), seed=0)
    frames[~observed.any(2)] = 0
    runs = np.lib.stride_tricks.sliding_window_view(frames, min(RUN, frames.shape[1]), axis=1)
    return np.where((runs != 0).all(-1), _hashed(runs.copy(), seed=1), np.uint64(0))


def _hashed(bits: UInt64[np.ndarray, "... width"], seed: int) -> UInt64[np.ndarray, " ..."]:
    """Returns a hash of each row; `bits` is overwritten."""
    factors = np.random.default_rng(seed).integers(2**63, size=bits.shape[-1], dtype=np.uint64) * 2 + 1
    # Round numbers end in zero bits, and products keep these. So upper bits are mixed into lower ones before and after.
    bits ^= bits >> np.uint64(32)
    bits *= factors
    bits ^= bits >> np.uint64(29)
    return bits.sum(-1, dtype=np.uint64)
