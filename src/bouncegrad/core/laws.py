"""What each edge does to its target, as the modules have learned it.

    effect(s -> t) = change(Σ_j m_{j->t}, x_t) - change(Σ_{j != s} m_{j->t}, x_t)

A message that is left out is no message at all. What an edge of a type that means "no interaction" sends need not be
nothing: a constant that every edge sends can be made up for by the node module. Measured, it is small.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition


@torch.no_grad()
def effects(
    composition: GraphComposition, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]
) -> Float[Tensor, "B C E D"]:
    """The target's predicted change in one frame with the message of each edge, less that without it (scaled units).

    Args:
        composition: trained modules.
        x: states, with their history.
        z: the structure under which all other messages are sent.
    """
    (b, c, _, _), target = x.shape, composition.pairs[1]
    message, own = composition.sent_along(x, z), composition.own(x).flatten(0, 1)[:, target]
    arriving = composition.sum_by_target(message)[:, target]

    def change(arriving: Float[Tensor, "B*C E width"]) -> Float[Tensor, "B C E D"]:
        output = composition.of_kinds(composition.node, torch.cat([arriving, own], -1).flatten(0, 1), target)
        return composition.heads(output, (b, c, composition.slots))[0]

    return (change(arriving) - change(arriving - message)) * composition.change
