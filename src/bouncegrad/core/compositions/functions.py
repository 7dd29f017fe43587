"""The common part of sums and chains: slots that any module may fill, and the squared error at some points.

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
    """A function for each task, made of modules in slots. This class is abstract: each composition defines `predict`.

    Every slot is a group of its own, so a proposal changes one slot of each task (as published).

    Args:
        pools: the module types; every slot may hold a module of any of them.
        slots: S.
    """

    def __init__(self, pools: Sequence[ModulePool], slots: int) -> None:
        super().__init__()
        self.module_library, self.slots = Library(pools), slots
        self.groups = torch.arange(slots, device=pools[0].weights[0].device)[:, None]

    @property
    def choices(self) -> int:
        """K, the number of modules of all types together."""
        return self.module_library.modules_count

    def weights(self, z: Int[Tensor, "B S"]) -> Weights:
        """Returns the weights of each task's modules, `[B, S, ...]`, for adaptation; differentiable in the modules."""
        return self.module_library.taken(z)

    @abstractmethod
    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        """Returns the outputs of one task's function with these weights `[S, ...]`, shared or adapted."""

    def forward(
        self, x: Float[Tensor, "B P inputs"], z: Int[Tensor, "B S"], weights: Weights | None = None
    ) -> Float[Tensor, "B P outputs"]:
        """Returns the outputs of each task's function at its points; `weights` replaces the shared weights."""
        return vmap(self.predict)(self.weights(z) if weights is None else weights, z, x)

    def loss(self, batch: RegressionBatch, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Returns the mean squared error of each task at its judged points."""
        return (self(batch.judged.x, z) - batch.judged.y).square().mean((1, 2))
