"""Adaptation: before a task is judged, its weights take a few gradient steps on its own fitted points (MAML).

    w_0 = W[z],    w_{i+1} = w_i - rate ∇ loss(w_i; fitted points),    loss = loss(w_steps; judged points)

The modules learn through these steps. By second order the gradient also passes through the inner gradients; by first
order the inner gradients are taken as constants.

Two choices give the four algorithms of the 2018 paper: the number of modules (with more than one, structures are
searched), and whether tasks adapt:

                        not adapted     adapted
    one module          Pooled          MAML
    more than one       BounceGrad      MoMA

Sources: Finn et al. 2017 (MAML); Alet et al. 2018, algorithm 3 (MoMA).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import grad, vmap

from bouncegrad.core.compositions.module_library import Weights
from bouncegrad.core.points import Points, RegressionBatch
from bouncegrad.core.seams import Composition


class Adaptable(Composition, Protocol):
    """A composition that can be evaluated with separate weights for each task."""

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Returns the learned tensors of the modules with their names."""

    def weights(self, z: Int[Tensor, "B S"]) -> Weights:
        """Returns the weights that each task adapts; the first axis is the task. Differentiable in the modules."""

    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        """Returns the outputs of one task's function with these weights."""


class Adapted:
    """A composition whose tasks adapt before they are judged. It has the same modules as the given composition.

    The search uses this loss too, so a structure is judged by its loss after adaptation.

    Args:
        composition: the composition whose weights adapt.
        steps: number of inner gradient steps. `steps` and `rate` may be changed between training and test.
        rate: learning rate of the inner steps.
        second_order: whether the modules also learn through the inner gradients.
    """

    def __init__(self, composition: Adaptable, steps: int = 1, rate: float = 0.01, second_order: bool = True) -> None:
        self.composition, self.steps, self.rate, self.second_order = composition, steps, rate, second_order

    @property
    def slots(self) -> int:
        """S, the number of slots."""
        return self.composition.slots

    @property
    def choices(self) -> int:
        """K, the number of modules that may fill a slot."""
        return self.composition.choices

    @property
    def groups(self) -> Int[Tensor, "G degree"]:
        """Groups of slots that belong together."""
        return self.composition.groups

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Returns the learned tensors of the modules with their names."""
        return self.composition.named_parameters()

    def state_dict(self) -> dict[str, Any]:
        """Returns the weights of the modules."""
        return self.composition.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Restores these weights."""
        return self.composition.load_state_dict(state_dict)

    def loss(self, batch: RegressionBatch, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Returns the mean squared error of each task at its judged points, after its inner steps."""
        return vmap(self.error)(self.weights(batch.fitted, z), z, batch.judged)

    def weights(self, fitted: Points, z: Int[Tensor, "B S"]) -> Weights:
        """Returns each task's weights after its inner steps."""
        weights, slope = self.composition.weights(z), vmap(grad(self.error))
        for _ in range(self.steps):
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.second_order):
                slopes = slope(weights, z, fitted)
            weights = {name: weight - self.rate * slopes[name] for name, weight in weights.items()}
        return weights

    def error(self, weights: Weights, z: Int[Tensor, " S"], points: Points) -> Float[Tensor, ""]:
        """Returns the mean squared error of one task with these weights."""
        return (self.composition.predict(weights, z, points.x) - points.y).square().mean()
