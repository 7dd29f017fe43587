"""Runs one of the four algorithms on regression tasks and measures its four errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.pace import cosine
from bouncegrad.core.points import RandomTasks, RegressionBatch, every_task
from bouncegrad.core.seams import Clock, Composition, Move
from bouncegrad.data.regression import RegressionTasks
from bouncegrad.regression.building import build_adapted, build_loop, build_modules, build_tasks
from bouncegrad.regression.settings import RegressionConfig, Resolved
from bouncegrad.runs.counts import Counts

LAST_RATE = 0.02  # share of the first learning rate at the end, so small that the last steps hardly change the modules
TASKS_AT_ONCE = 256  # new tasks in one batch of the search; bounds memory


@dataclass(frozen=True)
class Intervals:
    """How often a run writes.

    Args:
        steps_a_row: meta-steps that a row of metrics is the mean of, rounded up to whole passes; a mean of fewer would
            be noise.
        seconds_a_checkpoint: time between two checkpoints. It is the most that a killed run loses; writing more often
            would slow training down.
    """

    steps_a_row: int = 64
    seconds_a_checkpoint: float = 30.0


INTERVALS = Intervals()
"""The default intervals."""


class Errors(NamedTuple):
    """The four mean squared errors, in squared units of the data, after the inner steps if the algorithm has any."""

    training_fitted: float
    training_held_out: float
    new_fitted: float
    new_held_out: float


class Trained(NamedTuple):
    """The outcome of a run: resolved settings, modules, structures, errors, meta-steps and the time of training."""

    config: Resolved
    modules: FunctionComposition
    z_training: Int[Tensor, "M S"]
    z_new: Int[Tensor, "M_new S"]
    errors: Errors
    meta_steps: int
    seconds: float


def train(
    config: RegressionConfig,
    data: tuple[RegressionTasks, RegressionTasks] | None = None,
    report: Callable[[float], None] = lambda progress: None,
) -> Trained:
    """Learns modules and structures on the training tasks, then searches the structures of new tasks, modules fixed.

    With `meta_steps`, the same settings give the same numbers, to the bit on one machine.

    Args:
        config: settings, resolved or not.
        data: training tasks and new tasks; by default those that the settings name.
        report: called after every meta-step with the share of the training that is done.
    """
    training = Training(config, data)
    training.run(report)
    return training.finish()


class Training:
    """One run: its tasks, its loop and its progress.

    Args:
        config: settings, resolved or not.
        data: training tasks and new tasks; by default those that the settings name.
        intervals: how often the run writes; `INTERVALS` by default.
    """

    def __init__(
        self,
        config: RegressionConfig,
        data: tuple[RegressionTasks, RegressionTasks] | None = None,
        intervals: Intervals | None = None,
    ) -> None:
        self.config, self.intervals = config.resolve(), intervals or INTERVALS
        old, new = data or build_tasks(self.config)
        self.visits, self.visits_new = every_task(old), every_task(new)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.modules = build_modules(self.config, old.x.shape[2], old.y.shape[2], self.generator)
        self.loop = self.loop_over(self.visits, test=False)
        self.steps = Steps(self.config, -(-len(old.names) // self.config.batch))
        self.counts = Counts()

    def loop_over(self, visits: RegressionBatch, *, test: bool) -> BounceGrad:
        """Returns the loop over these tasks, with random structures."""
        variance = float(self.visits.fitted.y.var())
        variance = variance if variance > 0 else 1.0  # equal outputs, or a single one, have no variance to use as unit
        return build_loop(self.config, self.modules, len(visits.tasks), variance, self.generator, test=test)

    def run(
        self,
        report: Callable[[float], None],
        stop: Callable[[], bool] = lambda: False,
        *,
        add_row: Callable[[dict[str, Any]], None] = lambda row: None,
        save: Callable[[], None] = lambda: None,
    ) -> bool:
        """Trains until the run is done, or until `stop` returns true at the end of a pass.

        Args:
            report: called after every meta-step with the share of the training that is done.
            stop: called between passes; true ends the training.
            add_row: called between passes with a row of metrics.
            save: called between passes, as often as the intervals say.

        Returns:
            Whether the run is done.
        """

        def counted(clock: Clock, batch: RegressionBatch, move: Move, loss: Tensor | None) -> None:
            assert loss is not None
            self.steps.done += 1
            self.counts.visits += 1
            self.counts.loss += float(loss.mean())
            self.counts.acceptance += float(move.accepted.float().mean())
            report(self.steps.progress)

        def clocks() -> Iterator[Clock]:
            saved = self.steps.seconds
            for clock in self.steps.clocks(self.loop, stop):
                if self.counts.visits >= self.intervals.steps_a_row:
                    add_row(self.row())
                if self.steps.seconds - saved > self.intervals.seconds_a_checkpoint:
                    save()
                    saved = self.steps.seconds
                yield clock

        tasks = RandomTasks(self.visits, self.config.batch)

        def whole_or_cut(generator: torch.Generator) -> Iterator[RegressionBatch]:
            for batch in tasks(generator):
                yield batch
                if self.steps.progress >= 1:  # the limit of time is reached within a pass
                    return

        self.loop.run(clocks(), whole_or_cut, counted)
        if self.steps.progress >= 1 and self.counts.visits:
            add_row(self.row())
        return self.steps.progress >= 1

    @property
    def epoch(self) -> int:
        """Passes so far; the limit of time may have ended the last one early."""
        return -(-self.steps.done // self.steps.per_pass)

    def row(self) -> dict[str, Any]:
        """Returns the metrics since the last row, with the same keys as for recordings.

        Temperature and acceptance are None where nothing is searched.
        """
        counts, searched = self.counts, self.config.modular
        self.counts = Counts()
        return {
            "epoch": self.epoch,
            "progress": self.steps.progress,
            "seconds": self.steps.seconds,
            "loss": counts.loss / counts.visits,
            "temperature": self.loop.annealer.temperature if searched else None,
            "acceptance": counts.acceptance / counts.visits if searched else None,
            "learning_rate": self.loop.optimizer.param_groups[0]["lr"] if self.loop.optimizer else None,
            "skipped_steps": self.loop.skipped,
        }

    def finish(self) -> Trained:
        """Searches the structures of the new tasks and measures the four errors."""
        seconds = self.steps.seconds
        loop, total = self.loop_over(self.visits_new, test=True), self.config.search_steps
        clocks = (Clock(step, step / total, step / total) for step in range(total))
        loop.run(clocks, RandomTasks(self.visits_new, TASKS_AT_ONCE), lambda *_: None)
        errors = measured(self.config, self.modules, (self.visits, self.visits_new), (self.loop.z, loop.z))
        return Trained(self.config, self.modules, self.loop.z, loop.z, errors, self.steps.done, seconds)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state for a checkpoint, between two passes."""
        steps = {"done": self.steps.done, "seconds": self.steps.seconds}
        return steps | {"loop": self.loop.state_dict(), "counts": asdict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over the state of a checkpoint."""
        self.loop.load_state_dict(state["loop"])
        self.steps.done = state["done"]
        self.steps.started = time.monotonic() - state["seconds"]
        self.counts = Counts(**state["counts"])


class Steps:
    """Counts meta-steps. A run ends after its last whole pass, or when its limit of time is reached.

    Args:
        config: resolved settings.
        per_pass: meta-steps in one pass.
    """

    def __init__(self, config: Resolved, per_pass: int) -> None:
        self.config, self.per_pass, self.done, self.started = config, per_pass, 0, time.monotonic()
        self.steps = None if config.meta_steps is None else -(-config.meta_steps // per_pass) * per_pass

    @property
    def seconds(self) -> float:
        """Time of training so far."""
        return time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.steps is not None:
            return self.done / self.steps
        return min(self.seconds / self.config.seconds, 1.0)

    def clocks(self, loop: BounceGrad, stop: Callable[[], bool]) -> Iterator[Clock]:
        """Yields the clock of each pass, after it has set the learning rate of the loop."""
        while (progress := self.progress) < 1 and not stop():
            rate = self.config.learning_rate * cosine(progress, LAST_RATE)
            for group in loop.optimizer.param_groups if loop.optimizer else ():
                group["lr"] = rate
            yield Clock(self.done // self.per_pass, progress, progress)


def measured(
    config: Resolved,
    modules: FunctionComposition,
    visits: tuple[RegressionBatch, RegressionBatch],
    z: tuple[Int[Tensor, "M S"], Int[Tensor, "M_new S"]],
) -> Errors:
    """Returns the four errors, of training tasks and new tasks with these structures."""
    composition = build_adapted(config, modules, test=True)
    return Errors(*mean_errors(composition, visits[0], z[0]), *mean_errors(composition, visits[1], z[1]))


@torch.no_grad()
def mean_errors(composition: Composition, visits: RegressionBatch, z: Int[Tensor, "M S"]) -> tuple[float, float]:
    """Returns the mean error at fitted points and the mean error at held-out points, over all tasks."""
    fitted, held_out = composition.loss(visits.seen, z), composition.loss(visits, z)
    return float(fitted.mean()), float(held_out.mean())
