"""Draws segments more often where forecasts fail, with weights that keep the expected loss unchanged.

    p(segment) = (1 - u) e(segment) / Σ e + u / count,      weight = 1 / (count p)

e is the root mean square of the one-step errors in a segment. Rare close encounters dominate the squared errors of
forecasts. If segments were drawn evenly, nearly all work would go into segments that are already forecast well. The
share u falls from 1 to 0.3 at the beginning of the stage: first all segments count alike, then the hard ones.

Source: importance sampling; Katharopoulos and Fleuret 2018 for its use in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.compositions.forecaster import Forecaster

EVENLY = 0.3  # u at last, the share that is drawn evenly; no weight is larger than 1 / u
POOL = 1000  # tasks at most; the one-step errors of all of them are computed once per pool
PASSES, PASS = 40, 25  # passes until the next pool, batches of a pass
TASKS_AT_ONCE = 8  # limits the memory that one-step errors take


class HardSegments:
    """Yields batches of single segments from a pool of tasks; a new pool is drawn every 1,000 batches.

    Args:
        tracks: `Float[M, T, N, D]`, scaled.
        z: structures of the tasks.
        forecaster: its one-step errors count.

    Attributes:
        batch: segments of a batch.
        steps: R, steps of a segment.
        batches: batches of one pass.
        evenly: u.
    """

    def __init__(self, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], forecaster: Forecaster) -> None:
        self.tracks, self.z, self.forecaster = tracks, z, forecaster
        self.batch, self.steps, self.batches, self.passes, self.evenly = 256, 1, PASS, 0, EVENLY
        self.pool = torch.empty(0, dtype=torch.long, device=tracks.device)
        self.errors: Float[Tensor, "pool T-1-L"] = torch.empty(0, device=tracks.device)

    def __call__(self, generator: torch.Generator) -> Iterator[Batch]:
        """Yields the batches of one pass."""
        if self.passes % PASSES == 0:
            self.pool = torch.randperm(len(self.tracks), generator=generator, device=generator.device)[:POOL]
            self.errors = self.one_step_errors(self.pool)
        self.passes += 1
        error = self.errors.unfold(1, self.steps, 1).mean(-1).sqrt().double()
        share = (1 - self.evenly) * error / error.sum().clamp(min=1e-300) + self.evenly / error.numel()
        cumulative = share.flatten().cumsum(0)
        lags = self.forecaster.graph.lags
        frames = torch.arange(lags + self.steps + 1, device=self.tracks.device)
        for _ in range(self.batches):
            drawn = torch.rand(self.batch, generator=generator, dtype=torch.float64, device=generator.device)
            at = torch.searchsorted(cumulative, drawn * cumulative[-1]).clamp(max=len(cumulative) - 1)
            tasks, start = self.pool[at // error.shape[1]], at % error.shape[1]
            weights = (1 / (share.flatten()[at] * len(cumulative))).float()
            segments = self.tracks[tasks[:, None], start[:, None] + frames][:, None]
            yield Batch(tasks, self.tracks[tasks], segments, lags, weights)

    @torch.no_grad()
    def one_step_errors(self, tasks: Int[Tensor, " pool"]) -> Float[Tensor, "pool T-1-L"]:
        """Returns the weighted squared error of every step of these tasks."""
        found = []
        for part in tasks.split(TASKS_AT_ONCE):
            batch = whole_tracks(self.tracks[part], part, self.forecaster.graph.lags)
            found.append(self.forecaster.errors(batch, self.z[part])[0])
        return torch.cat(found)

    def state_dict(self) -> dict[str, Any]:
        return {"pool": self.pool, "errors": self.errors, "passes": self.passes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pool, self.errors, self.passes = state["pool"], state["errors"], state["passes"]
