"""Routes: where the messages of a rollout come from and go to, found once for all of its frames.

    message of row r = edge_k(view of x_source(r) and x_target(r)),      rows are sorted by the module k
    arriving at i    = Σ message of row r over the rows r into i

Structures stay the same in a rollout. So rows are sorted once; edges of a pinned type send nothing and have no row.
Each sum gathers its rows, and so do all gradients: to gather is several times faster than to scatter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from bouncegrad.core.compositions.graph import ROWS_AT_ONCE, GraphComposition
from bouncegrad.core.modules import Layers
from bouncegrad.core.structures import incoming_edges


class Routes(NamedTuple):
    """The edges that send, sorted by their modules. Entities of all states are numbered from 0 to S - 1.

    Args:
        ends: the sources of R rows, then their targets.
        shown: where each entity is among the ends, padded with 2 R.
        arriving: the rows into each entity, padded with R.
        counts: rows of each module.
        modules: layers of the edge modules.
    """

    ends: Int[Tensor, " 2*R"]
    shown: Int[Tensor, "S shown"]
    arriving: Int[Tensor, "S received"]
    counts: list[int]
    modules: list[Layers]


def routes_of(graph: GraphComposition, z: Int[Tensor, "B E"], starts: int) -> Routes:
    """Returns the routes for `starts` states of each task; `z` holds types of `graph`."""
    states, n, e = len(z) * starts, graph.entities, graph.slots
    which = z[:, None].expand(-1, starts, -1).reshape(-1)
    counts = torch.bincount(which, minlength=graph.choices).tolist()
    order = torch.argsort(which, stable=True)[sum(counts[: graph.pinned]) :]
    place = torch.full((states, e + 1), len(order), device=z.device)
    place.view(-1)[order + order.div(max(e, 1), rounding_mode="floor")] = torch.arange(len(order), device=z.device)
    first = torch.arange(states, device=z.device)[:, None] * n
    source, target = ((first + end).reshape(-1)[order] for end in graph.pairs)
    outgoing = incoming_edges(graph.pairs.flip(0), n)
    leaving, arriving = (place[:, edges].flatten(0, 1) for edges in (outgoing, graph.groups))
    # A row that does not exist has number R for the source, and 2 R for the target.
    none = 2 * len(order)
    shown = torch.cat([leaving.masked_fill(leaving == len(order), none), arriving + len(order)], 1)
    return Routes(torch.cat([source, target]), shown, arriving, counts[graph.pinned :], graph.edge.each())


def arriving_messages(
    graph: GraphComposition, x: Float[Tensor, "B C N D+H"], routes: Routes
) -> Float[Tensor, "B*C*N width"]:
    """Returns the sum of the messages into each entity; absent entities send nothing."""
    seen, there = x[..., : graph.state].flatten(0, 2), x[..., graph.state :].detach().flatten(0, 2)
    source, target = Gathered.apply(seen, routes.ends, routes.shown).chunk(2)
    messages = []
    for layers, *ends in zip(routes.modules, source.split(routes.counts), target.split(routes.counts), strict=True):

        def sent(source: Tensor, target: Tensor, layers: Layers = layers) -> Tensor:
            return graph.sent(graph.view.of(source, target), lambda rows: graph.edge.through(layers, rows))

        if len(ends[0]) <= ROWS_AT_ONCE or not torch.is_grad_enabled():
            messages.append(sent(*ends))
            continue
        # Many pairs: activations of a part are computed again in the backward pass, see `recomputed.py`.
        for part in zip(*(end.split(ROWS_AT_ONCE) for end in ends), strict=True):
            messages.append(checkpoint(sent, *part, use_reentrant=False, preserve_rng_state=False))
    message = messages[0] if len(messages) == 1 else torch.cat(messages)
    message = message * there[routes.ends[: len(message)]] if there.shape[-1] else message
    return Summed.apply(message, routes.arriving, routes.ends[len(message) :])


class Gathered(torch.autograd.Function):
    """Computes `x[rows]`. The gradient of x is the sum over `users`, the rows that show each entity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, users: Tensor) -> Tensor:
        """Returns the rows."""
        ctx.save_for_backward(users)
        return x.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Returns the sums."""
        return summed(gradient, *ctx.saved_tensors), None, None


class Summed(torch.autograd.Function):
    """Computes the sum over the rows `users` of each entity. The gradient of a row is that of its entity, in `rows`."""

    @staticmethod
    def forward(ctx: Any, message: Tensor, users: Tensor, rows: Tensor) -> Tensor:
        """Returns the sums."""
        ctx.save_for_backward(rows)
        return summed(message, users)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Returns the gradient of each row."""
        return gradient.index_select(0, *ctx.saved_tensors), None, None


def summed(message: Float[Tensor, "R width"], users: Int[Tensor, "S rows"]) -> Float[Tensor, "S width"]:
    """Returns the sum over the rows of each entity, where R stands for a row of zeros."""
    padded = F.pad(message, (0, 0, 0, 1))
    return padded.index_select(0, users.flatten()).view(*users.shape, message.shape[-1]).sum(1)
