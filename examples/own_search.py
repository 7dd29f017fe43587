"""A search move and an annealer of your own, on the series of `own_composition.py`.

    python examples/own_search.py [EPOCHS]
    bouncegrad train --search own_search:Tempered --data tracks.npz --out run    (in the folder examples)

The first command prints how many tasks got the factor that made them, and the temperature at the end.
"""

import sys

import torch

from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.structures import fillings
from own_composition import Factors, loop_of, run, series


class Tempered:
    """Fills every group with its best filling, with probability 1 / (1 + T); otherwise the group stays as it is."""

    def __init__(self, setup=None) -> None:
        """The command line gives a `SearchSetup`, which this search does not need."""

    @torch.no_grad()
    def __call__(self, composition, proposal, batch, z, temperature, generator) -> Move:
        groups, choices = composition.groups, composition.choices
        columns = torch.arange(groups.shape[1]).expand(groups.shape)
        best = composition.conditional_losses(batch, z, columns).argmin(-1)
        filled = fillings(choices, groups.shape[1])[best]
        moves = torch.rand(best.shape, generator=generator) < 1 / (1 + temperature)
        new = z.clone()
        new[:, groups] = torch.where(moves[..., None], filled, z[:, groups])
        return Move(new, new != z, torch.empty(0), torch.empty(0))

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None: ...


class Linear:
    """T falls linearly from `start` to 0."""

    def __init__(self, start: float) -> None:
        self.start = self.temperature = start

    def update(self, clock: Clock, move: Move) -> None:
        self.temperature = self.start * (1 - clock.progress)

    def state_dict(self) -> dict:
        return {"temperature": self.temperature}

    def load_state_dict(self, state: dict) -> None:
        self.temperature = state["temperature"]


def main(epochs: int = 100) -> None:
    generator = torch.Generator().manual_seed(0)
    tracks, truth = series(20, generator)
    model = Factors(choices=2)
    loop = loop_of(model, len(tracks), generator, search=Tempered(), annealer=Linear(3.0))
    run(loop, tracks, epochs)
    print(f"tasks that got theirs: {int((loop.z[:, 0] == truth).sum())} of {len(truth)}")
    print(f"temperature at the end: {loop.annealer.temperature:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
