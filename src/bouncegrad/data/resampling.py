"""Resamples states recorded at any times to evenly spaced frames, by cubic splines.

Nothing is interpolated across a gap. There is a gap between two records if the time between them is longer than 1.5
usual steps of their task and longer than one new step. Frames in a gap were not observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import from_start, unwrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories, plural

USUAL = "usual"
LATE = 1.5  # usual steps; at two usual steps a frame is missing, which `gaps.py` treats
SAME = 1e-6  # steps; a frame this close to a record is an exact copy of that record
# A grid may have this many cells for each record, so that memory follows the size of the file. Small grids are allowed.
SPARSEST, FEW = 50, 10_000

Step = float | str


class Evenly(NamedTuple):
    """The resampling that is asked for: the time between frames, or `usual`, the angles and the periodic positions."""

    step: Step
    angles: tuple[str, ...] = ()
    periodic: tuple[str, ...] = ()


@dataclass(frozen=True)
class Records:
    """States recorded at any times, of all tasks and entities together.

    Args:
        task: the number of the task of each state.
        entity: the number of the entity of each state.
        time: the time of each state.
        values: the D features of each state, all finite.
        source: the file or command that the states came from, for messages.
        periods: the period of each feature that wraps; 0 for other features.
    """

    task: Int[np.ndarray, " rows"]
    entity: Int[np.ndarray, " rows"]
    time: Float[np.ndarray, " rows"]
    values: Float[np.ndarray, "rows D"]
    source: str
    periods: Float[np.ndarray, " D"]

    def tracks(self) -> Iterator[tuple[int, int, Float[np.ndarray, " S"], Float[np.ndarray, "S D"]]]:
        """Yields task, entity, times and states for each entity of each task, sorted by time."""
        order = np.lexsort((self.time, self.entity, self.task))
        cuts = np.flatnonzero(np.diff(self.task[order]) | np.diff(self.entity[order])) + 1
        for rows in np.split(order, cuts):
            yield int(self.task[rows[0]]), int(self.entity[rows[0]]), self.time[rows], self.values[rows]


class EvenFrames(NamedTuple):
    """States at even frames, their mask (true: observed), the time step, and a description of the resampling."""

    x: Float[np.ndarray, "M T N D"]
    mask: Bool[np.ndarray, "M T N"] | None
    dt: float
    done: str = ""


def resample(data: Trajectories, step: Step = USUAL, times: Float[np.ndarray, "*M T"] | None = None) -> Trajectories:
    """Returns the same recordings at evenly spaced frames, interpolated by cubic splines.

    Every task begins at its first record. Where two records of an entity are further apart than 1.5 usual steps of the
    task and further than the new step, the frames between them were not observed. All features are interpolated in the
    same way, including stated velocities. Derived velocities are derived again from the new positions.

    Args:
        data: the recordings; values that their mask hides are not used.
        step: the time between the new frames, or `usual` for the median time between two records of an entity.
        times: the times of the frames, `[frame]` for all tasks or `[task, frame]`. If it is None, frames are `data.dt`
            apart.

    Raises:
        InputError: the step cannot be used, times do not rise, or an observed value is not finite.

    Example:
        >>> times = np.array([0.0, 1.0, 2.1, 3.0, 4.0])
        >>> x = (times**3)[None, :, None, None].repeat(2, axis=2)
        >>> resample(Trajectories(x), times=times).x[0, :, 0, 0].round(9).tolist()
        [0.0, 1.0, 8.0, 27.0, 64.0]
    """
    m, t, n, _ = data.require_finite().shape
    when = np.arange(t) * data.dt if times is None else np.asarray(times, np.float64)
    if when.shape not in ((t,), (m, t)):
        raise InputError(f"{data.source}: times have shape {when.shape}; give {(t,)} for all tasks, or {(m, t)}")
    when = np.broadcast_to(when, (m, t))
    observed = np.ones((m, t, n), bool) if data.mask is None else data.mask
    for name, moments, used in zip(data.tasks, when, np.asarray(observed.any(2)), strict=True):
        if not (np.isfinite(moments[used]).all() and (np.diff(moments[used]) > 0).all()):
            raise InputError(f"{data.source}: times of task {name} do not rise from frame to frame; sort its frames")
    task, frame, entity = np.nonzero(observed)
    values = data.x[task, frame, entity].astype(np.float64)
    records = Records(task, entity, when[task, frame], values, data.source, data.periods)
    even = even_frames(records, m, n, step)
    made = replace(data, x=even.x.astype(data.x.dtype), mask=even.mask, dt=even.dt, resampling=even.done)
    return made.frames(0)


def even_frames(records: Records, tasks: int, entities: int, step: Step) -> EvenFrames:
    """Returns the records on one grid of frames, with all tasks as long as the longest.

    Args:
        records: the recorded states.
        tasks: the number of tasks.
        entities: the number of entities.
        step: the time between the new frames, or `usual`.

    Raises:
        InputError: the step cannot be used, or makes far more frames than were recorded.
    """
    tracks = list(records.tracks()) if len(records.time) else []
    steps = [np.diff(times) for _, _, times, _ in tracks]
    whose = np.repeat([task for task, *_ in tracks], [len(found) for found in steps])
    recorded = np.concatenate([np.zeros(0), *steps])
    if not recorded.size:
        raise InputError(f"{records.source}: no entity was recorded twice in a task; a change needs two frames")
    usual = np.array([low_median(recorded[whose == task], recorded) for task in range(tasks)])
    dt = chosen_step(step, float(f"{low_median(recorded, recorded):.12g}"))
    start, end = np.full(tasks, np.inf), np.full(tasks, -np.inf)
    np.minimum.at(start, records.task, records.time)
    np.maximum.at(end, records.task, records.time)
    frames = 1 + int(np.floor((end - start).max() / dt + SAME))
    require_dense(frames, dt, tasks * entities, len(records.time), records.source)
    lowest = np.where(records.values.min(0) >= 0, 0.0, -records.periods / 2)
    x = np.full((tasks, frames, entities, records.values.shape[1]), np.nan)
    for task, entity, times, values in tracks:
        grid = start[task] + dt * np.arange(frames)
        made = on_grid(times, unwrapped(values, records.periods), grid, max(LATE * usual[task], dt), SAME * dt)
        x[task, :, entity] = from_start(made, records.periods, lowest)
    done = f"resampled to steps of {dt:g} (recorded: {recorded.min():.4g} to {recorded.max():.4g}, usually "
    return EvenFrames(x, ~np.isnan(x).any(-1), dt, f"{done}{low_median(recorded, recorded):.4g})")


def on_grid(
    times: Float[np.ndarray, " S"],
    values: Float[np.ndarray, "S D"],
    grid: Float[np.ndarray, " T"],
    apart: float,
    same: float,
) -> Float[np.ndarray, "T D"]:
    """Returns one track at the times of a grid: splines between records at most `apart` from each other, NaN elsewhere.

    A time of the grid within `same` of a record gets the values of that record.
    """
    from scipy.interpolate import CubicSpline  # imported here, so that `--help` does not load scipy

    made = np.full((len(grid), values.shape[1]), np.nan)
    for piece in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > apart * (1 + SAME)) + 1):
        within = (grid >= times[piece[0]]) & (grid <= times[piece[-1]])
        if within.any() and len(piece) > 1:
            made[within] = CubicSpline(times[piece], values[piece])(grid[within])
    after = np.searchsorted(times, grid).clip(1, max(len(times) - 1, 1))
    for near in (after - 1, after.clip(max=len(times) - 1)):
        hit = np.abs(times[near] - grid) <= same
        made[hit] = values[near[hit]]
    return made


def chosen_step(step: Step, usual: float) -> float:
    """Returns the step that is asked for.

    Raises:
        InputError: it is neither a number above 0 nor `usual`.
    """
    if step == USUAL:
        return usual
    try:
        found = float(step)
    except (TypeError, ValueError):
        found = np.nan
    if not (np.isfinite(found) and found > 0):
        raise InputError(f"option resample: {step!r} cannot be used; give the time between two frames, or {USUAL}")
    return found


def require_dense(frames: int, dt: float, tracks: int, rows: int, source: str) -> None:
    """Refuses a grid in which hardly any cell is close to a record."""
    if frames * tracks > max(SPARSEST * rows, FEW):
        raise InputError(
            f"{source}: steps of {dt:g} make up to {frames:,} frames of {tracks:,} {plural('entity', tracks)} in all "
            f"tasks, from {rows:,} records; give longer steps, or cut recordings at long pauses"
        )


def low_median(steps: Float[np.ndarray, " some"], otherwise: Float[np.ndarray, " more"]) -> float:
    """Returns the median, or the lower one of two middle values. If there are no steps, it is that of `otherwise`."""
    steps = steps if len(steps) else otherwise
    return float(np.sort(steps)[(len(steps) - 1) // 2])
