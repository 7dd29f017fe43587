"""The effect of each edge on its target, as the modules have learned it.

    effect(s -> t) = change(Σ_j m_{j->t}, x_t) - change(Σ_{j != s} m_{j->t}, x_t)

The second term leaves one message out of the sum. An edge of a type that means "no interaction" may still send a
constant, because the node module can subtract a constant that every edge sends. Measured, this constant is small.
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
    """Returns the target's predicted change in a frame, with minus without the message of each edge (scaled units).

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
