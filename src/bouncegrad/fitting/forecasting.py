"""The forecasting stage: once structures are found, modules of their own learn to roll out.

    R = 1 for the first third of the stage, then longer and longer, up to `horizon` steps

The structures are the most probable ones given all frames, see `final_structures.py`; they stay, and so do the modules
that found them.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.batches import Batch
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.hard_segments import PASS, PASSES, HardSegments
from bouncegrad.core.mirroring import Mirror
from bouncegrad.core.offsets import move_offsets, silent_type
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.search import Kept
from bouncegrad.core.spread import widening
from bouncegrad.data.scaling import Scaling
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.settings.build import build_forecaster
from bouncegrad.settings.config import Config

RATE, CLIP = 0.006, 1.0
FEWEST, STEPS_A_BATCH = 128, 1024  # segments and forecast frames of a batch
ONE_STEP, GROWN = 0.3, 0.7  # of the stage
ENOUGH = 100_000  # gradient steps
PASSES_A_ROW = 10
HELD = 200  # tasks that the spread is checked on, at most a tenth of all
Row = dict[str, Any]


class ForecastStage:
    """Trains the forecaster of a run whose structures are found.

    Args:
        config: resolved settings.
        loop: of the first stage, at its end.
        schedule: of the first stage, at its end.
        tracks: scaled states of the tasks to learn from.
        z: their structures.
        scaling, features: of the training tasks.
        stop: asked between passes; true ends the stage early.
        state: where the stage stood, if it had begun.
    """

    def __init__(
        self,
        config: Config,
        loop: BounceGrad,
        schedule: Schedule,
        tracks: Float[Tensor, "M T N D"],
        z: Int[Tensor, "M E"],
        scaling: Scaling,
        features: tuple[str, ...],
        stop: Callable[[], bool],
        state: dict[str, Any] | None = None,
        angles: tuple[str, ...] = (),
    ) -> None:
        composition = loop.composition
        assert isinstance(composition, GraphComposition)
        begin = time.perf_counter()
        self.config, self.schedule, self.stop, self.tracks, self.z = config, schedule, stop, tracks, z
        self.horizon = min(config.horizon, tracks.shape[1] - 1 - config.lags)
        self.generator = torch.Generator(tracks.device).manual_seed(config.seed)
        silent = silent_type(composition, tracks)
        entities, generator = composition.entities, self.generator
        kinds = composition.kinds
        forecaster = build_forecaster(config, entities, features, scaling, silent, generator, angles, kinds)
        self.forecaster = forecaster.on(composition.entities, composition.pairs)
        self.forecaster.begin_from(composition)
        self.silent = silent
        held = min(HELD, len(tracks) // 10)
        order = torch.randperm(len(tracks), generator=self.generator)
        self.held, kept = (order[:held], order[held:]) if held else (order, order)
        self.segments = HardSegments(tracks[kept], z[kept], self.forecaster)
        self.mirror = Mirror(features, scaling) if config.mirror else None
        self.optimizer = Muon(self.forecaster.parameters(), lr=RATE)
        self.steps, self.progress, self.finished = 0, 0.0, False
        self.recent: deque[float] = deque(maxlen=10)
        self.losses: list[float] = []
        self.loop = BounceGrad(
            self.forecaster,
            Kept(),
            Uniform(composition.groups, composition.choices),
            Fixed(1.0),
            z[kept],
            self.generator,
            self.optimizer,
            CLIP,
        )
        self.seconds = time.perf_counter() - begin
        if state is not None:
            self.load_state_dict(state)

    def run(self, row: Callable[[Row], None], save: Callable[[], None]) -> None:
        """Trains to the end or until stopped; `row` takes metrics, `save` is called before each new pool."""
        if self.finished:
            return

        def clocks() -> Iterator[Clock]:
            while self.progress < 1.0 and not self.stop():
                self.segments.steps = self.steps_ahead
                self.segments.batch = max(FEWEST, STEPS_A_BATCH // (1 + self.steps_ahead))
                self.segments.batches = min(PASS, max(1, self.enough - self.steps))
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate
                begin = time.perf_counter()
                yield Clock(self.passes, self.progress, 1.0)
                self.after_a_pass(time.perf_counter() - begin)
                if self.passes % PASSES_A_ROW == 0 or self.progress >= 1:
                    row(self.row())
                if self.passes % PASSES == 0:
                    save()

        def note(clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
            assert loss is not None
            self.losses.append(float(loss.mean()))

        self.loop.run(clocks(), self.batches, note)
        if self.progress >= 1:
            move_offsets(self.forecaster.graph, self.tracks)
            self.forecaster.widening = widening(
                self.forecaster, self.tracks[self.held], self.z[self.held], self.generator
            )
            self.finished = True

    def batches(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass, mirrored where that is asked for."""
        for batch in self.segments(generator):
            yield self.mirror(batch, generator) if self.mirror else batch

    @property
    def passes(self) -> int:
        """So far."""
        return self.segments.passes

    @property
    def enough(self) -> int:
        """Gradient steps after which the stage ends, however much time is left."""
        if self.config.epochs is None:
            return ENOUGH
        share = self.config.forecast
        return max(1, round(self.schedule.steps * share / (1 - share)))

    @property
    def steps_ahead(self) -> int:
        """R of the next pass."""
        grown = (self.progress - ONE_STEP) / (GROWN - ONE_STEP)
        return min(max(1, 1 + int(grown * self.horizon)), self.horizon)

    @property
    def rate(self) -> float:
        """Cosine from the first rate to 1 % of it."""
        return RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    def after_a_pass(self, took: float) -> None:
        """Moves progress on, by steps or by the time that is left."""
        self.steps += self.segments.batches
        share = self.segments.batches / max(1, self.enough - self.steps + self.segments.batches)
        if self.config.minutes is not None:
            left = 60 * self.config.minutes - self.schedule.seconds - self.seconds
            self.recent.append(took)
            share = max(share, fmean(self.recent) / left if took < left else 1.0)
        self.progress += (1 - self.progress) * min(share, 1.0)
        self.progress = 1.0 if self.steps >= self.enough else self.progress
        self.seconds += took

    def row(self) -> Row:
        """Metrics since the last row."""
        row: Row = {
            "epoch": self.schedule.epoch + self.passes,
            "stage": "forecast",
            "progress": self.progress,
            "seconds": self.schedule.seconds + self.seconds,
            "forecast_loss": fmean(self.losses) if self.losses else None,
            "steps_ahead": self.segments.steps,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "skipped_steps": self.loop.skipped,
        }
        self.losses = []
        return row

    def state_dict(self) -> dict[str, Any]:
        """All that changes; holds the tensors themselves."""
        return {
            "silent": self.silent,
            "loop": self.loop.state_dict(),
            "segments": self.segments.state_dict(),
            **{name: getattr(self, name) for name in ("steps", "progress", "seconds", "finished")},
            "losses": list(self.losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        self.loop.load_state_dict(state["loop"])
        self.segments.load_state_dict(state["segments"])
        for name in ("steps", "progress", "seconds", "finished", "losses"):
            setattr(self, name, state[name])
