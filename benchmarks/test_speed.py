"""How fast the parts are on this machine: `make bench`. Five charged particles, default settings, 49 frames."""

from __future__ import annotations

from itertools import cycle

import pytest
import torch

from bouncegrad.core.batches import Batch, scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.inference import infer
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.seams import Clock
from bouncegrad.core.structures import edge_index
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.settings.build import build
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

TASKS = 256


@pytest.fixture(scope="module")
def data() -> Trajectories:
    return simulate("charged", TASKS, seed=0)


def parts(data: Trajectories) -> tuple[BounceGrad, Batch]:
    loop, batches = build(resolve(Config(hot=0.0), data.shape), data, Scaling.fit(data), edge_index(data.shape[2]))
    return loop, next(batches(loop.generator))


def test_training_step(benchmark, data: Trajectories) -> None:
    """One search move and one gradient step on a batch."""
    loop, batch = parts(data)
    benchmark(lambda: loop.run([Clock(0, 0.5)], lambda _: iter([batch]), lambda *_: None))


def test_gradient_step(benchmark, data: Trajectories) -> None:
    loop, batch = parts(data)
    assert loop.optimizer is not None
    benchmark(loop.step, loop.optimizer, batch, loop.z[batch.tasks])


def test_conditionals(benchmark, data: Trajectories) -> None:
    """The losses of all 16 fillings of each entity's incoming edges."""
    loop, batch = parts(data)
    columns = torch.arange(4).expand(5, 4)
    benchmark(loop.composition.conditional_losses, batch, loop.z[batch.tasks], columns)


def test_inference(benchmark, data: Trajectories) -> None:
    """256 new tasks of 49 frames."""
    loop, _ = parts(data)
    benchmark(infer, loop.composition, scaled_tracks(data, Scaling.fit(data)))


@pytest.mark.parametrize("path", ["grouped", "dense"])
@pytest.mark.parametrize("width", [64, 256])
def test_module_pool(benchmark, path: str, width: int) -> None:
    """Both ways to evaluate a pool of two modules, forward and backward, 16,384 rows."""
    generator = torch.Generator().manual_seed(0)
    pool = ModulePool(2, (12, width, width, width), generator, path=path)
    x, which = torch.randn(16384, 12, generator=generator), torch.randint(2, (16384,), generator=generator)
    benchmark(lambda: pool(x, which).sum().backward())


def test_simulation(benchmark) -> None:
    """1,000 simulations, after compilation."""
    simulate("charged", 8)
    seeds = cycle(range(1000))
    benchmark.pedantic(lambda: simulate("charged", 1000, seed=next(seeds)), rounds=5)
