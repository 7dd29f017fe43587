"""Even frames from states recorded at any times: cubic splines between records that lie close together.

Nothing is interpolated across a gap: a frame between two records more than 1.5 usual steps of their task apart, and
more than one new step, was not observed.
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
LATE = 1.5  # usual steps; twice the step is a frame that was left out, which `gaps.py` knows
SAME = 1e-6  # steps; a frame this close to a record is that record, to the bit
SPARSEST, FEW = 50, 10_000  # cells for each record, and cells that always may be

Step = float | str


class Evenly(NamedTuple):
    """How a reader is to resample: the time between frames, or `usual`, and the features that are angles."""

    step: Step
    angles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Records:
    """States recorded at any times, of all tasks and entities together.

    Args:
        task: which task each is of.
        entity: of which entity.
        time: when.
        values: D features, all finite.
        source: for messages.
        periods: a whole turn of each feature that is an angle, 0 of others.
    """

    task: Int[np.ndarray, " rows"]
    entity: Int[np.ndarray, " rows"]
    time: Float[np.ndarray, " rows"]
    values: Float[np.ndarray, "rows D"]
    source: str
    periods: Float[np.ndarray, " D"]

    def tracks(self) -> Iterator[tuple[int, int, Float[np.ndarray, " S"], Float[np.ndarray, "S D"]]]:
        """Task, entity, times and states of each entity of each task, by time."""
        order = np.lexsort((self.time, self.entity, self.task))
        cuts = np.flatnonzero(np.diff(self.task[order]) | np.diff(self.entity[order])) + 1
        for rows in np.split(order, cuts):
            yield int(self.task[rows[0]]), int(self.entity[rows[0]]), self.time[rows], self.values[rows]


class EvenFrames(NamedTuple):
    """States on even frames, true where they were observed, the step between frames, and in words what was done."""

    x: Float[np.ndarray, "M T N D"]
    mask: Bool[np.ndarray, "M T N"] | None
    dt: float
    done: str = ""


def resample(data: Trajectories, step: Step = USUAL, times: Float[np.ndarray, "*M T"] | None = None) -> Trajectories:
    """The same recordings at evenly spaced frames, interpolated by cubic splines where records lie close together.

    Every task begins at its first record. A frame between two records of an entity that are further apart than 1.5 of
    the task's usual steps, and further than the new step, was not observed. All features are interpolated alike, stated
    velocities among them; derived ones are derived anew.

    Args:
        data: the recordings; what their mask hides is not read.
        step: time between the new frames; `usual`: the median time from one record of an entity to the next.
        times: when each frame was recorded, of all tasks or of each; None: every `data.dt`.

    Raises:
        InputError: no such step, times that do not rise, or an observed value that is not finite.

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
    seen = np.ones((m, t, n), bool) if data.mask is None else data.mask
    for name, moments, used in zip(data.tasks, when, np.asarray(seen.any(2)), strict=True):
        if not (np.isfinite(moments[used]).all() and (np.diff(moments[used]) > 0).all()):
            raise InputError(f"{data.source}: times of task {name} do not rise from frame to frame; sort its frames")
    task, frame, entity = np.nonzero(seen)
    values = data.x[task, frame, entity].astype(np.float64)
    records = Records(task, entity, when[task, frame], values, data.source, data.periods)
    even = even_frames(records, m, n, step)
    made = replace(data, x=even.x.astype(data.x.dtype), mask=even.mask, dt=even.dt, resampling=even.done)
    return made.frames(0)


def even_frames(records: Records, tasks: int, entities: int, step: Step) -> EvenFrames:
    """The records of so many tasks and entities on one grid of frames, all tasks as long as the longest.

    Raises:
        InputError: no such step, or a step that makes far more frames than were recorded.
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
    """One track at the times of a grid: splines between records at most `apart`, NaN elsewhere."""
    from scipy.interpolate import CubicSpline  # here, so that help does not load scipy

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
    """The step that was asked for.

    Raises:
        InputError: it is no number above 0, and not `usual`.
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
    """Refuses a grid of which hardly any cell lies near a record."""
    if frames * tracks > max(SPARSEST * rows, FEW):
        raise InputError(
            f"{source}: steps of {dt:g} make up to {frames:,} frames of {tracks:,} {plural('entity', tracks)} in all "
            f"tasks, from {rows:,} records; give longer steps, or cut recordings at long pauses"
        )


def low_median(steps: Float[np.ndarray, " some"], otherwise: Float[np.ndarray, " more"]) -> float:
    """The median, of two middle ones the lower; where there is none, that of others."""
    steps = steps if len(steps) else otherwise
    return float(np.sort(steps)[(len(steps) - 1) // 2])
