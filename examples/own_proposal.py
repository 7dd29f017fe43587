"""A proposal, a move and an encoder for a search that proposes and tests, on the series of `own_composition.py`.

    python examples/own_proposal.py [EPOCHS]

Prints for each how many tasks end with the factor that made them.
"""

import sys

import torch
from torch import nn

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.moves import drawn
from bouncegrad.core.proposals import Learned, Uniform
from bouncegrad.core.search import Metropolis
from own_composition import Factors, loop_of, run, series


class Popular:
    """Draws one random slot of each task anew: a module is the likelier, the more often it was accepted so far."""

    def __init__(self, choices: int) -> None:
        self.counts = torch.ones(choices)

    def __call__(self, batch, z, generator):
        slot = torch.randint(z.shape[1], (len(z), 1), generator=generator)
        return z.scatter(1, slot, torch.multinomial(self.counts, len(z), True, generator=generator)[:, None])

    def learn(self, batch, move) -> None:
        """Told what became of it, after every move."""
        self.counts += move.z[move.accepted].flatten().bincount(minlength=len(self.counts))

    def state_dict(self) -> dict:
        return {"counts": self.counts}

    def load_state_dict(self, state: dict) -> None:
        self.counts = state["counts"]


def redraw_half(z, probability, groups, generator):
    """A move: every slot is filled anew with probability 1/2. The built-in proposals take any."""
    return torch.where(torch.rand(z.shape, generator=generator) < 0.5, drawn(probability, generator), z)


class Steepness(nn.Module):
    """An encoder: logits `Float[B, S, K]` from how far a series has fallen by its end."""

    reads_structures = False  # tracks alone decide, so one evaluation serves all proposals of a visit

    def __init__(self, choices: int, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator  # of what it drops while it learns; here nothing
        self.line = nn.Parameter(torch.randn(2, choices, generator=generator))

    def forward(self, tracks, z, learning=False):
        ratio = (tracks[:, -1] / tracks[:, 0]).flatten(1)
        return (self.line[0] * ratio + self.line[1])[:, None]


def main(epochs: int = 100) -> None:
    for name in ("Popular", "redraw_half", "Steepness"):
        generator = torch.Generator().manual_seed(0)
        tracks, truth = series(20, generator)
        model = Factors(choices=2)
        proposal = {
            "Popular": Popular(2),
            "redraw_half": Uniform(model.groups, 2, redraw_half),
            "Steepness": Learned(Steepness(2, generator), model.groups),
        }[name]
        loop = loop_of(model, 20, generator, search=Metropolis(), proposal=proposal, annealer=Fixed(1e-6))
        run(loop, tracks, epochs)
        print(f"{name}: {int((loop.z[:, 0] == truth).sum())} of {len(truth)} tasks got theirs")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
