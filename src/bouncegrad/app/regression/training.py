"""Runs one of the four algorithms on regression tasks and measures its four errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.app.regression.building import build_adapted, build_loop, build_modules, build_tasks
from bouncegrad.app.regression.settings import RegressionConfig
from bouncegrad.core.annealing import Clock
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.base import Composition
from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.points import RandomTasks, RegressionBatch, every_task
from bouncegrad.data.regression import RegressionTasks

LAST_RATE = 0.02
TASKS_AT_ONCE = 256


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
    config = config.resolve()
    training, new = data or build_tasks(config)
    generator = torch.Generator().manual_seed(config.seed)
    modules = build_modules(config, training.x.shape[2], training.y.shape[2], generator)
    visits = every_task(training)
    variance = float(visits.fitted.y.var())
    loop = build_loop(config, modules, len(visits.tasks), variance, generator, test=False)
    steps = Steps(config, loop, -(-len(visits.tasks) // config.batch))
    loop.run(steps.clocks(), RandomTasks(visits, config.batch), lambda *_: report(steps.count()))
    seconds = steps.seconds
    visits_new = every_task(new)
    z_new = found_structures(config, modules, visits_new, variance, generator)
    errors = measured(config, modules, (visits, visits_new), (loop.z, z_new))
    return Trained(config, modules, loop.z, z_new, errors, steps.done, seconds)


class Steps:
    """The clocks of a run, and its learning rate; a run ends with its last whole pass, or when its time is over."""

    def __init__(self, config: RegressionConfig, loop: BounceGrad, per_pass: int) -> None:
        self.config, self.loop, self.done, self.started = config, loop, 0, time.monotonic()
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

    def clocks(self) -> Iterator[Clock]:
        """One for each pass."""
        epoch = 0
        while (progress := self.progress) < 1:
            rate = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2
            for group in self.loop.optimizer.param_groups if self.loop.optimizer else ():
                group["lr"] = self.config.learning_rate * rate
            yield Clock(epoch, progress, progress)
            epoch += 1

    def count(self) -> float:
        """One more is done; the progress after it."""
        self.done += 1
        return self.progress


def found_structures(
    config: RegressionConfig,
    modules: FunctionComposition,
    visits: RegressionBatch,
    variance: float,
    generator: torch.Generator,
) -> Int[Tensor, "M S"]:
    """Structures of tasks never seen before, from their fitted points, by annealing from random ones."""
    loop = build_loop(config, modules, len(visits.tasks), variance, generator, test=True)
    total = config.search_steps or 0
    clocks = (Clock(step, step / total, step / total) for step in range(total))
    loop.run(clocks, RandomTasks(visits, TASKS_AT_ONCE), lambda *report: None)
    return loop.z


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
