"""The library: modules of one or more pools, numbered consecutively, which fill the slots of a sum or a chain.

A slot has the weights of its module, `w_s = W[z_s]`. They are taken from the stacked weights once per visit, and
everything else is a function of them. So shared weights, and weights that a task has adapted, are evaluated by the
same few batched products, without a loop over tasks or modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from bouncegrad.core.modules import ModulePool

Weights = dict[str, Tensor]
"""Weights of slots by the name of the stacked parameter, `[S, ...]`, or `[B, S, ...]` for several tasks."""


class Library(nn.Module):
    """All modules that may fill a slot. Module types are pools of different shapes with equal inputs and outputs.

    Args:
        pools: the module types. The modules of the first pool are 0 to K_1 - 1, those of the second pool follow.

    Raises:
        ValueError: the pools differ in inputs or outputs.
    """

    def __init__(self, pools: Sequence[ModulePool]) -> None:
        super().__init__()
        ends = {(pool.sizes[0], pool.sizes[-1]) for pool in pools}
        if len(ends) != 1:
            raise ValueError(f"pools have the (inputs, outputs) {sorted(ends)}; all pools of a library must be alike")
        self.inputs, self.outputs = ends.pop()
        self.pools = nn.ModuleList(pools)
        self.counts = [pool.modules_count for pool in pools]
        self.firsts = [sum(self.counts[:i]) for i in range(len(pools))]

    @property
    def modules_count(self) -> int:
        """K, the number of modules of all types together."""
        return sum(self.counts)

    def taken(self, z: Int[Tensor, "B S"]) -> Weights:
        """Returns the weights of every slot, `[B, S, ...]`, from each pool; those of other module types are unused."""
        taken: Weights = {}
        for i, (first, count) in enumerate(zip(self.firsts, self.counts, strict=True)):
            which = (z - first).clamp(0, count - 1)
            for name, parameter in self.pools[i].named_parameters():
                taken[f"pools.{i}.{name}"] = parameter.index_select(0, which.flatten()).unflatten(0, z.shape)
        return taken

    def forward(self, x: Float[Tensor, "S P inputs"], z: Int[Tensor, " S"]) -> Float[Tensor, "S P outputs"]:
        """Evaluates the modules of the slots of one task, each on its own points."""
        one, *others = cast(list[ModulePool], list(self.pools))
        y = one.layers(x, first=0)
        for pool, first in zip(others, self.firsts[1:], strict=True):
            y = torch.where((z >= first)[:, None, None], pool.layers(x, first=0), y)
        return y


def filled(
    library: Library, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "S P inputs"]
) -> Float[Tensor, "S P outputs"]:
    """Evaluates the slots of one task with these weights, each on its own points."""
    return functional_call(library, weights, (x, z))


def tied(weights: Weights, z: Int[Tensor, " S"]) -> Weights:
    """Gives slots of one task with the same module the weights of the first of them, so that they learn together."""
    first = (z[:, None] == z).int().argmax(1)
    return {name: weight.index_select(0, first) for name, weight in weights.items()}
