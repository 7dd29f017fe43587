"""Makes the tasks, the composition and the loop from settings."""

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
from bouncegrad.regression.settings import Resolved
from bouncegrad.settings.memory import require_memory

SUMS = 120  # tasks of the data set "functions": all sums of two out of 16
WEIGHT = 16.0  # bytes of a weight: its value, its gradient and two averages of Adam, each in single precision
POINT = 48.0  # bytes of a point, in double precision as it is made and in single precision for training
COMPOSITIONS = {"sum": Sum, "chain": Chain}


def build_tasks(config: Resolved) -> tuple[RegressionTasks, RegressionTasks]:
    """Returns the training tasks and the new tasks.

    Raises:
        InputError: they do not fit into memory, or the file cannot be read.
    """
    points_made = {"sines": config.tasks, "functions": SUMS}.get(config.data, 0) * (config.fitted + config.held_out)
    require_memory(POINT * points_made, f"{config.data}: {points_made:,} points", "give fewer tasks or points of each")
    points = {"seed": config.seed, "fitted": config.fitted, "held_out": config.held_out}
    if config.data == "sines":
        data = sines(config.tasks, **points)
    else:
        data = functions(**points) if config.data == "functions" else read_hdf5(config.data, **points)
    return data.split(config.new, config.seed)


def build_modules(config: Resolved, inputs: int, outputs: int, generator: torch.Generator) -> FunctionComposition:
    """Returns the composition, with weights drawn from `generator`.

    Raises:
        InputError: the weights do not fit into memory.
    """
    layers = [(inputs, *map(int, str(word).split("-")), outputs) for word in config.hidden]
    weights = sum(n * a * b for n, widths in zip(config.modules, layers, strict=True) for a, b in pairwise(widths))
    shown = f"setting hidden: modules of {', '.join(map(str, config.hidden))}"
    require_memory(WEIGHT * weights, f"{shown} with {weights:,} weights", "give narrower or fewer modules")
    pools = [
        ModulePool(count, widths, generator, config.activation)
        for count, widths in zip(config.modules, layers, strict=True)
    ]
    return COMPOSITIONS[config.composition](pools, config.slots)


def build_adapted(config: Resolved, modules: FunctionComposition, *, test: bool) -> Composition:
    """Returns the composition that the algorithm uses in training or at test: adapted to each task, or as it is."""
    steps, rate = (config.test_inner_steps, config.test_inner_rate) if test else (config.inner_steps, config.inner_rate)
    return Adapted(modules, steps, rate, not config.first_order) if steps else modules


def build_loop(
    config: Resolved,
    modules: FunctionComposition,
    tasks: int,
    variance: float,
    generator: torch.Generator,
    *,
    test: bool,
) -> BounceGrad:
    """Returns the loop over tasks, each with a random structure of its own.

    Args:
        config: resolved settings.
        modules: the composition.
        tasks: M, how many tasks there are.
        variance: of the outputs; temperatures are in units of it.
        generator: of all random draws.
        test: whether the modules stay as they are; if so, the loop has no optimizer.
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
