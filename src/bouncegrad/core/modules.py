"""Modules: K small networks of one shape with stacked weights. A call takes rows and the module of each row.

y_r = W_L[k] act(... act(W_1[k] x_r + b_1[k]) ...) + b_L[k]  (+ S[k] x_r),    k = which_r

The shortcut S is optional. With it, a law that is linear is represented exactly, and the other layers learn the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Path = Literal["grouped", "dense"]
Activation = Literal["silu", "relu"]


class Layers(NamedTuple):
    """The layers of one module.

    Args:
        affine: bias and weight of each layer.
        shortcut: S; None: there is none.
    """

    affine: list[tuple[Float[Tensor, "1 outputs"], Float[Tensor, "inputs outputs"]]]
    shortcut: Float[Tensor, "inputs outputs"] | None


class ModulePool(nn.Module):
    """K perceptrons of the same shape.

    Args:
        modules: K.
        sizes: widths from input to output; activations are between layers, the last layer is linear.
        generator: draws the first weights, uniform within 1 / sqrt(inputs) as `nn.Linear` does.
        activation: "silu" or "relu".
        path: how `pool(x, which)` is evaluated. "grouped" sorts the rows by module and multiplies each group once
            (least work); "dense" evaluates every module on every row and picks (static shapes). The results are equal.
        shortcut: a linear function of the inputs is added to the output; at first it is 0.

    Source: He et al. 2016, "Deep residual learning for image recognition" for the shortcut.

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
        shortcut: bool = False,
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
        straight = torch.zeros(modules, sizes[0], sizes[-1], device=generator.device)
        self.shortcut = nn.Parameter(straight) if shortcut else None

    @property
    def layered(self) -> list[nn.Parameter]:
        """The weights, then the biases, of all layers; not the shortcut."""
        return [*self.weights, *self.biases]

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
        layers = [(bias[k], weight[k]) for bias, weight in zip(self.biases, self.weights, strict=True)]
        return self.through(Layers(layers, None if self.shortcut is None else self.shortcut[k]), x)

    def each(self) -> list[Layers]:
        """Returns the layers of every module. If a module is evaluated many times, `through` them is faster."""
        layers = [(bias.unbind(), weight.unbind()) for bias, weight in zip(self.biases, self.weights, strict=True)]
        shortcuts = [None] * self.modules_count if self.shortcut is None else self.shortcut.unbind()
        return [
            Layers([(biases[k], weights[k]) for biases, weights in layers], shortcut)
            for k, shortcut in enumerate(shortcuts)
        ]

    def through(self, layers: Layers, x: Float[Tensor, "R inputs"]) -> Float[Tensor, "R outputs"]:
        """Evaluates the module with these layers on every row."""
        bias, weight = layers.affine[-1]
        y = torch.addmm(bias, self.hidden(layers, x), weight)
        return y if layers.shortcut is None else torch.addmm(y, x, layers.shortcut)

    def hidden(self, layers: Layers, x: Float[Tensor, "R inputs"]) -> Float[Tensor, "R width"]:
        """Returns the inputs of the last layer."""
        for bias, weight in layers.affine[:-1]:
            x = self.activation(torch.addmm(bias, x, weight), inplace=not torch.is_grad_enabled())
        return x

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
        """Evaluates the layers from `first` on: module k on the rows of `x[k]`, or module `only` on those of `x[0]`.

        Raises:
            ValueError: there is a shortcut, and the rows are not the inputs of the modules.
        """
        if self.shortcut is not None and first:
            raise ValueError(f"a shortcut needs the inputs of the modules, not those of layer {first}")
        inputs = x
        chosen = slice(None) if only is None else slice(only, only + 1)
        for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            weight, bias = weights[chosen], biases[chosen]
            if layer >= first:
                x = torch.bmm(x, weight).add_(bias)  # in place is faster than `baddbmm`, which copies the bias first
                if layer < len(self.weights) - 1:
                    x = self.activation(x, inplace=not torch.is_grad_enabled())
        return x if self.shortcut is None else torch.baddbmm(x, inputs, self.shortcut[chosen])


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
