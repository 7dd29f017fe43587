"""Segments drawn most often where forecasts fail, with weights that leave the expected loss as it is.

    p(segment) = (1 - u) e(segment) / Σ e + u / count,      weight = 1 / (count p)

with e the root mean square of the one-step errors in a segment. Squared errors of forecasts are ruled by rare close
encounters: in batches drawn evenly nearly all work goes into segments that have nothing left to teach.

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

EVENLY = 0.3  # u
POOL, PASSES, PASS = 1000, 40, 25
TASKS_AT_ONCE = 8


class HardSegments:
    """Batches of single segments from a pool of tasks, which is drawn anew every 1,000 batches.

    Args:
        tracks: `Float[M, T, N, D]`, scaled.
        z: structures of the tasks.
        forecaster: whose one-step errors count.

    Attributes:
        batch: segments a batch.
        steps: R, steps a segment.
        batches: of one pass.
    """

    def __init__(self, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], forecaster: Forecaster) -> None:
        self.tracks, self.z, self.forecaster = tracks, z, forecaster
        self.batch, self.steps, self.batches, self.passes = 256, 1, PASS, 0
        self.pool = torch.empty(0, dtype=torch.long)
        self.errors: Float[Tensor, "pool T-1-L"] = torch.empty(0)

    def __call__(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass."""
        if self.passes % PASSES == 0:
            self.pool = torch.randperm(len(self.tracks), generator=generator)[:POOL]
            self.errors = self.one_step_errors(self.pool)
        self.passes += 1
        error = self.errors.unfold(1, self.steps, 1).mean(-1).sqrt().double()
        share = (1 - EVENLY) * error / error.sum().clamp(min=1e-300) + EVENLY / error.numel()
        until = share.flatten().cumsum(0)
        lags = self.forecaster.graph.lags
        frames = torch.arange(lags + self.steps + 1)
        for _ in range(self.batches):
            drawn = torch.rand(self.batch, generator=generator, dtype=torch.float64) * until[-1]
            at = torch.searchsorted(until, drawn).clamp(max=len(until) - 1)
            tasks, start = self.pool[at // error.shape[1]], at % error.shape[1]
            weights = (1 / (share.flatten()[at] * len(until))).float()
            segments = self.tracks[tasks[:, None], start[:, None] + frames][:, None]
            yield Batch(tasks, self.tracks[tasks], segments, lags, weights)

    @torch.no_grad()
    def one_step_errors(self, tasks: Int[Tensor, " pool"]) -> Float[Tensor, "pool T-1-L"]:
        """Weighted squared errors of every step of these tasks."""
        found = []
        for part in tasks.split(TASKS_AT_ONCE):
            batch = whole_tracks(self.tracks[part], part, self.forecaster.graph.lags)
            found.append(self.forecaster.errors(batch, self.z[part])[0])
        return torch.cat(found)

    def state_dict(self) -> dict[str, Any]:
        return {"pool": self.pool, "errors": self.errors, "passes": self.passes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pool, self.errors, self.passes = state["pool"], state["errors"], state["passes"]
