"""Two compositions of your own: the smallest one, and one that the command line trains.

    python examples/own_composition.py [EPOCHS]
    bouncegrad train --composition own_composition:LinearLaws --data tracks.npz --out run    (in the folder examples)

`Factors`: each task is a series y(t+1) = a_k y(t), and its only slot says which of K factors it has. The first command
prints the learned factors (0.5 and 0.8 made the series) and how many tasks got theirs. 100 epochs take a second.
`LinearLaws`: entities act on each other linearly, and the slots are edges.
"""

import copy
import sys

import torch
from torch import nn

from bouncegrad.core.annealing import Geometric
from bouncegrad.core.batches import RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.heads import gaussian_loss
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock
from bouncegrad.core.structures import edge_index, incoming_edges, outer_sum, random_structure


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


class LinearLaws(nn.Module):
    """K linear laws between entities: the change of entity t is  A x_t + b + Σ_s P_{z(s->t)} (x_s - x_t) + noise.

    Its slots are the candidate pairs, so that a structure is a graph, and the command line can train it:
    `bouncegrad train --composition own_composition:LinearLaws --data tracks.npz --out run`.
    """

    def __init__(self, setup) -> None:
        super().__init__()
        self.features, self.choices = len(setup.features), setup.config.edge_types
        self.lags, self.pinned = 0, False
        d = self.features
        self.pull = nn.Parameter(0.1 * torch.randn(self.choices, d, d, generator=setup.generator))
        self.own = nn.Parameter(torch.zeros(d, d))
        self.shift = nn.Parameter(torch.zeros(d))
        self.log_variance = nn.Parameter(torch.zeros(d))
        self.register_buffer("temperature", torch.ones(()))  # is set by the calibration
        self._place(setup.place.entities, setup.place.pairs)

    def _place(self, entities, pairs) -> None:
        self.entities, self.pairs = entities, edge_index(entities) if pairs is None else pairs
        self.groups, self.slots = incoming_edges(self.pairs, entities), self.pairs.shape[1]

    def on(self, entities, pairs=None, kinds=None):
        """The same modules on other entities or candidate pairs."""
        other = copy.copy(self)
        other._place(entities, pairs)
        return other

    def steps(self, batch):
        """Every observed step of a batch: states before and after, `Float[B * steps, N, D]`, and the task of each."""
        segments = batch.segments[..., : self.features]
        before, after = segments[:, :, :-1].flatten(0, 2), segments[:, :, 1:].flatten(0, 2)
        return before, after, torch.arange(len(batch.tasks)).repeat_interleave(batch.steps)

    def messages(self, x):
        """What each pair would send under each type, `Float[rows, E, K, D]`."""
        difference = x[:, self.pairs[0]] - x[:, self.pairs[1]]
        return torch.stack([difference @ pull for pull in self.pull], 2)

    def losses(self, error):
        """Negative log-likelihood of each entity, `Float[rows, N, ...]`, in nats."""
        return gaussian_loss(error, self.log_variance).sum(-1)

    def loss(self, batch, z):
        """Mean loss of each task per number, `Float[B]`."""
        before, after, task = self.steps(batch)
        types = z[task][:, :, None, None].expand(-1, -1, 1, self.features)
        sent = self.messages(before).gather(2, types)[:, :, 0]
        arriving = torch.zeros_like(before).index_add(1, self.pairs[1], sent)
        loss = self.losses(after - before - before @ self.own - self.shift - arriving)
        return loss.view(len(z), -1).mean(1) / self.features

    @torch.no_grad()
    def conditional_losses(self, batch, z, columns):
        """Summed loss of every filling of some edges into each entity, `Float[B, N, fillings]`, for the heat bath.

        `columns[n]` says which of the edges `groups[n]` are filled; the others are as in `z`.
        """
        before, after, task = self.steps(batch)
        sent = nn.functional.pad(self.messages(before), (0, 0, 0, 0, 0, 1))  # groups are padded with a slot of zeros
        base = before @ self.own + self.shift
        kept = torch.ones(self.groups.shape, dtype=torch.bool).scatter(1, columns, False)
        types = nn.functional.pad(z, (0, 1))[task][:, self.groups]
        rest = sent[:, self.groups].gather(3, types[..., None, None].expand(-1, -1, -1, 1, self.features))[:, :, :, 0]
        base = base + (rest * kept[..., None]).sum(2)
        chosen = self.groups.gather(1, columns)
        change = outer_sum([sent[:, chosen[:, i]] for i in range(columns.shape[1])], base)
        loss = self.losses((after - before)[:, :, None] - change).double()
        return torch.zeros(len(z), *loss.shape[1:], dtype=torch.float64).index_add(0, task, loss)


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
