"""Turns settings into tasks, a composition and the loop."""

from __future__ import annotations

from itertools import pairwise

import torch

from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.annealing import Geometric
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.chain import Chain
from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.compositions.sum import Sum
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.points import OnFitted
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Composition
from bouncegrad.core.search import Kept, Metropolis
from bouncegrad.core.structures import random_structure
from bouncegrad.data.functions import functions, sines
from bouncegrad.data.hdf5 import read_hdf5
from bouncegrad.data.regression import RegressionTasks
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.settings.memory import require_memory

SUMS = 120  # of two out of 16 functions
WEIGHT, POINT = 16.0, 48.0  # bytes: of a weight with its gradient and what Adam keeps, of a point in both precisions
COMPOSITIONS = {"sum": Sum, "chain": Chain}


def build_tasks(config: RegressionConfig) -> tuple[RegressionTasks, RegressionTasks]:
    """Training tasks and new ones, from resolved settings."""
    assert config.fitted is not None
    assert config.held_out is not None
    points_made = {"sines": config.tasks, "functions": SUMS}.get(config.data, 0) * (config.fitted + config.held_out)
    require_memory(POINT * points_made, f"{config.data}: {points_made:,} points", "give fewer tasks or points of each")
    points = {"seed": config.seed, "fitted": config.fitted, "held_out": config.held_out}
    if config.data == "sines":
        data = sines(config.tasks, **points)
    else:
        data = functions(**points) if config.data == "functions" else read_hdf5(config.data, **points)
    return data.split(config.new, config.seed)


def build_modules(
    config: RegressionConfig, inputs: int, outputs: int, generator: torch.Generator
) -> FunctionComposition:
    """A composition with fresh weights, from resolved settings."""
    assert config.modules is not None
    assert config.slots is not None
    layers = [(inputs, *map(int, str(word).split("-")), outputs) for word in config.hidden]
    weights = sum(n * a * b for n, widths in zip(config.modules, layers, strict=True) for a, b in pairwise(widths))
    shown = f"setting hidden: modules of {', '.join(map(str, config.hidden))}"
    require_memory(WEIGHT * weights, f"{shown} with {weights:,} weights", "give narrower or fewer modules")
    pools = [
        ModulePool(count, widths, generator, config.activation)
        for count, widths in zip(config.modules, layers, strict=True)
    ]
    return COMPOSITIONS[config.composition](pools, config.slots)


def build_adapted(config: RegressionConfig, modules: FunctionComposition, *, test: bool) -> Composition:
    """The modules as the algorithm uses them, while it learns or at test."""
    steps, rate = (config.test_inner_steps, config.test_inner_rate) if test else (config.inner_steps, config.inner_rate)
    assert steps is not None
    assert rate is not None
    return Adapted(modules, steps, rate, not config.first_order) if steps else modules


def build_loop(
    config: RegressionConfig,
    modules: FunctionComposition,
    tasks: int,
    variance: float,
    generator: torch.Generator,
    *,
    test: bool,
) -> BounceGrad:
    """The loop over this many tasks with structures of their own; at test it holds no optimizer.

    `variance` of the outputs is the unit of temperatures.
    """
    return BounceGrad(
        composition=build_adapted(config, modules, test=test),
        search=OnFitted(Metropolis()) if config.modular else Kept(),
        proposal=Uniform(modules.groups, modules.choices),
        annealer=Geometric(config.temperature * variance, config.coldest * variance),
        z=random_structure(tasks, modules.slots, modules.choices, generator),
        generator=generator,
        optimizer=None if test else torch.optim.Adam(modules.parameters(), lr=config.learning_rate),
        clip=config.clip,
    )
