"""A prior of your own: those who are near each other interact more often.

    python examples/own_prior.py [EPOCHS]

Trains on noisy springs, infers new recordings from their first two frames, with and without the prior, and prints how
probable an interaction is for near and for far pairs. 150 epochs take some 10 s on one core.
"""

import sys

import numpy as np
import torch

from bouncegrad import RelationalInference, simulate
from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.inference import infer


def near(tracks, pairs, length):
    """Log-probabilities `Float[M, S, K]` of types 0 and 1: log odds are 2 (1 - r / length), r the mean distance."""
    source, target = pairs
    apart = torch.as_tensor(tracks.x[..., :2], dtype=torch.float32)
    distance = (apart[:, :, source] - apart[:, :, target]).norm(dim=-1).mean(1)
    odds = 2 * (1 - distance / length)
    return torch.nn.functional.logsigmoid(torch.stack([-odds, odds], -1))


def main(epochs: int = 150) -> None:
    tasks = simulate("springs", tasks=100, entities=4, seed=0, noise=0.01)
    model = RelationalInference(edge_types=2, pinned=True, seed=0, epochs=epochs).fit(tasks).model_
    new = simulate("springs", tasks=50, entities=4, seed=1, noise=0.01).frames(0, 2)
    composition, tracks = model.on(new), scaled_tracks(new, model.scaling)
    prior = near(new, composition.pairs, length=1.0)
    far = np.quantile(prior[..., 1], 0.5)
    for name, stated in (("without", None), ("with", prior)):
        acts = infer(composition, tracks, prior=stated).probability[..., 1]
        likely = prior[..., 1] > far
        print(f"{name} the prior: near {acts[likely].mean():.3f}, far {acts[~likely].mean():.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
