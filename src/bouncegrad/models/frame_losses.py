"""Losses of a model in frames that it was not trained on, number by number, so that no frame rules the mean.

loss = min(-log p(change | edges), 5 nats)       variances widened by (0.05 typical changes)²
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import as_graph
from bouncegrad.core.marks import counted
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.model import Model
from bouncegrad.results.blocks import RESOLUTION, WORST


class FrameErrors(NamedTuple):
    """Errors in each frame of each task in which something was observed: means over its numbers.

    Args:
        loss: in nats.
        squared: squared errors, in squared typical changes.
    """

    loss: Float[Tensor, " rows"]
    squared: Float[Tensor, " rows"]


def frame_losses(
    model: Model, later: Trajectories, edges: Int[Tensor, "M N N"], asking: str = "held-out frames"
) -> Float[Tensor, " rows"]:
    """Returns the losses of `frame_errors`."""
    return frame_errors(model, later, edges, asking).loss


@torch.no_grad()
def frame_errors(
    model: Model, later: Trajectories, edges: Int[Tensor, "M N N"], asking: str = "held-out frames"
) -> FrameErrors:
    """Returns the errors of predictions one frame ahead.

    Args:
        model: the modules.
        later: the frames, with the frames before them that modules read.
        edges: the type of each edge in each task.
        asking: what asks, for messages.

    Raises:
        InputError: the composition is no graph.
    """
    composition = as_graph(model.on(later), asking).widened(RESOLUTION)
    z = adjacency_to_structure(edges, composition.pairs)
    tracks = scaled_tracks(later, model.scaling)
    marks = counted(tracks[:, None], composition.features, composition.lags)
    x = composition.with_history(tracks)
    seen = x[..., : composition.features]
    mean, log_variance = composition.predict_change(x[:, :-1], z)
    error = (seen[:, 1:] - seen[:, :-1]) / composition.change - mean  # [tasks, frames, N, D]
    loss = composition.head.loss(error, log_variance).clamp(max=WORST).double().mean(3)
    squared = error.double().square().mean(3)
    if marks is None:
        return FrameErrors(loss.mean(2).flatten(), squared.mean(2).flatten())
    there = marks[:, 0]
    count = there.sum(2)
    return FrameErrors(*(((of * there).sum(2) / count.clamp(min=1))[count > 0] for of in (loss, squared)))
