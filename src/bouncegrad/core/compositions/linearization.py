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

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.batches import Batch, added_up
from bouncegrad.core.marks import counted
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.seams import Head, Quadratic

NUMBERS_AT_ONCE = 2**22  # of projected messages, which stay in the cache
NUMBERS_KEPT = 2**26  # of projected messages that are kept


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
    pinned: bool

    @property
    def choices(self) -> int:
        """K."""

    @property
    def slots(self) -> int:
        """E."""

    def with_history(self, marked: Tensor) -> Tensor:
        """States with their history."""

    def messages_of_modules(self, x: Tensor) -> Tensor:
        """Messages of every edge module."""

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
        together: whether all tasks have one structure, so that they count as one task.
    """

    @torch.no_grad()
    def __init__(self, composition: MessagePassing, batch: Batch, together: bool = False) -> None:
        self.composition = composition
        segments = composition.with_history(batch.segments)
        before, after = segments[:, :, :-1].flatten(1, 2), segments[:, :, 1:].flatten(1, 2)
        self.tasks, self.frames = (1, before.shape[:2].numel()) if together else before.shape[:2]
        x, later = before.flatten(0, 1), after.flatten(0, 1)
        there, x = x[..., composition.state :], x[..., : composition.state]
        message = composition.messages_of_modules(x[:, None])
        if there.shape[-1]:
            message = message * there[:, composition.pairs[0]].flatten(0, 1)
        # Differences are taken, and messages of type 0 added up, before the projection: messages are narrower.
        change = self.by_group(message if composition.pinned else message[1:] - message[:1], len(x))
        arriving = None if composition.pinned else self.by_group(message[:1], len(x)).sum(2)[:, :, 0]
        self.change = (later[..., : composition.features] - x[..., : composition.features]) / composition.change
        counts = counted(batch.segments, composition.features, composition.lags)
        self.counts = None if counts is None else counts.flatten(0, 2).view(len(x), -1)
        kinds = torch.tensor(composition.kinds, device=x.device)
        self.of_kind = []
        for kind in range(composition.node.modules_count):
            targets = (kinds == kind).nonzero()[:, 0]
            if len(targets):
                weight = composition.node.weights[0][kind][: message.shape[-1]]
                own = change if len(targets) == len(kinds) else change[:, targets]
                none = composition.own_projected(composition.own(x)[:, targets], kind)
                if arriving is not None:
                    none = none + arriving[:, targets] @ weight
                self.of_kind.append((kind, targets, (own @ weight).flatten(2, 3), none))

    def of(self, some: Bool[Tensor, " N"] | None) -> Iterator[tuple[int, Int[Tensor, " n"], Tensor, Tensor]]:
        """Yields the kinds with those of their targets that are asked for, their messages and sums without edges."""
        for kind, targets, differences, none in self.of_kind:
            if some is None or some[targets].all():
                yield kind, targets, differences, none
            elif len(at := some[targets].nonzero()[:, 0]):
                yield kind, targets[at], differences[:, at], none[:, at]

    @torch.no_grad()
    def around(self, z: Int[Tensor, "B E"], some: Bool[Tensor, " N"] | None = None) -> Quadratic:
        """Returns the quadratic form of the summed loss around `z`, for every target of every task, or for some."""
        composition, tasks, frames = self.composition, self.tasks, self.frames
        n, types = composition.entities, composition.choices - 1
        size = composition.groups.shape[1] * types
        g, h = self.change.new_zeros(tasks, n, size, size), self.change.new_zeros(tasks, n, size)
        loss = self.change.new_zeros(tasks, n, dtype=torch.float64)
        padded = F.pad(z, (0, 1))
        for kind, targets, differences, none in self.of(some):
            chosen = padded[:, composition.groups[targets]]
            present = (chosen[..., None] == torch.arange(1, types + 1, device=z.device)).flatten(2).to(none.dtype)
            there = present.repeat_interleave(frames, 0)
            sums = none + (there[:, :, None] @ differences)[:, :, 0]
            slope = mean_slopes(composition.node, sums, kind, composition.features)
            mean, log_variance = composition.from_sums(sums, kind)
            loss[:, targets] = self.exact(targets, mean, log_variance)
            error, weight = self.change[:, targets] - mean, torch.exp(-log_variance)
            if self.counts is not None:
                weight = weight * self.counts[:, targets, None]
            a, w, e = (
                self.by_task(values) for values in (differences @ slope.mT, weight[:, :, None], error[:, :, None])
            )
            weighted = a * w
            form = weighted @ a.mT
            g[:, targets] = form
            h[:, targets] = (weighted * e).sum(-1) + (form @ present[..., None])[..., 0]
        return Quadratic(g, h, loss)

    @torch.no_grad()
    def changed(self, z: Int[Tensor, "B E"], some: Bool[Tensor, " N"] | None = None) -> Float[Tensor, "B N degree K"]:
        """Returns the exact summed loss of each target, or of some, with one of its edges changed to another type."""
        composition, tasks, frames = self.composition, self.tasks, self.frames
        choices, (n, degree) = composition.choices, composition.groups.shape
        loss = self.change.new_zeros(tasks, n, degree, choices, dtype=torch.float64)
        padded = F.pad(z, (0, 1))
        for kind, targets, differences, none in self.of(some):
            now = padded[:, composition.groups[targets]]
            present = F.one_hot(now, choices)[..., 1:].to(none.dtype)
            there = present.flatten(2).repeat_interleave(frames, 0)
            sums = (none + (there[:, :, None] @ differences)[:, :, 0])[:, :, None]
            each = differences.unflatten(2, (degree, choices - 1))
            for shift in range(choices):
                other = (now + shift) % choices
                step = F.one_hot(other, choices)[..., 1:].to(none.dtype) - present
                moved = (step.repeat_interleave(frames, 0)[..., None] * each).sum(3) if shift else 0.0
                mean, log_variance = composition.from_sums(sums + moved, kind)
                exact = self.exact(targets, mean, log_variance).expand(-1, -1, degree)
                loss[:, targets] = loss[:, targets].scatter(3, other[..., None], exact[..., None])
        return loss

    @torch.no_grad()
    def losses(self, z: Int[Tensor, "B E draws"], some: Bool[Tensor, " N"] | None = None) -> Float[Tensor, "B N draws"]:
        """Returns the exact summed loss of each target, or of some, for many structures of every task."""
        composition, draws = self.composition, z.shape[2]
        loss = self.change.new_zeros(self.tasks, composition.entities, draws, dtype=torch.float64)
        padded = F.pad(z, (0, 0, 0, 1))
        for kind, targets, differences, none in self.of(some):
            hot = F.one_hot(padded[:, composition.groups[targets]], composition.choices)[..., 1:]
            present = hot.transpose(3, 4).flatten(2, 3).mT.to(none.dtype)  # [B, n, draws, degree * (K - 1)]
            arriving = present.repeat_interleave(self.frames, 0) @ differences
            mean, log_variance = composition.from_sums(none[:, :, None] + arriving, kind)
            loss[:, targets] = self.exact(targets, mean, log_variance)
        return loss

    def exact(
        self, targets: Int[Tensor, " n"], mean: Float[Tensor, "R n *many D"], log_variance: Float[Tensor, "R n *many D"]
    ) -> Float[Tensor, "B n *many"]:
        """Returns the summed loss of these predictions; changes that were not observed do not count."""
        many = (slice(None), targets, *[None] * (mean.dim() - 3))
        loss = self.composition.head.loss(self.change[many] - mean, log_variance).sum(-1)
        loss = loss if self.counts is None else loss * self.counts[many]
        return loss.unflatten(0, (self.tasks, self.frames)).double().sum(1)

    def by_group(self, messages: Float[Tensor, "k R*E width"], rows: int) -> Float[Tensor, "R N degree k width"]:
        """Arranges messages by the entities that they arrive at; slots that do not exist send nothing."""
        composition = self.composition
        of_rows = messages.unflatten(1, (rows, composition.slots))
        if composition.slots == composition.groups.numel():
            return of_rows.unflatten(2, composition.groups.shape).movedim(0, 3)
        return F.pad(of_rows, (0, 0, 0, 1))[:, :, composition.groups].movedim(0, 3)

    def by_task(self, values: Float[Tensor, "R n m D"]) -> Float[Tensor, "B n m frames*D"]:
        """The frames of each task side by side."""
        return values.view(self.tasks, self.frames, *values.shape[1:]).permute(0, 2, 3, 1, 4).flatten(3)


class LinearizedBatch:
    """Quadratic forms and exact losses of a batch of any size, around many structures in turn.

    It goes through the batch in parts whose messages stay in the cache. The messages are kept for the next structure if
    all of them fit into memory.

    Args:
        composition: trained or learning.
        batch: segments of R steps count as R observed steps.
        which: the row of the structures that each task belongs to, if tasks share graphs: losses are summed over the
            tasks of a row. None: each task has a row of its own.

    Attributes:
        excess: how many times more messages there are than can be kept.
    """

    def __init__(self, composition: MessagePassing, batch: Batch, which: Int[Tensor, " B"] | None = None) -> None:
        self.composition, self.together = composition, which is not None
        every = torch.arange(len(batch.segments), device=batch.segments.device)
        alike = [every] if which is None else [(which == row).nonzero()[:, 0] for row in which.unique()]
        self.parts: list[tuple[Int[Tensor, " rows"], Batch]] = []
        for tasks in alike:
            for some, part in portions(composition, batch, tasks):
                self.parts.append((some if which is None else which[some[:1]], part))
        self.kept: dict[int, Linearization] = {}
        self.excess = batch.segments.shape[:2].numel() * numbers_of(composition, batch) / NUMBERS_KEPT

    def around(self, z: Int[Tensor, "rows E"]) -> Quadratic:
        """Returns the quadratic form of the summed loss around `z`, for every target of every row."""
        found = ((row, part.around(z[row])) for row, part, _ in self.evaluated(None))
        return Quadratic(*added_up(found, len(z)))

    def surveyed(
        self, z: Int[Tensor, "rows E"], some: Bool[Tensor, "rows N"] | None = None
    ) -> tuple[Quadratic, Float[Tensor, "rows N degree K"]]:
        """Returns the form around `z`, and the exact summed loss of each target with one edge of another type."""
        parts = self.evaluated(some)
        found = ((row, [*part.around(z[row], which), part.changed(z[row], which)]) for row, part, which in parts)
        g, h, loss, changed = added_up(found, len(z))
        return Quadratic(g, h, loss), changed

    def losses(
        self, z: Int[Tensor, "rows E draws"], some: Bool[Tensor, "rows N"] | None = None
    ) -> Float[Tensor, "rows N draws"]:
        """Returns the exact summed loss of each target for many structures of every row."""
        found = ((row, [part.losses(z[row], which)]) for row, part, which in self.evaluated(some))
        return added_up(found, len(z))[0]

    def evaluated(
        self, some: Bool[Tensor, "rows N"] | None
    ) -> Iterator[tuple[Int[Tensor, " rows"], Linearization, Bool[Tensor, " N"] | None]]:
        """Yields the parts with their messages, the rows that they belong to, and the targets that these ask for.

        Parts of which nothing is asked are left out.
        """
        for number, (rows, part) in enumerate(self.parts):
            which = None if some is None else some[rows].any(0)
            if which is not None and not which.any():
                continue
            linear = self.kept.get(number) or Linearization(self.composition, part, self.together)
            if self.excess <= 1:
                self.kept[number] = linear
            yield rows, linear, which


def numbers_of(composition: MessagePassing, batch: Batch) -> int:
    """Returns how many numbers the projected messages of one segment are."""
    steps = batch.segments.shape[2] - 1 - batch.lags
    return steps * composition.slots * composition.choices * composition.node.sizes[1]


def portions(
    composition: MessagePassing, batch: Batch, tasks: Int[Tensor, " some"]
) -> Iterator[tuple[Int[Tensor, " few"], Batch]]:
    """Yields parts of some tasks of a batch whose messages stay in the cache, with the numbers of the tasks of each.

    Long recordings are divided in time, too.
    """
    at_once = max(1, NUMBERS_AT_ONCE // numbers_of(composition, batch))
    for few in tasks.split(max(1, at_once // max(1, batch.segments.shape[1]))) if len(tasks) else (tasks,):
        part = batch.part(few)
        for frames in part.segments.split(at_once, 1):
            yield few, part._replace(segments=frames)


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
