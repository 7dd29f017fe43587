"""Marks: two numbers behind the features of every frame that say what was observed.

    frame = (D features, observed, present)

    observed  1 where the state was recorded: its change counts in the loss
    present   1 where there is a state to send messages from: recorded, or filled in within a short gap

An entity that is not present sends nothing. Recordings in which everything was observed have no marks.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MARKS = 2  # observed, present


def unmarked(frames: Float[Tensor, "*B N D+marks"], features: int) -> Float[Tensor, "*B N D"]:
    """Returns the features without marks."""
    return frames[..., :features]


def with_marks(frames: Float[Tensor, "*B N D+marks"], features: int) -> Float[Tensor, "*B N D+marks"]:
    """Returns frames with marks. If they had none, all marks are 1: everything was observed."""
    missing = features + MARKS - frames.shape[-1]
    return torch.cat([frames, frames.new_ones(*frames.shape[:-1], missing)], -1)


def observed(frames: Float[Tensor, "*B N D+marks"], features: int) -> Float[Tensor, "*B N"] | None:
    """Returns 1 where a state was recorded; None: everywhere."""
    return frames[..., features] if frames.shape[-1] > features else None


def present(frames: Float[Tensor, "*B F N D+marks"], features: int, lags: int = 0) -> Float[Tensor, "*B F-L N"] | None:
    """Returns 1 where there is a state in a frame and in the L frames before it; None: everywhere."""
    if frames.shape[-1] == features:
        return None
    return frames[..., features + 1].unfold(-2, lags + 1, 1).amin(-1)


def counted(
    frames: Float[Tensor, "*B F N D+marks"], features: int, lags: int = 0, rolled: bool = False
) -> Float[Tensor, "*B F-L-1 N"] | None:
    """Returns 1 where a state was recorded, also in all frames that it is predicted from; None: everywhere.

    Args:
        frames: segments of frames.
        features: D.
        lags: L.
        rolled: predicted from the first L + 1 frames of the segment; otherwise from the L + 1 frames before.
    """
    seen = observed(frames, features)
    if seen is None:
        return None
    start = seen.unfold(-2, lags + 1, 1).amin(-1)
    return (start[..., :1, :] if rolled else start[..., :-1, :]) * seen[..., lags + 1 :, :]


def mean_of(values: Float[Tensor, "B *rest N D"], counts: Float[Tensor, "B *rest N"] | None) -> Float[Tensor, " B"]:
    """Returns the mean of each task over what counts; 0 if nothing counts."""
    if counts is None:
        return values.mean(tuple(range(1, values.dim())))
    total = (values * counts[..., None]).flatten(1).sum(1)
    return total / (counts.flatten(1).sum(1) * values.shape[-1]).clamp(min=1)


def observed_pairs(
    frames: Float[Tensor, "M T N D+marks"], features: int, pairs: Int[Tensor, "2 E"], lags: int = 0
) -> Bool[Tensor, "M E"]:
    """Returns which pairs were observed: the source was present when a change of the target was observed."""
    counts = counted(frames, features, lags)
    if counts is None:
        return torch.ones(len(frames), pairs.shape[1], dtype=torch.bool, device=frames.device)
    has_state = present(frames, features, lags)
    assert has_state is not None
    return torch.stack([(has_state[:, :-1, s] * counts[:, :, t] > 0).any(1) for s, t in pairs.T.tolist()], 1)
