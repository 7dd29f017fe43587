"""Arranges the rows of a long table in a grid: every entity of every task at evenly spaced frames, gaps included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import periods_of
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.lost import without_lost
from bouncegrad.data.resampling import FEW, SPARSEST, EvenFrames, Records, Step, even_frames
from bouncegrad.data.trajectories import Trajectories, plural

States = Float[np.ndarray, "M T N D"]
Observed = Bool[np.ndarray, "M T N"] | None
# Times may be off by this share of a step. At 30 frames per second, rounding to milliseconds stays below it.
TOLERANCE = 0.05
FARTHEST = 1e12  # usual steps between two times: a longer pause is a mistake, and would overflow


@dataclass(frozen=True)
class Grid:
    """The rows of a long table, sorted by task, then time, then entity, then line.

    Args:
        path: the table, for messages.
        task: the number of the task of each row.
        time: the time of each row.
        entity: the number of the entity of each row.
        line: the line of each row in the file.
        tasks: names of the tasks.
        entities: names of the entities.
    """

    path: Path
    task: Int[np.ndarray, " rows"]
    time: Float[np.ndarray, " rows"]
    entity: Int[np.ndarray, " rows"]
    line: Int[np.ndarray, " rows"]
    tasks: tuple[str, ...]
    entities: tuple[str, ...]

    def recordings(
        self, values: Float[np.ndarray, "rows D"], features: tuple[str, ...], manner: Manner
    ) -> Trajectories:
        """Returns the states as recordings, resampled if that is asked for.

        Raises:
            InputError: as for `filled` and `resampled`.
        """
        values, evenly = without_lost(values, manner.missing, str(self.path)), manner.evenly
        if evenly is None:
            even = EvenFrames(*self.filled(values))
        else:
            units = ("",) * len(features)
            turns = periods_of(evenly.angles, features, units, str(self.path), evenly.periodic)
            even = self.resampled(values, evenly.step, turns)
        return Trajectories(
            even.x,
            mask=even.mask,
            dt=even.dt,
            features=features,
            entities=self.entities,
            tasks=self.tasks,
            source=str(self.path),
            resampling=even.done,
        )

    def filled(self, values: Float[np.ndarray, "rows D"]) -> tuple[States, Observed, float]:
        """Returns states at even frames, their mask, and dt.

        All tasks are as long as the longest and have all entities. A cell without a row, or with a blank in its row,
        was not observed: the mask is false there. The mask is None if every cell was observed.

        Raises:
            InputError: a row is given twice, time steps are uneven or differ between tasks, or hardly any cell would be
                filled.
        """
        self._require_once()
        frame, dt = self._frames()
        shape = len(self.tasks), int(frame.max()) + 1, len(self.entities)
        self._require_dense(shape)
        x = np.full((*shape, values.shape[1]), np.nan)
        x[self.task, frame, self.entity] = values
        mask = ~np.isnan(x).any(-1)
        return x, None if mask.all() else mask, dt

    def resampled(
        self, values: Float[np.ndarray, "rows D"], step: Step, periods: Float[np.ndarray, " D"]
    ) -> EvenFrames:
        """Returns states at even frames from rows at any times, see `resampling.py`; rows with a blank are ignored.

        Raises:
            InputError: a row is given twice, or the step cannot be used.
        """
        self._require_once()
        complete = ~np.isnan(values).any(-1)
        task, entity, time = (column[complete] for column in (self.task, self.entity, self.time))
        records = Records(task, entity, time, values[complete], str(self.path), periods)
        return even_frames(records, len(self.tasks), len(self.entities), step)

    def _require_once(self) -> None:
        same = [np.diff(column) == 0 for column in (self.task, self.time, self.entity)]
        again = np.flatnonzero(np.logical_and.reduce(same)) + 1
        if again.size:
            row = again[self.line[again].argmin()]
            raise InputError(
                f"{self.path}, line {self.line[row]}: task {self.tasks[self.task[row]]}, time {self.time[row]:g}, "
                f"entity {self.entities[self.entity[row]]} is in line {self.line[row - 1]} already; remove one"
            )

    def _frames(self) -> tuple[Int[np.ndarray, " rows"], float]:
        """Returns the frame of each row, counted from the first frame of its task, and dt."""
        frame, steps = np.zeros(len(self.time), np.int64), {}
        for task, rows in enumerate(np.split(np.arange(len(self.time)), np.flatnonzero(np.diff(self.task)) + 1)):
            times, which = np.unique(self.time[rows], return_inverse=True)
            if len(times) == 1:
                continue
            number, steps[task] = self._even(task, times)
            frame[rows] = number[which]
        if not steps:
            return frame, 1.0  # there is one frame and no step, which `Trajectories` refuses
        first = min(steps)
        for task, step in steps.items():
            if abs(step - steps[first]) > TOLERANCE * steps[first]:
                raise InputError(
                    f"{self.path}: task {self.tasks[first]} has time steps of {steps[first]:g}, task "
                    f"{self.tasks[task]} of {step:g}; resample to one step with --resample {steps[first]:g}"
                )
        # Sums of decimals such as 0.1 have rounding errors in the last bits.
        return frame, float(f"{np.median(list(steps.values())):.12g}")

    def _even(self, task: int, times: Float[np.ndarray, " T"]) -> tuple[Int[np.ndarray, " T"], float]:
        """Returns the numbers of the frames and the step between them; some frames may be missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            step = np.diff(times)
            usual = float(np.sort(step)[(len(step) - 1) // 2])
            steps = step / usual

        def uneven(at: int, remedy: str) -> InputError:
            return InputError(
                f"{self.path}: in task {self.tasks[task]} time goes from {times[at]:g} to {times[at + 1]:g}, a step of "
                f"{step[at]:g} where {usual:g} is usual; {remedy}"
            )

        if steps.max() > FARTHEST:
            raise uneven(int(steps.argmax()), "correct the time, or put the rows after it into another task")
        with np.errstate(over="ignore", invalid="ignore"):
            number = np.r_[0, np.round(steps).cumsum()].astype(np.int64)
            dt = float((times[-1] - times[0]) / max(number[-1], 1))
            off = np.abs(times - (times[0] + number * dt)) > TOLERANCE * dt
        if off.any() or (np.diff(number) < 1).any():
            at = int(np.abs(steps - np.round(steps).clip(1)).argmax())
            raise uneven(at, "resample to even steps with --resample usual, or --resample and a step of your own")
        return number, dt

    def _require_dense(self, shape: tuple[int, int, int]) -> None:
        cells = shape[0] * shape[1] * shape[2]
        if cells > max(SPARSEST * len(self.time), FEW):
            raise InputError(
                f"{self.path}: {len(self.time):,} rows in {shape[0]:,} {plural('task', shape[0])} of up to "
                f"{shape[1]:,} frames and {shape[2]:,} entities in all, so that hardly any of {cells:,} cells is "
                "filled; cut recordings at long pauses, and make one file for each set of entities"
            )


@dataclass(frozen=True)
class Frames:
    """The rows of a table with one row for each task and time, in any order.

    Args:
        path: the table, for messages.
        task: the number of the task of each row.
        time: the time of each row.
        line: the line of each row in the file.
        tasks: names of the tasks.
        entities: names of the entities, which have columns of their own.
    """

    path: Path
    task: Int[np.ndarray, " rows"]
    time: Float[np.ndarray, " rows"]
    line: Int[np.ndarray, " rows"]
    tasks: tuple[str, ...]
    entities: tuple[str, ...]

    def recordings(
        self, values: Float[np.ndarray, "rows N D"], features: tuple[str, ...], manner: Manner
    ) -> Trajectories:
        """Returns the states as recordings; as in the long table, there is then a row for each entity.

        Raises:
            InputError: as for `Grid.recordings`.
        """
        rows, n, d = values.shape
        if not rows or not n:
            raise InputError(f"{self.path}: no entity has a place in any frame; give at least one recording")
        task, time, line = (np.repeat(column, n) for column in (self.task, self.time, self.line))
        who = np.tile(np.arange(n), rows)
        order = np.lexsort((who, time, task))
        grid = Grid(self.path, task[order], time[order], who[order], line[order], self.tasks, self.entities)
        return grid.recordings(values.reshape(-1, d)[order], features, manner)
