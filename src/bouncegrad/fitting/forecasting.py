"""The forecasting stage: once structures are found, separate modules learn to forecast many frames ahead.

    R = 1 until 0.3 of the stage, then R grows, up to `horizon` steps at 0.7 of the stage
    first learning rate = 0.006 min(1, sqrt(2000 / steps of the stage)) / 2^(times that good weights were restored)

The structures are the most probable ones given all frames, see `final_structures.py`. Neither these structures nor the
modules that found them change in this stage.

At its end, forecasts are held against tasks that were kept out of it: how strongly they are damped at each horizon, see
`core/damping.py`, and how wide their intervals are, see `core/spread.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.batches import Batch
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.confined import room_of
from bouncegrad.core.compositions.forecaster import Forecaster, as_graph
from bouncegrad.core.compositions.graph_settings import Place
from bouncegrad.core.damping import Shrinkage
from bouncegrad.core.hard_segments import EVENLY, PASS, PASSES, HardSegments
from bouncegrad.core.marks import observed, unmarked
from bouncegrad.core.mirroring import Mirror
from bouncegrad.core.offsets import move_offsets, silent_type
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.pace import Pace, advanced, cosine
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.search import Kept
from bouncegrad.core.spread import calibrated
from bouncegrad.data.scaling import feature_groups
from bouncegrad.fitting.environment import Row
from bouncegrad.fitting.last_good import LastGood
from bouncegrad.fitting.parts import Parts
from bouncegrad.fitting.prepare import Prepared
from bouncegrad.models.forecasts import region_of
from bouncegrad.settings.build import CompositionSetup, build_forecaster

RATE, CLIP = 0.006, 1.0  # first learning rate, and the norm that gradients are scaled down to
SHORT = 2000  # steps of a stage that has this rate; after several thousand steps at this rate, losses jump
LAST = 0.0005  # share of the learning rate at the end; on five springs 0.01 gives errors that are larger by a fifth
FEWEST, STEPS_A_BATCH = 128, 1024  # segments of a batch, at least; frames that a batch forecasts
MESSAGES = 2**18  # messages of a batch, at most; with many entities a batch has fewer segments, but 8 at least
ONE_STEP, GROWN = 0.3, 0.7  # shares of the stage: R = 1 until the first, R is the horizon from the second on
ENOUGH = 100_000  # gradient steps; more steps hardly improve forecasts
EARLY = 0.05  # a search that leaves more than this share of its time has ended early
PASSES_A_ROW = 10  # passes between two rows of metrics, so that their means are not noise
HELD, FEWEST_HELD = 200, 16  # tasks that forecasts are held against at the end: a tenth of all; of few tasks a quarter
RESERVED, LONGEST_RESERVE = 0.15, 15.0  # share of the time of the stage for its end, at most so many seconds
REMEMBERED = 10  # passes in the mean time of a pass


class ForecastStage:
    """Trains the forecaster of a run after its structures are found.

    Args:
        prepared: the settings and the data of the run.
        parts: the parts of the run, after the calibration.
        tracks: scaled states of the tasks to learn from.
        z: their structures.
        stop: called between passes; if it returns true, the stage ends early.
        state: the state from a checkpoint; None: the stage begins.

    Raises:
        InputError: the composition has no forecaster.
    """

    def __init__(
        self,
        prepared: Prepared,
        parts: Parts,
        tracks: Float[Tensor, "M T N D"],
        z: Int[Tensor, "M E"],
        stop: Callable[[], bool],
        state: dict[str, Any] | None = None,
    ) -> None:
        begin = time.perf_counter()
        config, data, composition = prepared.config, prepared.data, parts.composition
        self.config, self.schedule, self.stop, self.tracks, self.z = config, parts.schedule, stop, tracks, z
        self.horizon = min(config.horizon, tracks.shape[1] - 1 - config.lags)
        self.generator = torch.Generator(tracks.device).manual_seed(config.seed)
        graph = as_graph(composition, "setting forecast")
        self.silent = silent_type(graph, tracks)
        place = Place(graph.entities, None, graph.kinds)
        setup = CompositionSetup(place, data.features, prepared.scaling, self.generator, config, data.angles)
        self.forecaster = build_forecaster(setup, self.silent).on(graph.entities, graph.pairs)
        self.forecaster.begin_from(graph)
        self.forecaster.largest.copy_(largest_change(self.forecaster, tracks))
        self.forecaster.room.copy_(room_of(unmarked(tracks, graph.features)))
        confined = self.forecaster.within(region_of(prepared.scaling, data.periods))
        self.shrinkage = Shrinkage(feature_groups(data.features), torch.as_tensor(data.periods == 0))
        held = min(HELD, max(len(tracks) // 10, min(FEWEST_HELD, len(tracks) // 4)))
        order = torch.randperm(len(tracks), generator=self.generator)
        self.held, kept = (order[:held], order[held:]) if held else (order, order)
        self.segments = HardSegments(tracks[kept], z[kept], confined)
        self.mirror = Mirror(data.features, prepared.scaling, tracks.device) if config.mirror else None
        self.optimizer = Muon(self.forecaster.parameters(), lr=RATE)
        self.steps, self.progress, self.finished = 0, 0.0, False
        self.pace = Pace(REMEMBERED)
        self.losses: list[float] = []
        self.last_good = LastGood(self.forecaster, self.optimizer)
        self.loop = BounceGrad(
            confined,
            Kept(),
            Uniform(graph.groups, graph.choices),
            Fixed(1.0),
            z[kept],
            self.generator,
            self.optimizer,
            CLIP,
        )
        self.loop.guard.leaves_out = False  # structures are fixed here, so an outlier is a hard segment
        self.seconds = time.perf_counter() - begin
        if state is not None:
            self.load_state_dict(state)

    def run(self, row: Callable[[Row], None], save: Callable[[], None]) -> None:
        """Trains until the end, or until it is stopped; `row` receives metrics, `save` is called at checkpoints."""
        if self.finished:
            return

        def clocks() -> Iterator[Clock]:
            while self.progress < 1.0 and not self.stop():
                self.segments.steps, self.segments.batch = self.steps_ahead, self.batch
                self.segments.batches = min(PASS, max(1, self.enough - self.steps))
                self.segments.evenly = max(EVENLY, 1 - (1 - EVENLY) * self.progress / ONE_STEP)
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate
                begin, before = time.perf_counter(), len(self.losses)
                yield Clock(self.passes, self.progress, 1.0)
                self.last_good.after_a_pass(fmean(self.losses[before:]), self.segments.steps)
                self.after_a_pass(time.perf_counter() - begin)
                if self.passes % PASSES_A_ROW == 0 or self.progress >= 1:
                    row(self.row())
                if self.passes % PASSES == 0:
                    self.last_good.keep()
                    save()

        def note(clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
            assert loss is not None
            self.losses.append(float(loss.mean()))

        self.loop.run(clocks(), self.batches, note)
        if self.progress >= 1:
            move_offsets(self.forecaster.graph, self.tracks)
            held = self.tracks[self.held], self.z[self.held]
            every = self.tracks, self.z
            found = calibrated(self.segments.forecaster, held, every, self.shrinkage, self.generator)
            self.forecaster.damping.copy_(found.damping)
            self.forecaster.widening.copy_(found.widening)
            self.finished = True

    def batches(self, generator: torch.Generator) -> Iterator[Batch]:
        """Yields the batches of one pass; they are mirrored if the setting `mirror` is on."""
        for batch in self.segments(generator):
            yield self.mirror(batch, generator) if self.mirror else batch

    @property
    def passes(self) -> int:
        """The number of passes so far."""
        return self.segments.passes

    @property
    def enough(self) -> int:
        """Gradient steps after which the stage ends, even if time is left.

        If the search before it ended early, having had enough steps, the stage has its share of steps, too.
        """
        early = self.schedule.seconds_left > EARLY * self.schedule.seconds
        if self.config.epochs is None and not early:
            return ENOUGH
        share = self.config.forecast
        return max(1, round(self.schedule.steps * share / (1 - share)))

    @property
    def steps_ahead(self) -> int:
        """R, the number of steps of a segment in the next pass."""
        grown = (self.progress - ONE_STEP) / (GROWN - ONE_STEP)
        return min(max(1, 1 + int(grown * self.horizon)), self.horizon)

    @property
    def batch(self) -> int:
        """The number of segments of a batch in the next pass."""
        usual = max(FEWEST, STEPS_A_BATCH // (1 + self.steps_ahead))
        of_each = self.forecaster.slots * self.forecaster.substeps * self.steps_ahead
        return min(usual, max(8, MESSAGES // of_each))

    @property
    def rate(self) -> float:
        """The learning rate; it falls on half a cosine from the first rate to nearly nothing."""
        first = RATE * min(1.0, (SHORT / self.expected) ** 0.5) / 2**self.last_good.restored
        return first * cosine(self.progress, LAST)

    @property
    def expected(self) -> float:
        """The expected number of gradient steps of the whole stage."""
        if self.progress > 0:
            return self.steps / self.progress
        return SHORT if self.config.epochs is None else self.enough

    def after_a_pass(self, took: float) -> None:
        """Updates the progress, by the steps so far or by the time left."""
        self.steps += self.segments.batches
        share = self.segments.batches / max(1, self.enough - self.steps + self.segments.batches)
        if self.config.minutes is not None:
            share = max(share, self.pace.share(took, self.seconds_left))
        self.progress = advanced(self.progress, share)
        self.progress = 1.0 if self.steps >= self.enough else self.progress
        self.seconds += took

    @property
    def seconds_left(self) -> float:
        """The time left for learning; the rest is reserved for the end of the stage."""
        whole = self.config.seconds - self.schedule.seconds
        return whole - min(RESERVED * whole, LONGEST_RESERVE) - self.seconds

    def row(self) -> Row:
        """Returns the metrics since the last row."""
        row: Row = {
            "epoch": self.schedule.epoch + self.passes,
            "stage": "forecast",
            "progress": self.progress,
            "seconds": self.schedule.seconds + self.seconds,
            "forecast_loss": fmean(self.losses) if self.losses else None,
            "steps_ahead": self.segments.steps,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "skipped_steps": self.loop.skipped,
            "restored": self.last_good.restored,
        }
        self.losses = []
        return row

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that changes; tensors are shared, not copied."""
        return {
            "silent": self.silent,
            "loop": self.loop.state_dict(),
            "segments": self.segments.state_dict(),
            "last_good": self.last_good.state_dict(),
            **{name: getattr(self, name) for name in ("steps", "progress", "seconds", "finished")},
            "losses": list(self.losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.loop.load_state_dict(state["loop"])
        self.segments.load_state_dict(state["segments"])
        self.last_good.load_state_dict(state.get("last_good", {}))  # older runs keep no good state
        for name in ("steps", "progress", "seconds", "finished", "losses"):
            setattr(self, name, state[name])


def largest_change(forecaster: Forecaster, tracks: Float[Tensor, "M T N D"]) -> Float[Tensor, " D"]:
    """Returns the largest observed change of each feature, in units of a typical change."""
    graph = forecaster.graph
    x, seen = unmarked(tracks, graph.features), observed(tracks, graph.features)
    change = (x[:, 1:] - x[:, :-1]).abs() / graph.change
    if seen is not None:
        change = change * (seen[:, 1:] * seen[:, :-1])[..., None]
    return change.flatten(0, 2).amax(0)
