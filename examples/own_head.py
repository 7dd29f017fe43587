"""A likelihood of your own: errors with Student's t distribution, whose heavy tails forgive rare large errors.

    python examples/own_head.py [EPOCHS]
    bouncegrad train --head own_head:StudentT --data tracks.npz --out run    (in the folder examples)

Trains on springs whose recordings have outliers, with the Gaussian head and with this one, and prints how many edges of
new recordings each gets right. 300 epochs take about 20 s on one core.
"""

import math
import sys

import numpy as np
import torch

from bouncegrad import RelationalInference, Trajectories, simulate
from bouncegrad.results.metrics import edge_accuracy, relabelling

FREEDOM = 3.0  # degrees of freedom; the smaller, the heavier the tails
CONSTANT = math.lgamma(FREEDOM / 2) - math.lgamma((FREEDOM + 1) / 2) + math.log(FREEDOM * math.pi) / 2


class StudentT:
    """-log p = constant + v / 2 + (ν + 1) / 2 log(1 + error² exp(-v) / ν),  v: logarithm of the squared scale."""

    def loss(self, error, log_variance):
        """Negative log-density, element by element, in nats."""
        square = error.square() * torch.exp(-log_variance)
        return CONSTANT + log_variance / 2 + (FREEDOM + 1) / 2 * torch.log1p(square / FREEDOM)


def with_outliers(data: Trajectories, share: float, seed: int) -> Trajectories:
    """The same recordings; a share of the states is off by about the size of the system."""
    generator = np.random.default_rng(seed)
    off = generator.random(data.shape[:3]) < share
    x = data.x + off[..., None] * data.x.std((0, 1, 2)) * generator.standard_normal(data.shape)
    return Trajectories(x, edges=data.edges, dt=data.dt, features=data.features)


def main(epochs: int = 300) -> None:
    tasks = with_outliers(simulate("springs", tasks=150, entities=4, seed=0), share=0.02, seed=0)
    new = with_outliers(simulate("springs", tasks=100, entities=4, seed=1), share=0.02, seed=1)
    for head in ("gaussian", "own_head:StudentT"):
        model = RelationalInference(edge_types=2, seed=0, epochs=epochs, head=head).fit(tasks)
        found = model.infer(new).edges
        print(f"{head}: {edge_accuracy(new.edges, found, relabelling(new.edges, found, 2)):.3f} of the edges are right")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
