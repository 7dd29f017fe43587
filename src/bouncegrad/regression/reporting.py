"""The report page of a run on regression tasks: the four errors, the curves of training, and some new tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.points import Points
from bouncegrad.core.structures import random_structure
from bouncegrad.regression.building import build_adapted
from bouncegrad.regression.run import Done, numbers
from bouncegrad.regression.training import measured
from bouncegrad.results.numbers import Number
from bouncegrad.results.plots_functions import FunctionFit
from bouncegrad.results.report import Report, write_report
from bouncegrad.runs.folder import Run

PLACES = 300  # x at which predictions are drawn, enough for smooth curves
MEAN = "mean of the given points"
NAMES = {"pooled": "Pooled", "maml": "MAML", "bouncegrad": "BounceGrad", "moma": "MoMA"}


def run_report(folder: Path, done: Done, command: str, path: Path) -> None:
    """Writes the page of a run.

    Args:
        folder: of the run, for its metrics.
        done: the run.
        command: what was typed; the page shows it.
        path: the file to write.
    """
    config, rows = done.config, Run(folder).rows()
    facts = [
        ("data", config.data),
        ("tasks", f"{len(done.visits[0].tasks)} for training, {len(done.visits[1].tasks)} new"),
        ("points of a task", f"{config.fitted} given, {config.held_out} held out"),
        ("algorithm", config.algorithm),
        ("modules", f"{done.modules.choices} in {config.slots} slots, {config.composition}" if config.modular else "1"),
        ("inner steps", f"{config.test_inner_steps} at a rate of {config.test_inner_rate}"),
        ("seed", str(config.seed)),
    ]
    if not config.adaptive:
        facts = [fact for fact in facts if fact[0] != "inner steps"]
    if rows:
        facts.append(("training", f"{rows[-1]['epoch']:,} epochs in {rows[-1]['seconds'] / 60:.1f} minutes"))
    content = Report(
        title=f"{NAMES[config.algorithm]} on {Path(config.data).name}",
        question="Modules were learned from training tasks; new tasks are known at a few points each.",
        command=command,
        facts=tuple(facts),
        numbers=four_numbers(done),
        curves=tuple(rows),
        fits=new_fits(done),
    )
    write_report(content, path)


def four_numbers(done: Done) -> tuple[Number, ...]:
    """Returns the four errors, each with that of a constant prediction: the mean of the task's given points."""
    found = numbers(measured(*done), done.config)
    rows = []
    for tasks, visits in zip(("training", "new"), done.visits, strict=True):
        mean = visits.fitted.y.mean(1, keepdim=True)
        for side, points in (("fitted", visits.fitted), ("held_out", visits.judged)):
            what = "the given points" if side == "fitted" else "held-out points, to which nothing was fitted"
            meaning = f"mean squared error at {what}, of {len(visits.tasks)} {tasks} tasks, in the units of the data"
            key, constant = f"mse_{tasks}_{side}", float((points.y - mean).square().mean())
            rows.append(Number(key.replace("_", " "), found[key], meaning, {MEAN: constant}))
    return tuple(rows)


@torch.no_grad()
def new_fits(done: Done) -> tuple[FunctionFit, ...]:
    """Returns the predictions for each new task, before and after the model was fitted to its given points.

    Before, a task has the shared weights and, where structures are searched, a random structure. Where x or y has more
    than one component, nothing can be drawn, and the result is empty.
    """
    config, modules, visits, z = done.config, done.modules, done.visits[1], done.z[1]
    fitted, held_out = visits.fitted, visits.judged
    if fitted.x.shape[2] != 1 or fitted.y.shape[2] != 1:
        return ()
    seen = torch.cat([fitted.x, held_out.x], 1)
    places = torch.linspace(float(seen.min()), float(seen.max()), PLACES)[None, :, None].expand(len(z), -1, -1)
    composition, before = build_adapted(config, modules, test=True), None
    weights = composition.weights(fitted, z) if isinstance(composition, Adapted) else None
    after, error = modules(places, z, weights), composition.loss(visits, z)
    if config.modular or config.adaptive:
        first = first_structure(done, z)
        before = modules(places, first), modules.loss(visits, first)
    return tuple(
        FunctionFit(
            str(task),
            pairs(fitted, task),
            pairs(held_out, task),
            places[task, :, 0].numpy(),
            None if before is None else before[0][task, :, 0].numpy(),
            after[task, :, 0].numpy(),
            None if before is None else float(before[1][task]),
            float(error[task]),
        )
        for task in range(len(z))
    )


def first_structure(done: Done, z: Int[Tensor, "M S"]) -> Int[Tensor, "M S"]:
    """Returns random structures where structures are searched, else `z`."""
    if not done.config.modular:
        return z
    generator = torch.Generator().manual_seed(done.config.seed)
    return random_structure(len(z), done.modules.slots, done.modules.choices, generator)


def pairs(points: Points, task: int) -> Float[np.ndarray, "P 2"]:
    """Returns the points (x, y) of one task."""
    return torch.cat([points.x[task], points.y[task]], 1).numpy()
