"""From the rows of a long table to a grid: every entity of every task at evenly spaced frames, gaps included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import periods_of
from bouncegrad.data.errors import InputError
from bouncegrad.data.resampling import EvenFrames, Evenly, Records, Step, even_frames
from bouncegrad.data.trajectories import Trajectories, plural

States = Float[np.ndarray, "M T N D"]
Observed = Bool[np.ndarray, "M T N"] | None
# Times rounded to milliseconds at 30 frames a second stay within this share of a step; a missing frame does not.
TOLERANCE = 0.05
SPARSEST, FEW = 50, 10_000  # cells for each row, and cells that always may be
FARTHEST = 1e12  # usual steps from one time to the next: more are a mistake, and would overflow


@dataclass(frozen=True)
class Grid:
    """The rows of a long table, sorted by task, then time, then entity (rows given twice: by line).

    Args:
        path: the table, for messages.
        task: which task each row is of.
        time: its time.
        entity: which entity.
        line: its line in the file.
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
        self, values: Float[np.ndarray, "rows D"], features: tuple[str, ...], evenly: Evenly | None
    ) -> Trajectories:
        """The states as recordings, resampled if asked.

        Raises:
            InputError: as `filled` and `resampled`.
        """
        if evenly is None:
            even = EvenFrames(*self.filled(values))
        else:
            turns = periods_of(evenly.angles, features, ("",) * len(features), str(self.path))
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
        """States on even frames, true where there is a row without a blank (None: everywhere), and dt.

        Runs are as long as the longest, with all entities: what has no row was not observed.

        Raises:
            InputError: a row stands twice, steps of time are uneven or differ from task to task, or hardly any cell
                would be filled.
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
        """The same from rows at any times, see `resampling.py`; rows with a blank are none.

        Raises:
            InputError: a row stands twice, or the step cannot be used.
        """
        self._require_once()
        there = ~np.isnan(values).any(-1)
        task, entity, time = (column[there] for column in (self.task, self.entity, self.time))
        records = Records(task, entity, time, values[there], str(self.path), periods)
        return even_frames(records, len(self.tasks), len(self.entities), step)

    def _require_once(self) -> None:
        same = [np.diff(column) == 0 for column in (self.task, self.time, self.entity)]
        again = np.flatnonzero(np.logical_and.reduce(same)) + 1
        if again.size:
            row = again[self.line[again].argmin()]
            raise InputError(
                f"{self.path}, line {self.line[row]}: task {self.tasks[self.task[row]]}, time {self.time[row]:g}, "
                f"entity {self.entities[self.entity[row]]} stood in line {self.line[row - 1]} already; remove one"
            )

    def _frames(self) -> tuple[Int[np.ndarray, " rows"], float]:
        """The frame of each row, counted from the first of its task, and dt."""
        frame, steps = np.zeros(len(self.time), np.int64), {}
        for task, rows in enumerate(np.split(np.arange(len(self.time)), np.flatnonzero(np.diff(self.task)) + 1)):
            times, which = np.unique(self.time[rows], return_inverse=True)
            if len(times) == 1:
                continue
            number, steps[task] = self._even(task, times)
            frame[rows] = number[which]
        if not steps:
            return frame, 1.0  # one frame makes no step; `Trajectories` refuses that
        first = min(steps)
        for task, step in steps.items():
            if abs(step - steps[first]) > TOLERANCE * steps[first]:
                raise InputError(
                    f"{self.path}: task {self.tasks[first]} has time steps of {steps[first]:g}, task "
                    f"{self.tasks[task]} of {step:g}; resample to one step with --resample {steps[first]:g}"
                )
        # Sums of decimals such as 0.1 are off in the last bits.
        return frame, float(f"{np.median(list(steps.values())):.12g}")

    def _even(self, task: int, times: Float[np.ndarray, " T"]) -> tuple[Int[np.ndarray, " T"], float]:
        """Numbers of frames and the step between them; whole steps may be left out."""
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
            raise uneven(int(steps.argmax()), "correct the time, or make a task of its own of what comes after it")
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
