"""Modules: K small networks of one shape with stacked weights. A call takes rows and the module of each row.

y_r = W_L[k] act(... act(W_1[k] x_r + b_1[k]) ...) + b_L[k],    k = which_r
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Path = Literal["grouped", "dense"]
Activation = Literal["silu", "relu"]
Layers: TypeAlias = list[tuple[Float[Tensor, "1 outputs"], Float[Tensor, "inputs outputs"]]]
"""Bias and weight of each layer of one module."""


class ModulePool(nn.Module):
    """K perceptrons of the same shape.

    Args:
        modules: K.
        sizes: widths from input to output; activations are between layers, the last layer is linear.
        generator: draws the first weights, uniform within 1 / sqrt(inputs) as `nn.Linear` does.
        activation: "silu" or "relu".
        path: how `pool(x, which)` is evaluated. "grouped" sorts the rows by module and multiplies each group once
            (least work); "dense" evaluates every module on every row and picks (static shapes). The results are equal.

    Example:
        >>> pool = ModulePool(2, (3, 8, 1), torch.Generator().manual_seed(0))
        >>> pool(torch.zeros(5, 3), torch.tensor([0, 1, 1, 0, 1])).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        modules: int,
        sizes: Sequence[int],
        generator: torch.Generator,
        activation: Activation = "silu",
        path: Path = "grouped",
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.path = path
        self.activation = {"silu": F.silu, "relu": F.relu}[activation]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = 1 / math.sqrt(inputs)
            for parameters, shape in ((self.weights, (modules, inputs, outputs)), (self.biases, (modules, 1, outputs))):
                drawn = torch.rand(shape, generator=generator, device=generator.device)
                parameters.append(nn.Parameter((2 * drawn - 1) * bound))

    @property
    def modules_count(self) -> int:
        """K, the number of modules."""
        return len(self.weights[0])

    def forward(self, x: Float[Tensor, "R inputs"], which: Int[Tensor, " R"]) -> Float[Tensor, "R outputs"]:
        """Evaluates module `which[r]` on row r."""
        if self.path == "dense":
            every = self.all(x)
            return every.gather(0, which[None, :, None].expand(1, *every.shape[1:]))[0]
        order = torch.argsort(which, stable=True)
        counts = torch.bincount(which, minlength=self.modules_count).tolist()
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        groups = Permuted.apply(x, order, back).split(counts)
        y = torch.cat([self.one(group, k) for k, group in enumerate(groups)])
        return Permuted.apply(y, back, order)

    def one(self, x: Float[Tensor, "R inputs"], k: int) -> Float[Tensor, "R outputs"]:
        """Evaluates module k on every row."""
        return self.through([(bias[k], weight[k]) for bias, weight in zip(self.biases, self.weights, strict=True)], x)

    def each(self) -> list[Layers]:
        """Returns the layers of every module. If a module is evaluated many times, `through` them is faster."""
        layers = [(bias.unbind(), weight.unbind()) for bias, weight in zip(self.biases, self.weights, strict=True)]
        return [[(biases[k], weights[k]) for biases, weights in layers] for k in range(self.modules_count)]

    def through(self, layers: Layers, x: Float[Tensor, "R inputs"]) -> Float[Tensor, "R outputs"]:
        """Evaluates the module with these layers on every row."""
        for bias, weight in layers[:-1]:
            x = self.activation(torch.addmm(bias, x, weight), inplace=not torch.is_grad_enabled())
        return torch.addmm(layers[-1][0], x, layers[-1][1])

    def all(self, x: Float[Tensor, "R inputs"]) -> Float[Tensor, "K R outputs"]:
        """Evaluates every module on every row."""
        return self.layers(x.expand(self.modules_count, *x.shape), first=0)

    @torch.no_grad()
    def bring_together(self, share: float, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Reduces differences of modules to this share, `W_k <- mean + share (W_k - mean)`; momenta become equal."""
        for parameter in self.parameters():
            mean = parameter.mean(0, keepdim=True)
            parameter.copy_(mean + share * (parameter - mean))
            for value in optimizer.state[parameter].values() if optimizer else ():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value.copy_(value.mean(0, keepdim=True).expand_as(value))

    def layers(
        self, x: Float[Tensor, "K R width"], first: int, only: int | None = None
    ) -> Float[Tensor, "K R outputs"]:
        """Evaluates the layers from `first` on: module k on the rows of `x[k]`, or module `only` on those of `x[0]`."""
        chosen = slice(None) if only is None else slice(only, only + 1)
        for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            weight, bias = weights[chosen], biases[chosen]
            if layer >= first:
                x = torch.bmm(x, weight).add_(bias)  # in place is faster than `baddbmm`, which copies the bias first
                if layer < len(self.weights) - 1:
                    x = self.activation(x, inplace=not torch.is_grad_enabled())
        return x


class Permuted(torch.autograd.Function):
    """Computes `x[order]`. The gradient is gathered by the inverse order; autograd would scatter it row by row."""

    @staticmethod
    def forward(x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        """Returns the rows in this order; `back` is its inverse."""
        return x[order]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        """Keeps both orders for the backward pass."""
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Returns the rows of the gradient in the original order."""
        order, back = ctx.saved_tensors
        return Permuted.apply(gradient, back, order), None, None
