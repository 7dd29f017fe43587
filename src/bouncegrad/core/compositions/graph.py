"""The graph composition: entities send messages along edges, and a node module predicts the change of each entity.

    m_{s->t}  = edge_{z(s->t)}(view of s and t)            see `pair_view.py`
    x_t'      = x_t + change(Σ_s m_{s->t}, x_t)

A state may have a history: with L lags, the last L changes of some features follow the present features. If recordings
have gaps, a mark follows them, which says whether the entity is present (see `marks.py`).

The one-step prediction of an entity depends only on the edges into it. So the loss of *every* filling of these edges
follows from sums of messages. The first layer of the node module is linear: each message is projected through it once,
and a filling is a sum of projected messages.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.batches import Batch
from bouncegrad.core.compositions.graph_settings import Inputs, Messages, Networks, Place
from bouncegrad.core.compositions.linearization import LinearizedBatch
from bouncegrad.core.compositions.pair_view import PairView
from bouncegrad.core.compositions.recomputed import in_parts
from bouncegrad.core.compositions.rolled import rolled_losses
from bouncegrad.core.heads import LOG_VARIANCE, bounded, widened
from bouncegrad.core.marks import counted, mean_of, present, unmarked
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.structures import edge_index, incoming_edges, outer_sum
from bouncegrad.data.scaling import Scaling

ROWS_AT_ONCE, WORK_AT_ONCE = 2**15, 2**28  # rows, and rows times squared width, that stay in the cache
CARD = 64  # a graphics card takes so many times more rows, so that all of its processors are busy


class GraphComposition(nn.Module):
    """Entities act on each other along edges; the type of an edge selects the edge module that makes its message.

    Args:
        place: the entities, the candidate pairs and the kinds of entities.
        features: D.
        edge_types: K.
        scaling: of the training part; its typical changes and differences between entities are kept as buffers.
        generator: draws the first weights.
        networks: shapes of the modules, and the likelihood of a change.
        inputs: the inputs of the modules.
        messages: restrictions on messages.

    Attributes:
        slack: standard deviation that is added to every change, see `widened`; 0 at first.

    Source: Alet et al. 2019, section 3 and Kipf et al. 2018 for the message passing.
    """

    change: Tensor
    placed: Tensor
    temperature: Tensor
    variance: Tensor
    resolution: Tensor

    def __init__(
        self,
        place: Place,
        features: int,
        edge_types: int,
        scaling: Scaling,
        generator: torch.Generator,
        networks: Networks = Networks(),
        inputs: Inputs = Inputs(),
        messages: Messages = Messages(),
    ) -> None:
        super().__init__()
        self.likelihood, self.head = networks.likelihood, networks.head
        heads = 1 if self.likelihood == "shared" else 2
        self.features, self.lags, self.slack = features, inputs.lags, 0.0
        self.pinned, self.momentum = messages.pinned, messages.momentum
        self.lagged = list(range(features) if inputs.lagged is None else inputs.lagged)
        history = self.lags * len(self.lagged)
        self.state = features + history
        device = generator.device
        self.view = PairView(features, history, scaling, inputs.polar, inputs.relative, inputs.angles, device)
        edge_sizes = (self.view.width, *networks.edge_hidden, networks.message)
        self.edge = networks.pool(edge_types - self.pinned, edge_sizes, generator)
        node_sizes = (networks.message + self.view.state, *networks.node_hidden, heads * features)
        self.node = networks.pool(1 + max(place.kinds, default=0), node_sizes, generator)
        # The division is in double precision, so that the same recordings in other units give the same numbers.
        change = np.divide(scaling.change, scaling.scale)
        self.register_buffer("change", torch.tensor(change, device=device).float())
        placed = torch.ones(self.view.state, device=device)
        placed[[*(inputs.relative if inputs.placeless else ()), *self.view.periodic]] = 0.0
        self.register_buffer("placed", placed)
        self.register_buffer("variance", torch.ones(features, device=device))
        self.resolves = any(networks.resolution)
        least = torch.tensor(networks.resolution or (0.0,), device=device).square().log()
        self.register_buffer("resolution", least.expand(features).clone(), persistent=False)
        self.register_buffer("temperature", torch.ones((), device=device))
        self._place(place)

    def _place(self, place: Place) -> None:
        self.entities, self.kinds = place.entities, list(place.kinds) or [0] * place.entities
        self.pairs = edge_index(place.entities, self.change.device) if place.pairs is None else place.pairs
        self.groups = incoming_edges(self.pairs, place.entities)

    def on(
        self, entities: int, pairs: Int[Tensor, "2 E"] | None = None, kinds: Sequence[int] | None = None
    ) -> GraphComposition:
        """Returns the same modules (shared, not copied) on other entities or candidate pairs.

        If `kinds` is None and the number of entities is the same, the kinds of the entities stay as they are.
        """
        other = copy.copy(self)
        if kinds is None:
            kinds = self.kinds if entities == self.entities else ()
        other._place(Place(entities, pairs, kinds))
        return other

    def widened(self, slack: float) -> GraphComposition:
        """Returns the same modules (shared, not copied), with `slack`² added to every variance of a change.

        The slack is in units of a typical change in training. Without it, modules that know a law very exactly give
        every track but the exact one a probability of almost 0.
        """
        other = copy.copy(self)
        other.slack = slack
        return other

    def bring_together(self, share: float, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Reduces the differences between edge modules to this share, see `ModulePool.bring_together`."""
        self.edge.bring_together(share, optimizer)

    @torch.no_grad()
    def hide(self, steady: Float[Tensor, "D D"]) -> None:
        """Hides per-task constants, and the part of other features that follows from them, until states are open."""
        self.view.steady.copy_(steady)

    @torch.no_grad()
    def open(self, share: float) -> None:
        """Sets how much of the states edge modules see beside their differences, from 0 to 1; see `PairView`."""
        self.view.opening.fill_(share)

    @torch.no_grad()
    def relabel(self, order: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """Gives edge module k the weights of module `order[k]`, and the optimizer's state that belongs to them."""
        for parameter in self.edge.parameters():
            parameter.copy_(parameter[list(order)])
            for value in optimizer.state[parameter].values():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value.copy_(value[list(order)])

    @property
    def slots(self) -> int:
        """E, the number of candidate pairs."""
        return self.pairs.shape[1]

    @property
    def choices(self) -> int:
        """K, the number of edge types."""
        return self.edge.modules_count + self.pinned

    def with_history(self, marked: Float[Tensor, "*B F N D+marks"]) -> Float[Tensor, "*B F-L N D+H"]:
        """Returns the states of all frames but the first L; the last changes of lagged features follow the D features.

        The newest changes come first. H = L times the number of lagged features. If frames have marks, one more number
        follows: 1 for entities that are present.
        """
        frames, there = unmarked(marked, self.features), present(marked, self.features, self.lags)
        count = frames.shape[-3]
        changes = (frames[..., 1:, :, :] - frames[..., :-1, :, :])[..., self.lagged] / self.change[self.lagged]
        past = [changes[..., self.lags - lag : count - lag, :, :] for lag in range(1, self.lags + 1)]
        return torch.cat([frames[..., self.lags :, :, :], *past, *([] if there is None else [there[..., None]])], -1)

    def forward(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]) -> Float[Tensor, "B C N D+H"]:
        """Returns the states one frame later (scaled units)."""
        return self.moved(x, self.predict_change(x, z)[0])

    def moved(self, x: Float[Tensor, "B C N D+H"], change: Float[Tensor, "B C N D"]) -> Float[Tensor, "B C N D+H"]:
        """Returns the states after this change; the change becomes the newest one of the history."""
        now, past = x[..., : self.features] + self.change * change, x[..., self.features : self.state]
        newest = change[..., self.lagged] if self.lags else change[..., :0]
        return torch.cat([now, newest, past[..., : past.shape[-1] - newest.shape[-1]], x[..., self.state :]], -1)

    def rollout(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"], steps: int) -> Float[Tensor, "B C R N D"]:
        """Returns R = `steps` frames; each is predicted from the predicted one before it, the first from `x`."""
        frames = []
        for _ in range(steps):
            x = self(x, z)
            frames.append(x[..., : self.features])
        return torch.stack(frames, 2)

    def predict_change(
        self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]
    ) -> tuple[Float[Tensor, "B C N D"], Float[Tensor, "B C N D"]]:
        """Returns mean and log-variance of each feature's change, in units of a typical change in training."""
        return self.heads(self.of_kinds(self.node, self.node_input(x, z)), x.shape[:3])

    def of_kinds(
        self, nodes: ModulePool, rows: Float[Tensor, "R inputs"], whose: Int[Tensor, " n"] | None = None
    ) -> Float[Tensor, "R outputs"]:
        """Passes every row through the node module of its entity's kind.

        Rows repeat the entities 0 ... N-1, or those in `whose`, in this order.
        """
        if nodes.modules_count == 1:
            return nodes.one(rows, 0)
        kinds = torch.tensor(self.kinds, device=rows.device)
        kinds = kinds if whose is None else kinds[whose]
        return nodes(rows, kinds.repeat(len(rows) // len(kinds)))

    def node_input(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]) -> Float[Tensor, "B*C*N inputs"]:
        """Returns the inputs of the node module: the sum of messages into each entity, then its own state."""
        arriving = self.sum_by_target(in_parts(self.sent_along, x, z, ROWS_AT_ONCE // max(1, x.shape[1] * self.slots)))
        return torch.cat([arriving, self.own(x).flatten(0, 1)], -1).flatten(0, 1)

    def sent_along(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]) -> Float[Tensor, "B*C E width"]:
        """Returns the message of every edge; absent entities send nothing."""
        (b, c, _, _), there = x.shape, x[..., self.state :].detach()
        which = z[:, None, :].expand(b, c, self.slots).reshape(-1)
        message = self.messages(self.view(x[..., : self.state], self.pairs), which).view(b * c, self.slots, -1)
        return message * there.flatten(0, 1)[:, self.pairs[0]] if there.shape[-1] else message

    def own(self, x: Float[Tensor, "*B N D+H"]) -> Float[Tensor, "*B N state"]:
        """Returns the part of the node module's input that comes from the entity itself."""
        return self.view.circled(x[..., : self.state]) * self.placed

    def loss(self, batch: Batch, z: Int[Tensor, "B E"]) -> Float[Tensor, " B"]:
        """Returns the mean loss of each task per observed number.

        It is the negative log-likelihood of steps or rollouts (nats), or the squared error of rollouts (scaled units).
        """
        if self.likelihood == "rolled":
            x = self.with_history(batch.segments)
            rolled = rolled_losses(lambda now: self.predict_change(now, z), self.moved, x, self.change, self.head)
            return mean_of(rolled, counted(batch.segments, self.features, self.lags, rolled=True))
        if self.likelihood == "learned":
            x = self.with_history(batch.segments)
            seen = x[..., : self.features]
            mean, log_variance = self.predict_change(x[:, :, :-1].flatten(1, 2), z)
            change = ((seen[:, :, 1:] - seen[:, :, :-1]) / self.change).flatten(1, 2)
            loss = self.head.loss(change - mean, log_variance).unflatten(1, seen[:, :, 1:].shape[1:3])
            return mean_of(loss, counted(batch.segments, self.features, self.lags))
        residuals = self.residuals(batch, z)
        counts = counted(batch.segments, self.features, self.lags, rolled=True)
        if self.training and torch.is_grad_enabled():
            with torch.no_grad():
                first = (residuals[:, :, 0] / self.change).square()
                share = 1.0 if counts is None else counts[:, :, 0].mean().clamp(min=1e-9)
                self.variance.lerp_(first.mean((0, 1, 2)) / share, 0.01)
        return mean_of(residuals.square(), counts)

    def residuals(self, batch: Batch, z: Int[Tensor, "B E"]) -> Float[Tensor, "B C R N D"]:
        """Returns predicted minus observed frames; rollouts start at the first frame of each segment (scaled units).

        The residual is 0 where a frame, or the first frame of its segment, was not observed.
        """
        x = self.with_history(batch.segments)
        left = self.rollout(x[:, :, 0], z, x.shape[2] - 1) - x[:, :, 1:, :, : self.features]
        counts = counted(batch.segments, self.features, self.lags, rolled=True)
        return left if counts is None else left * counts[..., None]

    @torch.no_grad()
    def conditional_losses(
        self, batch: Batch, z: Int[Tensor, "B E"], columns: Int[Tensor, "N block"]
    ) -> Float[Tensor, "B N fillings"]:
        """Returns the summed one-step negative log-likelihood of every filling of a block of edges into each entity.

        The other edges are as in `z`. If the block holds all incoming edges, the conditional probabilities are exact.
        A segment of R steps counts as R observed steps.
        """
        count, device = self.choices ** columns.shape[1], z.device
        if not len(z):
            return torch.zeros(0, self.entities, count, dtype=torch.float64, device=device)
        segments = self.with_history(batch.segments)
        before, after = segments[:, :, :-1].flatten(0, 2), segments[:, :, 1:].flatten(0, 2)
        counts = counted(batch.segments, self.features, self.lags)
        counts = None if counts is None else counts.flatten(0, 2)
        task = torch.arange(len(z), device=device).repeat_interleave(len(before) // len(z))
        # The sum is in double precision, so that it does not depend on how the rows are split.
        rows = min(ROWS_AT_ONCE, WORK_AT_ONCE // self.node.sizes[1] ** 2) * (CARD if before.is_cuda else 1)
        at_once = max(1, rows // (self.entities * max(count, self.groups.shape[1] * self.choices)))
        total = torch.zeros(len(z), self.entities, count, dtype=torch.float64, device=device)
        for part in torch.arange(len(task), device=device).split(at_once):
            losses = self._conditional_losses(before[part], after[part], z[task[part]], columns)
            losses = losses if counts is None else losses * counts[part][..., None]
            total.index_add_(0, task[part], losses.double())
        return total

    def linearized(self, batch: Batch, which: Int[Tensor, " B"] | None = None) -> LinearizedBatch:
        """Returns what gives the losses of all fillings as quadratic forms, see `linearization.py`."""
        return LinearizedBatch(self, batch, which)

    def _conditional_losses(
        self,
        before: Float[Tensor, "R N D+H"],
        after: Float[Tensor, "R N D+H"],
        z: Int[Tensor, "R E"],
        columns: Int[Tensor, "N block"],
    ) -> Float[Tensor, "R N fillings"]:
        there, before = before[..., self.state :], before[..., : self.state]
        message = self.all_messages(before[:, None])
        if there.shape[-1]:
            message = message * there[:, self.pairs[0]].flatten(0, 1)
        change = (after[..., : self.features] - before[..., : self.features]) / self.change
        arguments = (message, self.own(before), change, z, columns)
        if self.node.modules_count == 1:
            return self._losses_into(torch.arange(self.entities, device=z.device), 0, *arguments)
        kinds = torch.tensor(self.kinds, device=z.device)
        losses = change.new_empty(len(z), self.entities, self.choices ** columns.shape[1])
        for kind in kinds.unique().tolist():
            members = (kinds == kind).nonzero()[:, 0]
            losses[:, members] = self._losses_into(members, kind, *arguments)
        return losses

    def _losses_into(
        self,
        targets: Int[Tensor, " n"],
        kind: int,
        message: Float[Tensor, "K R*E width"],
        own: Float[Tensor, "R N state"],
        change: Float[Tensor, "R N D"],
        z: Int[Tensor, "R E"],
        columns: Int[Tensor, "N block"],
    ) -> Float[Tensor, "R n fillings"]:
        """Returns the loss of every filling of a block of edges into some entities, all of one kind."""
        groups, columns, own, change = self.groups[targets], columns[targets], own[:, targets], change[:, targets]
        (r, n, _), degree, block = own.shape, groups.shape[1], columns.shape[1]
        projected = self.projected(message, kind)
        if self.slots < self.groups.numel():
            # A row of zeros stands for the padding: a slot that does not exist sends nothing under any type.
            projected = nn.functional.pad(projected, (0, 0, 0, 0, 0, 1))
        base = self.own_projected(own, kind)
        chosen = groups.gather(1, columns)
        if block < degree:
            kept = torch.ones(n, degree, dtype=torch.bool, device=z.device).scatter(1, columns, False)
            rest = groups[kept].view(n, degree - block)
            types = nn.functional.pad(z, (0, 1))[:, rest]
            base = base + projected[torch.arange(r, device=z.device)[:, None, None], rest, types].sum(2)
        mean, log_variance = self.from_sums(outer_sum([projected[:, chosen[:, i]] for i in range(block)], base), kind)
        return self.head.loss(change[:, :, None] - mean, log_variance).sum(-1)

    def projected(self, message: Float[Tensor, "K R*E width"], kind: int = 0) -> Float[Tensor, "R E K hidden"]:
        """Returns messages after the linear first layer of the node module; the input of an entity is their sum."""
        rows = message.transpose(0, 1).flatten(0, 1) @ self.node.weights[0][kind][: message.shape[-1]]
        return rows.view(-1, self.slots, self.choices, rows.shape[-1])

    def own_projected(self, own: Float[Tensor, "*R state"], kind: int = 0) -> Float[Tensor, "*R hidden"]:
        """Returns what the entities' own states add in the first layer of the node module."""
        weight = self.node.weights[0][kind][-own.shape[-1] :]
        rows = torch.addmm(self.node.biases[0][kind], own.flatten(0, -2), weight)
        return rows.view(*own.shape[:-1], -1)

    def from_sums(
        self, sums: Float[Tensor, "*R hidden"], kind: int = 0
    ) -> tuple[Float[Tensor, "*R D"], Float[Tensor, "*R D"]]:
        """Returns mean and log-variance of changes, from sums in the node module's first layer (overwrites them)."""
        hidden = self.node.activation(sums, inplace=True).view(1, -1, sums.shape[-1])
        return self.heads(self.node.layers(hidden, first=1, only=kind)[0], sums.shape[:-1])

    def all_messages(self, x: Float[Tensor, "B C N D+H"]) -> Float[Tensor, "K B*C*E width"]:
        """Returns the messages of all edges under every type; if type 0 is pinned, its messages are 0."""
        message = self.messages_of_modules(x)
        return torch.cat([torch.zeros_like(message[:1]), message]) if self.pinned else message

    def messages_of_modules(self, x: Float[Tensor, "B C N D+H"]) -> Float[Tensor, "modules B*C*E width"]:
        """Returns the messages that every edge module sends along all edges."""
        return self.sent(self.view(x[..., : self.state], self.pairs), self.edge.all)

    def messages(self, rows: Float[Tensor, "R view"], which: Int[Tensor, " R"]) -> Float[Tensor, "R width"]:
        """Returns the message of each row under its own type; if type 0 is pinned, its messages are 0."""
        if not self.pinned:
            return self.sent(rows, lambda seen: self.edge(seen, which))
        sends = which.nonzero()[:, 0]
        sent = self.sent(rows[sends], lambda seen: self.edge(seen, which[sends] - 1))
        return rows.new_zeros(len(rows), self.edge.sizes[-1]).index_copy(0, sends, sent)

    def sent(self, rows: Float[Tensor, "R view"], modules: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns the output of edge modules for pairs; with momentum, minus their output for the swapped pairs."""
        return modules(rows) - modules(self.view.swapped(rows)) if self.momentum else modules(rows)

    def sum_by_target(self, message: Float[Tensor, "rows E width"]) -> Float[Tensor, "rows N width"]:
        """Returns the sum of the messages into each entity."""
        rows, slots, width = message.shape
        if slots == self.groups.numel():
            return message.view(rows, self.entities, -1, width).sum(2)
        return message.new_zeros(rows, self.entities, width).index_add(1, self.pairs[1], message)

    def heads(self, output: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Splits the node module's output into mean and log-variance."""
        if self.likelihood == "shared":
            mean = output.view(*shape, -1)
            log_variance = self.variance.log().expand_as(mean)
        else:
            mean, raw = output.view(*shape, 2, -1).unbind(-2)
            log_variance = bounded(raw, *LOG_VARIANCE)
        if self.resolves:
            log_variance = torch.logaddexp(log_variance, self.resolution)
        return mean, widened(log_variance, self.slack)
