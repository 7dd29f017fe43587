"""Batches: the scaled tracks of some tasks, and the segments of frames that a visit draws from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
"""A batch in the form that the composition reads: a `Batch` of tracks, or points of functions.

Search, proposals and the loop pass it on; they themselves read only `tasks`, the numbers of the tasks.
"""


class Share(NamedTuple):
    """The rows of a batch that one process holds, and the number of rows of all processes."""

    rows: Int[Tensor, " B"]
    whole: int


class Batch(NamedTuple):
    """B tasks: their numbers, their whole tracks and the C segments of this visit (scaled units).

    A segment has the L lag frames, and R + 1 frames for R steps. Weights, if there are any, correct for segments that
    are drawn more often than others. If the recordings have gaps, marks follow the features (see `marks.py`), and
    `observed_steps` counts the steps of each track in which something was observed. If there are several processes,
    each holds its share of a batch (see `distributed.py`).
    """

    tasks: Int[Tensor, " B"]
    tracks: Float[Tensor, "B T N D+marks"]
    segments: Float[Tensor, "B C L+R+1 N D+marks"]
    lags: int = 0
    weights: Float[Tensor, " B"] | None = None
    observed_steps: Float[Tensor, " B"] | None = None
    share: Share | None = None

    @property
    def whole(self) -> int:
        """The number of tasks of this batch in all processes together."""
        return len(self.tasks) if self.share is None else self.share.whole

    def own(self, drawn: Shaped[Tensor, "whole ..."]) -> Shaped[Tensor, "B ..."]:
        """Returns the rows of this process, out of numbers drawn for all tasks of the batch."""
        return drawn if self.share is None else drawn[self.share.rows]

    def of_one_track(self, evidence: Float[Tensor, "B ..."], decay: float) -> Float[Tensor, "B ..."]:
        """Scales evidence that decays from visit to visit down to one track, if it remembers more steps than that."""
        share = self.track_steps * (1 - decay) / self.steps
        if not isinstance(share, Tensor):
            return evidence * min(1.0, share)
        return evidence * share.clamp(max=1.0).view(-1, *[1] * (evidence.dim() - 1))

    def part(self, rows: Int[Tensor, " rows"]) -> Batch:
        """Some tasks of this batch."""
        tracks, segments = self.tracks[rows], self.segments[rows]
        return self._replace(tasks=self.tasks[rows], tracks=tracks, segments=segments)

    @property
    def steps(self) -> int:
        """The number of steps of all segments of one task."""
        return self.segments.shape[1] * (self.segments.shape[2] - 1 - self.lags)

    @property
    def track_steps(self) -> int | Float[Tensor, " B"]:
        """The number of steps of a whole track; with gaps, only steps in which something was observed count."""
        return self.tracks.shape[1] - 1 - self.lags if self.observed_steps is None else self.observed_steps


def scaled_tracks(data: Trajectories, scaling: Scaling) -> Float[Tensor, "M T N D+marks"]:
    """Returns `(x - shift) / scale`, computed in double precision and stored in single; gaps add marks.

    Angles become radians. They are unwrapped: from frame to frame they change by at most half a turn.
    """
    # Recordings are arrays, which have no device: their tensors are made on the default device.
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


def added_up(
    parts: Iterable[tuple[Int[Tensor, " rows"], Sequence[Tensor]]], tasks: int
) -> list[Shaped[Tensor, "tasks ..."]]:
    """Returns the sums over parts of what was computed for some of the tasks in each."""
    total: list[Tensor] = []
    for rows, found in parts:
        total = total or [values.new_zeros(tasks, *values.shape[1:]) for values in found]
        for values, new in zip(total, found, strict=True):
            values.index_add_(0, rows, new)
    return total


def whole_tracks(tracks: Float[Tensor, "B T N D"], tasks: Int[Tensor, " B"], lags: int = 0) -> Batch:
    """Returns a batch of all frames: T - 1 - L segments of one step, each with the L frames before it."""
    return Batch(tasks, tracks, tracks.unfold(1, lags + 2, 1).movedim(-1, 2), lags)


class RandomFrames:
    """Draws random batches of tasks, with `segments` random segments of `steps` steps each; one pass is an epoch.

    Args:
        tracks: `Float[M, T, N, D]`, scaled.
        batch: tasks per batch, at most; the batches of one epoch have nearly equal sizes.
        segments: C, segments drawn per task and visit; None: one segment starts at every R-th frame (the paper).
        steps: R, steps of a segment.
        lags: L, frames before a segment that modules read, too.
        counts: 1 where a change was observed; None: there are no gaps. Segments without observed changes are not drawn.

    Attributes:
        few: if it is set, a pass visits only these tasks.
        shard: the first task of this process, and the last one plus 1; None: all tasks.
        order: all tasks of the present pass, in the order of visits; None between passes.
        done: batches of the present pass so far. A pass that was interrupted continues there.
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
        self.observed_steps: Float[Tensor, " M"] | None = None
        if counts is not None:
            tells = counts.amax(2)
            self.observed_steps = tells.sum(1)
            windows = tells.unfold(1, steps, 1).amax(-1)
            self.windows = windows.sum(1)
            self.starts = windows.argsort(dim=1, descending=True, stable=True)

    def __call__(self, generator: torch.Generator) -> Iterator[Batch]:
        t = self.tracks.shape[1] - self.lags
        every = torch.arange(0, t - self.steps, self.steps, device=generator.device)
        if self.order is None or self.done == self.count:
            every_task = torch.arange(len(self.tracks), device=generator.device)
            visited = every_task if self.few is None else self.few
            order = torch.randperm(len(visited), generator=generator, device=generator.device)
            self.order, self.done = visited[order], 0
        for tasks in self.order.tensor_split(self.count)[self.done :]:
            self.done += 1
            share, observed = None, None if self.observed_steps is None else self.observed_steps[tasks]
            if self.segments is None:
                start = every.expand(len(tasks), -1)
            elif observed is None:
                shape = (len(tasks), self.segments)
                start = torch.randint(t - self.steps, shape, generator=generator, device=generator.device)
            else:
                drawn = torch.rand(len(tasks), self.segments, generator=generator, device=generator.device)
                start = self.starts[tasks].gather(1, (drawn * self.windows[tasks][:, None]).long())
            if self.shard is not None:
                rows = ((tasks >= self.shard[0]) & (tasks < self.shard[1])).nonzero()[:, 0]
                share = Share(rows, len(tasks))
                tasks, start, observed = tasks[rows], start[rows], None if observed is None else observed[rows]
            frames = start[:, :, None] + torch.arange(self.lags + self.steps + 1, device=start.device)
            tracks = self.tracks[tasks]
            segments = tracks[torch.arange(len(tasks), device=tasks.device)[:, None, None], frames]
            yield Batch(tasks, tracks, segments, self.lags, observed_steps=observed, share=share)
        self.order = None

    @property
    def count(self) -> int:
        """The number of batches of the present pass."""
        return 0 if self.order is None else -(-len(self.order) // self.batch)

    @property
    def visited(self) -> Int[Tensor, " some"] | None:
        """The tasks that were visited so far in the present pass; None between passes."""
        return None if self.order is None else torch.cat(self.order.tensor_split(self.count)[: self.done])

    def state_dict(self) -> dict[str, Any]:
        return {"order": self.order, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order, self.done = state["order"], state["done"]
