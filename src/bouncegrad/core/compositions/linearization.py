"""The loss of every filling at once, as a quadratic form around the present structure.

What arrives at a target is a sum of messages, u = Σ_j P_{j z_j}, with P the messages as the node module's first layer
projects them. The mean change is nearly linear in u. With J = ∂mean / ∂u at the present structure z⁰,

    A_jk(t) = J(t) (P_jk(t) - P_j0(t)),                  k = 1 ... K-1
    mean(w) ≈ mean(w⁰) + Σ_jk A_jk (w_jk - w⁰_jk),       w_jk = 1 where edge j has type k, else 0

and with the variances as they are at z⁰, the summed loss of the edges into one target is

    L(w) ≈ ½ wᵀ G w - hᵀ w + constant,     G = Σ_t Aᵀ V⁻¹ A,     h = Σ_t Aᵀ V⁻¹ (change - mean + A w⁰)

(degree (K - 1))² numbers for each target stand for the losses of K^degree fillings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch
from bouncegrad.core.marks import counted
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.seams import Head, Quadratic

NUMBERS_AT_ONCE = 2**22  # of projected messages, which stay in the cache


class MessagePassing(Protocol):
    """What is read of a graph composition."""

    node: ModulePool
    head: Head
    features: int
    lags: int
    state: int
    change: Tensor
    entities: int
    pairs: Int[Tensor, "2 E"]
    groups: Int[Tensor, "N degree"]
    kinds: list[int]

    @property
    def choices(self) -> int:
        """K."""

    @property
    def slots(self) -> int:
        """E."""

    def with_history(self, marked: Tensor) -> Tensor:
        """States with their history."""

    def all_messages(self, x: Tensor) -> Tensor:
        """Messages of every type."""

    def projected(self, message: Tensor, kind: int = 0) -> Tensor:
        """Messages through the first layer of the node module."""

    def own(self, x: Tensor) -> Tensor:
        """What the node module sees of an entity itself."""

    def own_projected(self, own: Tensor, kind: int = 0) -> Tensor:
        """The same through the first layer."""

    def from_sums(self, sums: Tensor, kind: int = 0) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of changes."""


class Linearization:
    """What does not depend on structures: the projected messages of every type, and the changes to explain.

    Args:
        composition: trained or learning; with gaps, changes that were not observed do not count.
        batch: segments of R steps count as R observed steps.
    """

    @torch.no_grad()
    def __init__(self, composition: MessagePassing, batch: Batch) -> None:
        self.composition = composition
        segments = composition.with_history(batch.segments)
        before, after = segments[:, :, :-1].flatten(1, 2), segments[:, :, 1:].flatten(1, 2)
        self.tasks, self.frames = before.shape[:2]
        x, later = before.flatten(0, 1), after.flatten(0, 1)
        there, x = x[..., composition.state :], x[..., : composition.state]
        message = composition.all_messages(x[:, None])
        if there.shape[-1]:
            message = message * there[:, composition.pairs[0]].flatten(0, 1)
        self.change = (later[..., : composition.features] - x[..., : composition.features]) / composition.change
        counts = counted(batch.segments, composition.features, composition.lags)
        self.counts = None if counts is None else counts.flatten(0, 2).view(len(x), -1)
        kinds = torch.tensor(composition.kinds, device=x.device)
        self.of_kind = []
        for kind in range(composition.node.modules_count):
            targets = (kinds == kind).nonzero()[:, 0]
            if len(targets):
                projected = F.pad(composition.projected(message, kind), (0, 0, 0, 0, 0, 1))  # groups are padded
                incoming = projected[:, composition.groups[targets]]
                differences = (incoming[:, :, :, 1:] - incoming[:, :, :, :1]).flatten(2, 3)
                none = incoming[:, :, :, 0].sum(2) + composition.own_projected(composition.own(x)[:, targets], kind)
                self.of_kind.append((kind, targets, differences, none))

    @torch.no_grad()
    def around(self, z: Int[Tensor, "B E"]) -> Quadratic:
        """Returns the quadratic form of the summed loss around `z`, for every target of every task."""
        composition, tasks, frames = self.composition, self.tasks, self.frames
        n, types = composition.entities, composition.choices - 1
        size = composition.groups.shape[1] * types
        g, h = self.change.new_zeros(tasks, n, size, size), self.change.new_zeros(tasks, n, size)
        loss = self.change.new_zeros(tasks, n, dtype=torch.float64)
        padded = F.pad(z, (0, 1))
        for kind, targets, differences, none in self.of_kind:
            chosen = padded[:, composition.groups[targets]]
            present = (chosen[..., None] == torch.arange(1, types + 1, device=z.device)).flatten(2).to(none.dtype)
            there = present.repeat_interleave(frames, 0)
            sums = none + (there[:, :, None] @ differences)[:, :, 0]
            slope = mean_slopes(composition.node, sums, kind, composition.features)
            mean, log_variance = composition.from_sums(sums, kind)
            error = self.change[:, targets] - mean
            weight, exact = torch.exp(-log_variance), composition.head.loss(error, log_variance).sum(-1)
            if self.counts is not None:
                weight, exact = weight * self.counts[:, targets, None], exact * self.counts[:, targets]
            loss[:, targets] = exact.view(tasks, frames, -1).double().sum(1)
            a, w, e = (
                self.by_task(values) for values in (differences @ slope.mT, weight[:, :, None], error[:, :, None])
            )
            weighted = a * w
            form = weighted @ a.mT
            g[:, targets] = form
            h[:, targets] = (weighted * e).sum(-1) + (form @ present[..., None])[..., 0]
        return Quadratic(g, h, loss)

    def by_task(self, values: Float[Tensor, "R n m D"]) -> Float[Tensor, "B n m frames*D"]:
        """The frames of each task side by side."""
        return values.view(self.tasks, self.frames, *values.shape[1:]).permute(0, 2, 3, 1, 4).flatten(3)


def quadratic(composition: MessagePassing, batch: Batch, z: Int[Tensor, "B E"]) -> Quadratic:
    """Returns the quadratic form around `z`, a few tasks at a time, so that their messages stay in the cache."""
    steps = batch.segments.shape[1] * (batch.segments.shape[2] - 1 - batch.lags)
    numbers = steps * composition.slots * composition.choices * composition.node.sizes[1]
    parts = torch.arange(len(z), device=z.device).split(max(1, NUMBERS_AT_ONCE // numbers))
    forms = [Linearization(composition, batch.part(part)).around(z[part]) for part in parts]
    if not forms:
        return Linearization(composition, batch).around(z)
    return Quadratic(*(torch.cat(values) for values in zip(*forms, strict=True)))


def mean_slopes(
    node: ModulePool, sums: Float[Tensor, "R n hidden"], kind: int, features: int
) -> Float[Tensor, "R n D hidden"]:
    """∂mean / ∂u of one node module, at what reaches its first layer."""
    reached: list[Tensor] = [sums]
    for weight, bias in zip(list(node.weights)[1:-1], list(node.biases)[1:-1], strict=True):
        reached.append(node.activation(reached[-1]) @ weight[kind] + bias[kind, 0])
    slope = node.weights[-1][kind][:, :features].T.expand(*sums.shape[:2], -1, -1)
    inner: Sequence[Tensor] = list(node.weights)[1:-1]
    for values, weight in zip(reversed(reached), [*(w[kind] for w in reversed(inner)), None], strict=True):
        slope = slope * activation_slope(node, values)[:, :, None]
        if weight is not None:
            slope = slope @ weight.T
    return slope


def activation_slope(node: ModulePool, x: Tensor) -> Tensor:
    """The derivative of the activation between layers."""
    if node.activation is F.relu:
        return (x > 0).to(x.dtype)
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))
