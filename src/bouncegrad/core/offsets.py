"""Message offsets: a constant part of all messages is moved into the node module.

    Σ_s (m_s + c) W = Σ_s m_s W + (N - 1) c W

With N entities both sides give the same changes. With another number of entities they do not, and only messages
without the constant c keep their meaning. The constant c is a weighted mean over the messages of all types; types with
nearly constant messages have the largest weights. So a type that means "no interaction" sends nothing afterwards.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.seams import Composition

TASKS, FRAMES, MESSAGES = 100, 16, 2**19  # read at most; more hardly change a mean
SILENT = 0.01  # a type is silent if its messages vary less than this share of those that vary most


@torch.no_grad()
def move_offsets(composition: Composition, tracks: Float[Tensor, "M T N D"]) -> None:
    """Moves the constant; predictions with all ordered pairs and as many entities as `tracks` has stay the same.

    Compositions other than a graph have no such constant and do not change.

    Args:
        composition: the last biases of its edge modules and the first bias of its node module are changed; with a
            shortcut, the last bias of its node module, too.
        tracks: scaled states of training.
    """
    if not isinstance(composition, GraphComposition):
        return
    marked = tracks.shape[-1] > composition.features  # absent entities send nothing: the number of messages varies
    if marked or composition.pinned or composition.slots != composition.entities * (composition.entities - 1):
        return
    mean, size = message_sizes(composition, tracks)
    share = 1 / (size + 1e-9 * size.sum()).clamp(min=1e-300)
    offset = ((share / share.sum()).to(mean.dtype)[:, None] * mean).sum(0)
    composition.edge.biases[-1].sub_(offset)
    node, arriving = composition.node, (composition.entities - 1) * offset
    node.biases[0].add_((arriving @ node.weights[0][:, : len(offset)])[:, None])
    if node.shortcut is not None:
        node.biases[-1].add_((arriving @ node.shortcut[:, : len(offset)])[:, None])


def message_sizes(
    composition: GraphComposition, tracks: Float[Tensor, "M T N D"]
) -> tuple[Float[Tensor, "K width"], Float[Tensor, " K"]]:
    """Returns the mean message of each type, and the variance of its messages after the node module's first layer.

    A shortcut of the node module counts as a part of this layer.
    """
    tasks = min(TASKS, max(1, MESSAGES // (FRAMES * max(1, composition.slots))))
    states = composition.with_history(tracks[:tasks])
    frames = torch.linspace(0, states.shape[1] - 1, FRAMES, device=states.device).long().unique()
    message = composition.all_messages(states[:, frames])
    if tracks.shape[-1] > composition.features:
        there = states[:, frames][..., composition.state].flatten(0, 1)[:, composition.pairs] > 0
        message = message[:, there.all(1).flatten()]
    node = composition.node
    first = node.weights[0] if node.shortcut is None else torch.cat([node.weights[0], node.shortcut], -1)
    weights, mean = first[:, None, : message.shape[-1]], message.mean(1)
    return mean, ((message - mean[:, None]) @ weights).square().mean((0, 2, 3)).double()


@torch.no_grad()
def silent_type(composition: GraphComposition, tracks: Float[Tensor, "M T N D"]) -> int | None:
    """Returns the type that means "no interaction": the pinned type, or one with nearly constant messages.

    Returns None if the messages of all types vary.
    """
    if composition.pinned:
        return 0
    size = message_sizes(composition, tracks)[1]
    return int(size.argmin()) if size.min() < SILENT * size.max() else None
