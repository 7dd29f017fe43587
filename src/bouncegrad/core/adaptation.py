"""Adaptation: a few gradient steps of each task on its own fitted points, before it is judged (MAML).

    w_0 = W[z],    w_{i+1} = w_i - rate ∇ loss(w_i; fitted points),    loss = loss(w_steps; judged points)

The modules learn through the steps: by second order the gradient passes through the inner gradients too, by first
order these are taken as constants.

The four algorithms of the 2018 paper are two switches, one module or more (then structures are searched), and this:

                        as trained      adapted
    one module          Pooled          MAML
    more than one       BounceGrad      MoMA

Sources: Finn et al. 2017 (MAML); Alet et al. 2018, algorithm 3 (MoMA).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import grad, vmap

from bouncegrad.core.compositions.module_library import Weights
from bouncegrad.core.points import Points, RegressionBatch
from bouncegrad.core.seams import Composition


class Adaptable(Composition, Protocol):
    """A composition that can be evaluated with weights of each task's own."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """What is learned of the modules."""

    def weights(self, z: Int[Tensor, "B S"]) -> Weights:
        """What each task adapts, the first axis is the task; differentiable in the modules."""

    def predict(
        self, weights: Weights, z: Int[Tensor, " S"], x: Float[Tensor, "P inputs"]
    ) -> Float[Tensor, "P outputs"]:
        """One task's function with these weights."""


class Adapted:
    """A composition whose tasks adapt before they are judged; itself a composition, with the same modules.

    Search asks for its loss too, so a structure is judged by what adaptation makes of it.

    Args:
        composition: what is adapted.
        steps: inner gradient steps; may be changed between training and test, as may `rate`.
        rate: their rate.
        second_order: whether the modules learn through the inner gradients.
    """

    def __init__(self, composition: Adaptable, steps: int = 1, rate: float = 0.01, second_order: bool = True) -> None:
        self.composition, self.steps, self.rate, self.second_order = composition, steps, rate, second_order

    @property
    def slots(self) -> int:
        """S."""
        return self.composition.slots

    @property
    def choices(self) -> int:
        """K."""
        return self.composition.choices

    @property
    def groups(self) -> Int[Tensor, "G degree"]:
        """Slots that belong together."""
        return self.composition.groups

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """What is learned of the modules."""
        return self.composition.named_parameters()

    def state_dict(self) -> dict[str, Any]:
        """The modules' weights."""
        return self.composition.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Takes them up again."""
        return self.composition.load_state_dict(state_dict)

    def loss(self, batch: RegressionBatch, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Mean squared error of each task at the points that are judged, after its inner steps."""
        return vmap(self.error)(self.weights(batch.fitted, z), z, batch.judged)

    def weights(self, fitted: Points, z: Int[Tensor, "B S"]) -> Weights:
        """Each task's weights after its inner steps."""
        weights, slope = self.composition.weights(z), vmap(grad(self.error))
        for _ in range(self.steps):
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.second_order):
                slopes = slope(weights, z, fitted)
            weights = {name: weight - self.rate * slopes[name] for name, weight in weights.items()}
        return weights

    def error(self, weights: Weights, z: Int[Tensor, " S"], points: Points) -> Float[Tensor, ""]:
        """Mean squared error of one task with these weights."""
        return (self.composition.predict(weights, z, points.x) - points.y).square().mean()
