"""Modules with known functions, batches of points, and a composition of a single weight."""

from __future__ import annotations

import torch
from torch import nn

from bouncegrad.core.compositions.chain import Chain
from bouncegrad.core.compositions.sum import Sum
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.points import Points, RegressionBatch

COMPOSITIONS = {"sum": Sum, "chain": Chain}


def known_pool() -> ModulePool:
    """Returns m0: x + 1, m1: 10 x, m2: x². Each is a combination of two squares, exact for small whole numbers.

    x + 1 = ((x + 2)² - x²) / 4 and 10 x = ((x + 10)² - (x - 10)²) / 4.
    """
    pool = ModulePool(3, (1, 2, 1), torch.Generator().manual_seed(0))
    pool.activation = lambda x, inplace=False: x.square()
    with torch.no_grad():
        pool.weights[0].fill_(1.0)
        pool.biases[0][:, 0] = torch.tensor([[2.0, 0.0], [10.0, -10.0], [0.0, 0.0]])
        pool.weights[1][:, :, 0] = torch.tensor([[0.25, -0.25], [0.25, -0.25], [1.0, 0.0]])
        pool.biases[1].zero_()
    return pool


def small(kind: str, slots: int = 2, seed: int = 0):
    """Returns a composition of two module types, with three and two modules and random weights."""
    generator = torch.Generator().manual_seed(seed)
    pools = [ModulePool(3, (2, 5, 2), generator), ModulePool(2, (2, 4, 4, 2), generator)]
    return COMPOSITIONS[kind](pools, slots)


def points(tasks: int, count: int, width: int = 2, seed: int = 0) -> Points:
    generator = torch.Generator().manual_seed(seed)
    return Points(*(torch.randn(tasks, count, width, generator=generator) for _ in range(2)))


def random_points(tasks: int = 6) -> RegressionBatch:
    return RegressionBatch(torch.arange(tasks), points(tasks, 4, seed=1), points(tasks, 3, seed=2))


def part(batch: RegressionBatch, tasks) -> RegressionBatch:
    """Returns some of the tasks of a batch."""
    return RegressionBatch(batch.tasks[tasks], *(Points(*(v[tasks] for v in side)) for side in batch[1:]))


class OneWeight(nn.Module):
    """The function y = w x."""

    slots = choices = 1
    groups = torch.zeros(1, 1, dtype=torch.long)

    def __init__(self, w: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([w], dtype=torch.float64))

    def weights(self, z):
        return {"w": self.w[z]}

    def predict(self, weights, z, x):
        return weights["w"] * x


def a_point(y: float) -> Points:
    """Returns one task with one point at x = 1."""
    return Points(torch.ones(1, 1, 1, dtype=torch.float64), torch.full((1, 1, 1), y, dtype=torch.float64))
