"""Where the search for unseen entities starts, and which starts go on."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition


def best_rows(cost: Float[Tensor, "M starts"], count: int) -> Int[Tensor, " M*count"]:
    """The starts of least cost of every task, as rows of all."""
    tasks, starts = cost.shape
    return (torch.arange(tasks)[:, None] * starts + cost.topk(count, largest=False).indices).flatten()


def first_tracks(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    z: Int[Tensor, "M*starts E"],
    count: int,
    starts: int,
    generator: torch.Generator,
) -> Float[Tensor, "M*starts T H D"]:
    """Where a visible entity once was, going on from there by the law under the first structures."""
    _, frames, v, _ = visible.shape
    frame = torch.randint(frames, (starts, count), generator=generator)
    who = torch.randint(v, (starts, count), generator=generator)
    each = visible.repeat_interleave(starts, 0)
    found = [visible[:, frame, who].flatten(0, 1)]
    for t in range(frames - 1):
        state = torch.cat([each[:, t], found[-1]], 1)[:, None]
        found.append(composition(state, z)[:, 0, v:])
    return torch.stack(found, 1)
