"""A composition of your own: each task is a series y(t+1) = a_k y(t), and its only slot says which of K factors it has.

    python examples/own_composition.py [EPOCHS]

Prints the learned factors (0.5 and 0.8 made the series) and how many tasks got theirs. 100 epochs take a second.
"""

import sys

import torch
from torch import nn

from bouncegrad.core.annealing import Geometric
from bouncegrad.core.batches import RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock
from bouncegrad.core.structures import random_structure


class Factors(nn.Module):
    """One slot; the modules are K factors."""

    slots = 1
    groups = torch.zeros(1, 1, dtype=torch.long)  # one group, which holds slot 0

    def __init__(self, choices: int) -> None:
        super().__init__()
        self.choices = choices
        self.factor = nn.Parameter(torch.linspace(0.4, 0.9, choices))

    def loss(self, batch, z):
        """Mean squared error of each task, `Float[B]`."""
        before, after = batch.segments[:, :, 0], batch.segments[:, :, 1]
        return (after - self.factor[z[:, 0]][:, None, None, None] * before).square().mean((1, 2, 3))

    @torch.no_grad()
    def conditional_losses(self, batch, z, columns):
        """Of every filling of every group, summed, in nats: `Float[B, G, fillings]`. Only the heat bath asks for it."""
        count, variance = batch.segments[0, :, 1].numel(), 1e-4
        kinds = [self.loss(batch, torch.full_like(z, k)) * count / (2 * variance) for k in range(self.choices)]
        return torch.stack(kinds, -1)[:, None].double()


def series(tasks, generator):
    """Made-up series `Float[task, frame, 1, 1]`, and which factor each of them follows."""
    truth = torch.arange(tasks) % 2
    start = 1 + torch.rand(tasks, 1, generator=generator)
    return (start * torch.where(truth == 0, 0.5, 0.8)[:, None] ** torch.arange(6))[:, :, None, None], truth


def loop_of(composition, tasks, generator, **parts):
    """The loop with the default parts, or with others that are named."""
    default = {
        "search": HeatBath(tasks),
        "proposal": Uniform(composition.groups, composition.choices),
        "annealer": Geometric(10.0, 1.0),
        "optimizer": torch.optim.Adam(composition.parameters(), lr=0.02),
    }
    z = random_structure(tasks, composition.slots, composition.choices, generator)
    return BounceGrad(composition, z=z, generator=generator, **(default | parts))


def run(loop, tracks, epochs):
    """One epoch per clock; a clock tells how much of the run is over."""
    clocks = (Clock(epoch, epoch / epochs) for epoch in range(epochs))
    loop.run(clocks, RandomFrames(tracks, batch=10, segments=3), lambda clock, batch, move, loss: None)


def main(epochs: int = 100) -> None:
    generator = torch.Generator().manual_seed(0)
    tracks, truth = series(20, generator)
    model = Factors(choices=2)
    loop = loop_of(model, len(tracks), generator)
    run(loop, tracks, epochs)
    right = int((loop.z[:, 0] == truth).sum())
    print("factors:", *(f"{factor:.3f}" for factor in model.factor.tolist()))
    print(f"tasks that got theirs: {right} of {len(truth)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
