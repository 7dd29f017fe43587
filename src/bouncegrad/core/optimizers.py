"""Muon: gradient descent in which every direction of a weight matrix moves at the same rate.

    m  <-  β m + (1 - β) g,    u = β m + (1 - β) g                       (Nesterov momentum)
    W  <-  W - 3 rate sqrt(max(1, outputs / inputs)) polar(u),           polar(U S Vᵀ) = U Vᵀ
    biases by Adam at the same rate

A law of interaction spans orders of magnitude, so close encounters dominate a few directions of a gradient, and all
others are small. Here all directions count. With true structures, 400 steps reach the accuracy of 4,000 steps of Adam.
`torch.optim.Muon` takes single matrices only; this one takes the stacked weights of a `ModulePool`.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOMENTUM = 0.95  # as published
MATRICES = 3.0  # rate of matrices in units of the rate of biases, so that one setting serves both
BETAS, EPSILON = (0.9, 0.999), 1e-8  # the defaults of Adam
QUINTIC, STEPS = (3.4445, -4.7750, 2.0315), 5  # a, b, c of `polar` and its number of steps, as published
NOTHING = 1e-12  # matrices of a smaller norm count as zero


class Muon(torch.optim.Optimizer):
    """Muon for the stacked weights `[K, inputs, outputs]` and biases `[K, 1, outputs]` of module pools.

    Args:
        parameters: tensors of three axes are stacked matrices, those with a single row are biases; biases and tensors
            of other shapes learn by Adam.
        lr: the learning rate. 0.01 worked for every system that was tried.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Takes one step along the gradients; tensors without a gradient stay as they are."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    is_matrix = weight.ndim == 3 and weight.shape[-2] > 1
                    (self.matrix if is_matrix else self.adam)(weight, weight.grad, group["lr"])

    def matrix(self, weight: nn.Parameter, gradient: Tensor, rate: float) -> None:
        """Moves stacked matrices along the polar factor of the momentum."""
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(gradient, 1 - MOMENTUM)
        widening = math.sqrt(max(1.0, weight.shape[-1] / weight.shape[-2]))
        weight.sub_(polar(gradient.lerp(momentum, MOMENTUM)), alpha=MATRICES * rate * widening)

    def adam(self, bias: nn.Parameter, gradient: Tensor, rate: float) -> None:
        """Moves biases by Adam (Kingma and Ba 2015)."""
        state = self.state[bias]
        if not state:
            state.update(step=0, mean=torch.zeros_like(bias), square=torch.zeros_like(bias))
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - BETAS[0])
        state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        mean = state["mean"] / (1 - BETAS[0] ** state["step"])
        size = (state["square"] / (1 - BETAS[1] ** state["step"])).sqrt()
        bias.sub_(mean / (size + EPSILON), alpha=rate)


def polar(matrix: Float[Tensor, "K rows columns"]) -> Float[Tensor, "K rows columns"]:
    """Returns nearly the orthogonal factor of each matrix: singular values become 0.7 to 1.2, zeros stay zero.

    Five Newton-Schulz steps `X <- a X + b (X Xᵀ) X + c (X Xᵀ)² X` on the smaller side.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    size = x.norm(dim=(-2, -1), keepdim=True)
    # The momentum of a module that is no longer used decays until its squares underflow.
    x = torch.where(size > NOTHING, x / size, 0.0)
    a, b, c = QUINTIC
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
