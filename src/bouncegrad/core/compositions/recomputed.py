"""Gradients of a batch part by part: activations of a part are computed again in the backward pass.

memory: activations of one part, instead of the whole batch;     time: one more forward pass of these layers
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def in_parts(
    function: Callable[[Tensor, Tensor], Tensor], x: Float[Tensor, "B ..."], z: Int[Tensor, "B E"], at_once: int
) -> Float[Tensor, "rows ..."]:
    """Returns `function(x, z)`, computed for parts of the tasks if there are many and gradients are needed.

    Args:
        function: of some tasks and their structures; it draws no random numbers.
        x: states of the tasks.
        z: their structures.
        at_once: tasks of a part; below 1, it counts as 1.
    """
    at_once = max(1, at_once)
    if len(x) <= at_once or not torch.is_grad_enabled():
        return function(x, z)
    parts = zip(x.split(at_once), z.split(at_once), strict=True)
    found = [checkpoint(function, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return torch.cat(found)
