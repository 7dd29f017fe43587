"""The chain: the module of each slot is applied to the output of the slot before.

y = m_{z_S}(... m_{z_2}(m_{z_1}(x)))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.compositions.module_library import Weights, filled, tied
from bouncegrad.core.modules import ModulePool


@final
class Chain(FunctionComposition):
    """S modules, one after the other. With one slot and one module it is a plain network.

    Raises:
        ValueError: there is more than one slot, and a module has not as many outputs as inputs.

    Source: Alet et al. 2018, section 3 ("functional composition").
    """

    def __init__(self, pools: Sequence[ModulePool], slots: int) -> None:
        super().__init__(pools, slots)
        inputs, outputs = self.module_library.inputs, self.module_library.outputs
        if slots > 1 and inputs != outputs:
            raise ValueError(f"{inputs} inputs, {outputs} outputs; modules in a chain need equal numbers")

    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        weights = tied(weights, z)
        for s in range(self.slots):
            of_slot = {name: weight[s : s + 1] for name, weight in weights.items()}
            x = filled(self.module_library, of_slot, z[s : s + 1], x[None])[0]
        return x
