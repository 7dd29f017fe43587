"""What one visit to some tasks sees: scaled tracks and the segments of frames drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from bouncegrad.core.streaming import StreamedTracks
from bouncegrad.data.angles import without_seams
from bouncegrad.data.gaps import filled
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories

Visit = Any
"""One visit to some tasks, of the kind that a composition reads: a `Batch` of tracks, or points of functions.

Search, proposals and the loop hand it on; all they look at themselves is `tasks`, the numbers of the tasks.
"""


class Share(NamedTuple):
    """Which rows of a visit a process has, and how many there are in all."""

    rows: Int[Tensor, " B"]
    whole: int


class Batch(NamedTuple):
    """B tasks: their numbers, their whole tracks and the C segments of this visit (scaled units).

    A segment has the L frames that modules look back on, and R + 1 frames for R steps. Weights, where there are any,
    make up for segments that are drawn more often than others. Behind the features stand marks where there are gaps
    (see `marks.py`). With several processes each sees its share of a visit (see `distributed.py`).
    """

    tasks: Int[Tensor, " B"]
    tracks: Float[Tensor, "B T N D+marks"]
    segments: Float[Tensor, "B C L+R+1 N D+marks"]
    lags: int = 0
    weights: Float[Tensor, " B"] | None = None
    told: Float[Tensor, " B"] | None = None
    share: Share | None = None

    @property
    def whole(self) -> int:
        """Tasks of this visit in all processes together."""
        return len(self.tasks) if self.share is None else self.share.whole

    def own(self, drawn: Shaped[Tensor, "whole ..."]) -> Shaped[Tensor, "B ..."]:
        """Of what was drawn for all tasks of a visit, what belongs to these."""
        return drawn if self.share is None else drawn[self.share.rows]

    @property
    def steps(self) -> int:
        """Steps of all segments of one task together."""
        return self.segments.shape[1] * (self.segments.shape[2] - 1 - self.lags)

    @property
    def track_steps(self) -> int | Float[Tensor, " B"]:
        """Steps of a whole track, those alone in which something was observed."""
        return self.tracks.shape[1] - 1 - self.lags if self.told is None else self.told


def scaled_tracks(data: Trajectories, scaling: Scaling) -> Float[Tensor, "M T N D+marks"]:
    """`(x - shift) / scale`, computed in double precision, stored in single; with marks where there are gaps.

    Angles are radians that go on from frame to frame the shorter way, without a seam.
    """
    if data.mask is None or data.mask.all():
        scaled = torch.empty(data.shape)
        for part, into in zip(data.blocks(), scaled.split(len(next(data.blocks()).x)), strict=True):
            into.copy_(StreamedTracks(part, scaling)[:])
        return scaled
    states, there = filled(data)
    x = without_seams(np.asarray(states, dtype=np.float64), there, data.periods)
    x = (x - np.array(scaling.shift)) / np.array(scaling.scale)
    x = np.concatenate([np.where(there[..., None], x, 0.0), data.mask[..., None], there[..., None]], -1)
    return torch.as_tensor(x.astype(np.float32))


def whole_tracks(tracks: Float[Tensor, "B T N D"], tasks: Int[Tensor, " B"], lags: int = 0) -> Batch:
    """A visit that looks at every frame: T - 1 - L segments of one step, each with L frames to look back on."""
    return Batch(tasks, tracks, tracks.unfold(1, lags + 2, 1).movedim(-1, 2), lags)


class RandomFrames:
    """Visits of `segments` random segments of `steps` steps in random batches of tasks; one pass is an epoch.

    Args:
        tracks: `Float[M, T, N, D]`, scaled.
        batch: tasks a batch, at most; batches of one epoch are of nearly equal size.
        segments: C, segments drawn per task and visit; None takes them from every R-th frame on (the paper).
        steps: R, steps a segment.
        lags: L, frames before a segment that modules look back on.
        counts: 1 where a change was observed, where there are gaps; segments in which nothing was are not drawn.

    Attributes:
        few: while set, a pass is over these tasks alone.
        shard: first task of this process and the one after its last; None: all are its own.
        order: all tasks of the pass under way; None between passes.
        done: batches of it so far. A pass that was left in the middle goes on there.
    """

    def __init__(
        self,
        tracks: Float[Tensor, "M T N D+marks"] | StreamedTracks,
        batch: int,
        segments: int | None,
        steps: int = 1,
        lags: int = 0,
        counts: Float[Tensor, "M T-L-1 N"] | None = None,
    ) -> None:
        self.tracks, self.batch, self.segments, self.steps, self.lags = tracks, batch, segments, steps, lags
        self.few: Int[Tensor, " few"] | None = None
        self.shard: tuple[int, int] | None = None
        self.order: Int[Tensor, " visited"] | None = None
        self.done = 0
        self.told: Float[Tensor, " M"] | None = None
        if counts is not None:
            tells = counts.amax(2)
            self.told = tells.sum(1)
            windows = tells.unfold(1, steps, 1).amax(-1)
            self.windows = windows.sum(1)
            self.starts = windows.argsort(dim=1, descending=True, stable=True)

    def __call__(self, generator: torch.Generator) -> Iterator[Batch]:
        t = self.tracks.shape[1] - self.lags
        every = torch.arange(0, t - self.steps, self.steps)
        if self.order is None or self.done == self.count:
            visited = torch.arange(len(self.tracks)) if self.few is None else self.few
            self.order, self.done = visited[torch.randperm(len(visited), generator=generator)], 0
        for tasks in self.order.tensor_split(self.count)[self.done :]:
            self.done += 1
            share, told = None, None if self.told is None else self.told[tasks]
            if self.segments is None:
                start = every.expand(len(tasks), -1)
            elif told is None:
                start = torch.randint(t - self.steps, (len(tasks), self.segments), generator=generator)
            else:
                drawn = torch.rand(len(tasks), self.segments, generator=generator) * self.windows[tasks][:, None]
                start = self.starts[tasks].gather(1, drawn.long())
            if self.shard is not None:
                rows = ((tasks >= self.shard[0]) & (tasks < self.shard[1])).nonzero()[:, 0]
                share = Share(rows, len(tasks))
                tasks, start, told = tasks[rows], start[rows], None if told is None else told[rows]
            frames = start[:, :, None] + torch.arange(self.lags + self.steps + 1)
            tracks = self.tracks[tasks]
            segments = tracks[torch.arange(len(tasks))[:, None, None], frames]
            yield Batch(tasks, tracks, segments, self.lags, told=told, share=share)
        self.order = None

    @property
    def count(self) -> int:
        """Batches of the pass under way."""
        return 0 if self.order is None else -(-len(self.order) // self.batch)

    @property
    def visited(self) -> Int[Tensor, " some"] | None:
        """Tasks of the pass under way so far; None between passes."""
        return None if self.order is None else torch.cat(self.order.tensor_split(self.count)[: self.done])

    def state_dict(self) -> dict[str, Any]:
        return {"order": self.order, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order, self.done = state["order"], state["done"]
