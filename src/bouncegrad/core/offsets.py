"""Message offsets: a constant that every message carries is moved into the node module.

    Σ_s (m_s + c) W = Σ_s m_s W + (N - 1) c W

With N entities both sides give the same changes. With another number of entities they do not, and only messages
without the constant c keep their meaning. The constant that is removed is a weighted mean message; types whose messages
hardly vary have the largest weights. So a type that means "no interaction" sends nothing afterwards.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.seams import Composition

TASKS, FRAMES = 100, 16
SILENT = 0.01


@torch.no_grad()
def move_offsets(composition: Composition, tracks: Float[Tensor, "M T N D"]) -> None:
    """Moves the constant; with the number of entities of `tracks`, and all ordered pairs, predictions stay the same.

    Compositions other than a graph have no such constant and stay as they are.

    Args:
        composition: its edge modules' last biases and its node module's first bias are changed.
        tracks: scaled states of training.
    """
    if not isinstance(composition, GraphComposition):
        return
    marked = tracks.shape[-1] > composition.features  # absent entities send nothing: the number of messages varies
    if marked or composition.pinned or composition.slots != composition.entities * (composition.entities - 1):
        return
    mean, size = message_sizes(composition, tracks)
    weights = composition.node.weights[0][:, : mean.shape[-1]]
    share = 1 / (size + 1e-9 * size.sum()).clamp(min=1e-300)
    offset = ((share / share.sum()).to(mean.dtype)[:, None] * mean).sum(0)
    composition.edge.biases[-1].sub_(offset)
    composition.node.biases[0].add_((composition.entities - 1) * (offset @ weights)[:, None])


def message_sizes(
    composition: GraphComposition, tracks: Float[Tensor, "M T N D"]
) -> tuple[Float[Tensor, "K width"], Float[Tensor, " K"]]:
    """Mean message of each type, and how much messages vary about it, as the node module sees them."""
    states = composition.with_history(tracks[:TASKS])
    frames = torch.linspace(0, states.shape[1] - 1, FRAMES, device=states.device).long().unique()
    message = composition.all_messages(states[:, frames])
    if tracks.shape[-1] > composition.features:
        there = states[:, frames][..., composition.state].flatten(0, 1)[:, composition.pairs] > 0
        message = message[:, there.all(1).flatten()]
    weights = composition.node.weights[0][:, None, : message.shape[-1]]
    mean = message.mean(1)
    return mean, ((message - mean[:, None]) @ weights).square().mean((0, 2, 3)).double()


@torch.no_grad()
def silent_type(composition: GraphComposition, tracks: Float[Tensor, "M T N D"]) -> int | None:
    """The type that means "no interaction": the pinned one, or one whose messages hardly vary; None: all vary."""
    if composition.pinned:
        return 0
    size = message_sizes(composition, tracks)[1]
    return int(size.argmin()) if size.min() < SILENT * size.max() else None
