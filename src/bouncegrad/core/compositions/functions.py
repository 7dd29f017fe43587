"""What sums and chains share: slots that any module may fill, and the squared error at some points.

loss_b = mean_p (y_p - predict(z_b, x_p))²
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import vmap

from bouncegrad.core.compositions.module_library import Library, Weights
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.points import RegressionBatch


class FunctionComposition(nn.Module, ABC):
    """A function for each task, made of modules in slots; abstract, a composition says what `predict` does.

    Every slot is a group of its own, so a proposal draws one slot of each task anew (as published).

    Args:
        pools: the module types; every slot may hold a module of any of them.
        slots: S.
    """

    def __init__(self, pools: Sequence[ModulePool], slots: int) -> None:
        super().__init__()
        self.module_library, self.slots = Library(pools), slots
        self.groups = torch.arange(slots)[:, None]

    @property
    def choices(self) -> int:
        """K, the modules of all types together."""
        return self.module_library.modules_count

    def weights(self, z: Int[Tensor, "B S"]) -> Weights:
        """What each task would adapt: the weights of its modules, `[B, S, ...]`; differentiable in the modules."""
        return self.module_library.taken(z)

    @abstractmethod
    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        """One task's function with these weights `[S, ...]`, its own or the shared ones."""

    def forward(
        self, x: Float[Tensor, "B P inputs"], z: Int[Tensor, "B S"], weights: Weights | None = None
    ) -> Float[Tensor, "B P outputs"]:
        """Every task's function at its points; with weights of each task's own if they are given."""
        return vmap(self.predict)(self.weights(z) if weights is None else weights, z, x)

    def loss(self, batch: RegressionBatch, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Mean squared error of each task at the points that are judged."""
        return (self(batch.judged.x, z) - batch.judged.y).square().mean((1, 2))
