"""Whether the rows of a long table form a full grid: every entity of every task at the same, evenly spaced frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import plural

# Times rounded to milliseconds at 30 frames a second stay within this share of a step; a missing frame does not.
TOLERANCE = 0.05


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

    def checked(self) -> tuple[tuple[int, int, int], float]:
        """(M, T, N) and dt of a full grid.

        Raises:
            InputError: a row stands twice or is missing, or tasks differ in entities, frames or steps of time.
        """
        self._require_once()
        self._require_same_entities()
        shape = len(self.tasks), self._full_frames(), len(self.entities)
        return shape, self._even_step(self.time.reshape(shape)[..., 0])

    def _require_once(self) -> None:
        same = [np.diff(column) == 0 for column in (self.task, self.time, self.entity)]
        again = np.flatnonzero(np.logical_and.reduce(same)) + 1
        if again.size:
            row = again[self.line[again].argmin()]
            raise InputError(
                f"{self.path}, line {self.line[row]}: task {self.tasks[self.task[row]]}, time {self.time[row]:g}, "
                f"entity {self.entities[self.entity[row]]} stood in line {self.line[row - 1]} already; remove one"
            )

    def _require_same_entities(self) -> None:
        present = np.zeros((len(self.tasks), len(self.entities)), dtype=bool)
        present[self.task, self.entity] = True
        other = (present != present[0]).any(1)
        if other.any():
            task = int(other.argmax())
            entity = int((present[task] != present[0]).argmax())
            has, lacks = (0, task) if present[0, entity] else (task, 0)
            count = [f"{k} {plural('entity', k)}" for k in map(int, present[[0, task]].sum(1))]
            raise InputError(
                f"{self.path}: task {self.tasks[0]} has {count[0]}, task {self.tasks[task]} has {count[1]}; entity "
                f"{self.entities[entity]} is in task {self.tasks[has]} only, not in task {self.tasks[lacks]}: "
                "keep the entities that all tasks share, or make one file for each set of entities"
            )

    def _full_frames(self) -> int:
        """T, once every task has T frames and every frame has all entities."""
        starts = np.flatnonzero(np.r_[True, (np.diff(self.task) != 0) | (np.diff(self.time) != 0)])
        rows = np.diff(np.r_[starts, len(self.time)])
        if (rows < len(self.entities)).any():
            frame = int((rows < len(self.entities)).argmax())
            first = starts[frame]
            here = self.entity[first : first + rows[frame]]
            lost = int(np.setdiff1d(np.arange(len(self.entities)), here)[0])
            missing = len(starts) * len(self.entities) - len(self.time)
            raise InputError(
                f"{self.path}: task {self.tasks[self.task[first]]} has no row for entity {self.entities[lost]} at time "
                f"{self.time[first]:g} ({missing} {plural('row', missing)} missing in all); "
                "add it or leave the frame out"
            )
        frames = np.bincount(self.task[starts])
        least, most = int(frames.argmin()), int(frames.argmax())
        if frames[least] < frames[most]:
            raise InputError(
                f"{self.path}: task {self.tasks[least]} has {frames[least]} frames, task {self.tasks[most]} has "
                f"{frames[most]}; cut all to the shortest ({frames[least]} frames) or make one file for each length"
            )
        return int(frames[least])

    def _even_step(self, times: Float[np.ndarray, "M T"]) -> float:
        """dt, once all steps are alike. One frame makes no step; `Trajectories` refuses that."""
        if times.shape[1] == 1:
            return 1.0
        steps = (times[:, -1] - times[:, 0]) / (times.shape[1] - 1)
        ideal = times[:, :1] + steps[:, None] * np.arange(times.shape[1])
        uneven = (np.abs(times - ideal) > TOLERANCE * steps[:, None]).any(1)
        if uneven.any():
            task = int(uneven.argmax())
            step = np.diff(times[task])
            usual = float(np.median(step))
            frame = int(np.abs(step - usual).argmax())
            raise InputError(
                f"{self.path}: in task {self.tasks[task]} time goes from {times[task, frame]:g} to "
                f"{times[task, frame + 1]:g}, a step of {step[frame]:g} where {usual:g} is usual; "
                "resample to even steps"
            )
        other = np.abs(steps - steps[0]) > TOLERANCE * steps[0]
        if other.any():
            task = int(other.argmax())
            raise InputError(
                f"{self.path}: task {self.tasks[0]} has time steps of {steps[0]:g}, task {self.tasks[task]} of "
                f"{steps[task]:g}; resample to one step or make one file for each"
            )
        # Sums of decimals such as 0.1 are off in the last bits.
        return float(f"{np.median(steps):.12g}")
