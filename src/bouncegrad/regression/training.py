"""Runs one of the four algorithms on regression tasks and measures its four errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.points import RandomTasks, RegressionBatch, every_task
from bouncegrad.core.seams import Clock, Composition, Move
from bouncegrad.data.regression import RegressionTasks
from bouncegrad.regression.building import build_adapted, build_loop, build_modules, build_tasks
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.runs.counts import Counts

LAST_RATE = 0.02
TASKS_AT_ONCE = 256
STEPS_A_ROW = 64
SECONDS_A_CHECKPOINT = 30.0


class Errors(NamedTuple):
    """Mean squared errors, always all four, in the squared units of the data; tasks that adapt have adapted."""

    training_fitted: float
    training_held_out: float
    new_fitted: float
    new_held_out: float


class Trained(NamedTuple):
    """What a run leaves: settings as resolved, modules, structures, errors, and what it took."""

    config: RegressionConfig
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
    """Learns modules and structures on training tasks, then searches new tasks' structures with the modules fixed.

    With `meta_steps`, the same settings give the same numbers, to the bit on one machine.

    Args:
        config: settings; None in them is resolved.
        data: training and new tasks; by default those that the settings name.
        report: called after every meta-step with the share of the training that is done.
    """
    training = Training(config, data)
    training.run(report)
    return training.finish()


class Training:
    """One run: what it learns from, the loop, and how far it is.

    Args:
        config: settings; None in them is resolved.
        data: training and new tasks; by default those that the settings name.
    """

    def __init__(self, config: RegressionConfig, data: tuple[RegressionTasks, RegressionTasks] | None = None) -> None:
        self.config = config.resolve()
        old, new = data or build_tasks(self.config)
        self.visits, self.visits_new = every_task(old), every_task(new)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.modules = build_modules(self.config, old.x.shape[2], old.y.shape[2], self.generator)
        self.loop = self.loop_over(self.visits, test=False)
        self.steps = Steps(self.config, -(-len(old.names) // self.config.batch))
        self.counts = Counts()

    def loop_over(self, visits: RegressionBatch, *, test: bool) -> BounceGrad:
        """The loop over these tasks, from random structures."""
        variance = float(self.visits.fitted.y.var())
        variance = variance if variance > 0 else 1.0  # outputs that are all alike, or a single one, have no unit
        return build_loop(self.config, self.modules, len(visits.tasks), variance, self.generator, test=test)

    def run(
        self,
        report: Callable[[float], None],
        stop: Callable[[], bool] = lambda: False,
        *,
        add_row: Callable[[dict[str, Any]], None] = lambda row: None,
        save: Callable[[], None] = lambda: None,
    ) -> bool:
        """Goes on to the end, or to the end of a pass after which it is told to stop; whether it is done.

        Args:
            report: called after every meta-step with the share that is done.
            stop: asked between passes.
            add_row: takes metrics, between passes.
            save: called between passes, every half minute.
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
                if self.counts.visits >= STEPS_A_ROW:
                    add_row(self.row())
                if self.steps.seconds - saved > SECONDS_A_CHECKPOINT:
                    save()
                    saved = self.steps.seconds
                yield clock

        tasks = RandomTasks(self.visits, self.config.batch)

        def whole_or_cut(generator: torch.Generator) -> Iterator[RegressionBatch]:
            for batch in tasks(generator):
                yield batch
                if self.steps.progress >= 1:  # its time is over
                    return

        self.loop.run(clocks(), whole_or_cut, counted)
        if self.steps.progress >= 1 and self.counts.visits:
            add_row(self.row())
        return self.steps.progress >= 1

    @property
    def epoch(self) -> int:
        """Passes so far; the last one may have been cut short by the clock."""
        return -(-self.steps.done // self.steps.per_pass)

    def row(self) -> dict[str, Any]:
        """Metrics since the last row, under the names of runs on recordings; null where nothing is searched."""
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
        """Searches the new tasks' structures, and measures."""
        seconds = self.steps.seconds
        loop, total = self.loop_over(self.visits_new, test=True), self.config.search_steps or 0
        clocks = (Clock(step, step / total, step / total) for step in range(total))
        loop.run(clocks, RandomTasks(self.visits_new, TASKS_AT_ONCE), lambda *_: None)
        errors = measured(self.config, self.modules, (self.visits, self.visits_new), (self.loop.z, loop.z))
        return Trained(self.config, self.modules, self.loop.z, loop.z, errors, self.steps.done, seconds)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, between two passes."""
        steps = {"done": self.steps.done, "seconds": self.steps.seconds}
        return steps | {"loop": self.loop.state_dict(), "counts": asdict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        self.loop.load_state_dict(state["loop"])
        self.steps.done = state["done"]
        self.steps.started = time.monotonic() - state["seconds"]
        self.counts = Counts(**state["counts"])


class Steps:
    """Meta-steps done and to come; a run ends with its last whole pass, or where its time is over."""

    def __init__(self, config: RegressionConfig, per_pass: int) -> None:
        self.config, self.per_pass, self.done, self.started = config, per_pass, 0, time.monotonic()
        self.steps = None if config.meta_steps is None else -(-config.meta_steps // per_pass) * per_pass

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        if self.steps is not None:
            return self.done / self.steps
        return min(self.seconds / (60 * (self.config.minutes or 0.0)), 1.0)

    def clocks(self, loop: BounceGrad, stop: Callable[[], bool]) -> Iterator[Clock]:
        """One for each pass; before it the learning rate of the loop is set."""
        while (progress := self.progress) < 1 and not stop():
            rate = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2
            for group in loop.optimizer.param_groups if loop.optimizer else ():
                group["lr"] = self.config.learning_rate * rate
            yield Clock(self.done // self.per_pass, progress, progress)


def measured(
    config: RegressionConfig,
    modules: FunctionComposition,
    visits: tuple[RegressionBatch, RegressionBatch],
    z: tuple[Int[Tensor, "M S"], Int[Tensor, "M_new S"]],
) -> Errors:
    """The four errors of training and new tasks with these structures."""
    composition = build_adapted(config, modules, test=True)
    return Errors(*mean_errors(composition, visits[0], z[0]), *mean_errors(composition, visits[1], z[1]))


@torch.no_grad()
def mean_errors(composition: Composition, visits: RegressionBatch, z: Int[Tensor, "M S"]) -> tuple[float, float]:
    """Of fitted and of held-out points, over all tasks."""
    fitted, held_out = composition.loss(visits.seen, z), composition.loss(visits, z)
    return float(fitted.mean()), float(held_out.mean())
