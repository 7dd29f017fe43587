"""The sum: the module of every slot sees the input, and the outputs are added.

y = Σ_s m_{z_s}(x)
"""

from __future__ import annotations

from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.compositions.module_library import Weights, filled, tied


@final
class Sum(FunctionComposition):
    """A sum of S modules; their order does not matter.

    Source: Alet et al. 2018, section 5.1.
    """

    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        return filled(self.module_library, tied(weights, z), z, x.expand(self.slots, *x.shape)).sum(0)
