"""What hangs on the loop of a run: rows of metrics, checkpoints, and the end of a pass that is cut short."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.calibration import calibrated_temperature
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.distributed import ALONE
from bouncegrad.core.offsets import move_offsets
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.structures import adjacency_to_structure, structure_to_adjacency
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.checkpoint import Parts, restore, state_of
from bouncegrad.fitting.delayed_coupling import DelayedCoupling
from bouncegrad.fitting.final_structures import MostProbable
from bouncegrad.fitting.forecasting import ForecastStage
from bouncegrad.fitting.restarts import Restarts
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.validation import Validation, proposal_accuracy, some
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.runs.counts import Counts
from bouncegrad.runs.folder import Run
from bouncegrad.settings.build import ALIKE
from bouncegrad.settings.config import FEW

VISITS_A_ROW = 64  # batches between two lines of metrics
SECONDS_A_CHECKPOINT = 30.0
Row = dict[str, Any]


class Recorder:
    """Turns what the loop reports into rows and checkpoints; before each pass sets what changes with the schedule."""

    def __init__(
        self,
        loop: BounceGrad,
        frames: RandomFrames,
        few: Int[Tensor, " few"] | None,
        schedule: Schedule,
        starts: Restarts,
        tying: DelayedCoupling,
        data: Trajectories,
        run: Run | None,
        report: Callable[[Row, float], None],
        foretell: Callable[[], None],
        validation: Validation | None = None,
    ) -> None:
        self.loop, self.schedule, self.data, self.run, self.report = loop, schedule, data, run, report
        self.frames, self.few, self.starts, self.tying = frames, few, starts, tying
        self.foretell = foretell
        self.validation, self.sample = validation, some(len(data.tasks), schedule.config.seed)
        self.rows: list[Row] = []
        self.saved = 0.0
        self.counts, self.part = Counts(), Counts()  # of whole passes, and what this process adds in the present one
        self.found: MostProbable | None = None
        self.stage: ForecastStage | None = None
        self.resumed: tuple[dict[str, Any] | None, dict[str, Any] | None] = None, None  # of these two
        self.ran = False

    @property
    def composition(self) -> GraphComposition:
        """What is trained."""
        assert isinstance(self.loop.composition, GraphComposition)
        return self.loop.composition

    def clocks(self) -> Iterator[Clock]:
        """The clocks of the schedule; between passes a row is written when due, and a checkpoint every half minute."""
        for clock in self.schedule.clocks():
            # Before anything below, which a run that goes on from here does once more.
            self.save_when_due()
            self.ran = True
            if self.schedule.to_be_judged and not self.starts.settled:
                clock = self.judged(clock)
            for group in self.loop.optimizer.param_groups if self.loop.optimizer else ():
                group["lr"] = self.schedule.learning_rate
            self.composition.view.opening.fill_(self.schedule.opening)
            self.frames.few = self.few if self.schedule.cooling else None
            if math.isinf(self.loop.annealer.temperature) and clock.cooled >= self.schedule.config.hot:
                self.composition.edge.bring_together(ALIKE, self.loop.optimizer)
            self.tying.tie(self.schedule.formed)
            if self.counts.visits >= VISITS_A_ROW:
                self.write_row()
            yield clock
            if self.part.visits and not self.schedule.halted:
                self.sum_up()

    def sum_up(self) -> None:
        """Adds a pass of all processes to the counts."""
        part = self.in_all()
        self.counts.visits += part.visits
        self.counts.tasks += part.tasks
        self.counts.loss += part.loss
        self.counts.acceptance += part.acceptance
        self.schedule.note(part.loss / part.visits)
        self.part = Counts()

    def in_all(self) -> Counts:
        """What all processes add in the present pass."""
        loss, acceptance = self.loop.processes.total([self.part.loss, self.part.acceptance])
        return replace(self.part, loss=loss, acceptance=acceptance)

    def whole_or_cut(self, batches: Callable[[torch.Generator], Iterator[Batch]]) -> Callable[..., Iterator[Batch]]:
        """The same passes, each up to where the run is stopped or its time is over; a checkpoint every half minute."""

        def passes(generator: torch.Generator) -> Iterator[Batch]:
            for batch in batches(generator):
                yield batch
                if self.frames.done == self.frames.count:
                    continue
                if self.schedule.cut_short():
                    return
                self.save_when_due()

        return passes

    def judged(self, clock: Clock) -> Clock:
        """Has the start looked at whose structures have cooled; where a new one begins, it begins at this clock."""
        if self.starts.judge(self.schedule.may_start_again):
            self.schedule.start_again()
            return clock._replace(cooled=self.schedule.cooled)
        return clock

    def __call__(self, clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
        assert loss is not None
        self.foretell()
        self.part.visits += 1
        self.part.tasks += batch.whole
        self.part.loss += float(loss.sum()) / batch.whole
        self.part.acceptance += float(move.accepted.float().sum()) / (batch.whole * move.accepted[:1].numel() or 1)

    def restore(self) -> float:
        """Puts all where the checkpoint left it; returns the epoch from which on rows are not yet known to it."""
        assert self.run is not None
        parts = Parts(self.loop, self.frames, self.schedule, self.starts, self.tying)
        found = restore(self.run, parts)
        self.counts, self.part = found.counts, found.within_pass
        self.resumed = found.final_structures, found.forecast
        self.saved = self.schedule.seconds + self.schedule.within
        if not self.loop.processes.first:
            self.part = Counts(self.part.visits, self.part.tasks)  # what all had added counts once
        return found.end

    def go_on(self, rows: list[Row]) -> None:
        """After the rows that were written before."""
        self.rows = rows
        if self.validation is not None:
            self.validation.spent = max((row.get("validation_seconds", 0.0) for row in rows), default=0.0)

    def write_row(self, last: bool = False) -> None:
        """One row of metrics; where a look at new tasks is due, and in the last row, with what it shows."""
        loop, schedule, counts = self.loop, self.schedule, self.counts
        loop.processes.gather(loop.z)
        if not loop.processes.first:
            self.counts = Counts(since=schedule.seconds)
            return
        shares = torch.bincount(loop.z.flatten(), minlength=loop.composition.choices) / loop.z.numel()
        took = schedule.seconds - counts.since
        row: Row = {
            "epoch": schedule.epoch,
            "progress": schedule.progress,
            "seconds": schedule.seconds,
            "loss": counts.loss / counts.visits,
            **self.accuracies(),
            "temperature": None if math.isinf(loop.annealer.temperature) else loop.annealer.temperature,
            "acceptance": counts.acceptance / counts.visits,
            "shares": [round(float(share), 4) for share in shares],
            "learning_rate": schedule.learning_rate,
            "tasks_per_second": counts.tasks / took if took else None,
            "skipped_steps": loop.skipped,
            "names": self.starts.verdict,
        }
        if self.validation is not None and (last or self.validation.due(schedule.seconds)):
            row |= self.validation.look()
        self.add_row(row)
        self.counts = Counts(since=schedule.seconds)

    @property
    def visited(self) -> Int[Tensor, " some"] | None:
        """Tasks whose structures go with the modules, where that may not be all: in the cooling, and in a pass cut."""
        so_far = self.frames.visited
        if self.frames.few is not None or self.few is None or so_far is None:
            return self.frames.few
        return torch.cat([self.few, so_far]).unique()

    def accuracies(self) -> Row:
        """Of the structures of the tasks in training as they stand, up to one global relabelling, and of proposals."""
        if self.data.edges is None:
            return {"edge_accuracy": None, "proposal_accuracy": None}
        composition, few = self.composition, self.sample
        edges = structure_to_adjacency(self.loop.z, composition.pairs, composition.entities).cpu().numpy()
        truth = self.data.edges
        if (visited := self.visited) is not None:
            truth, edges = truth[visited.cpu().numpy()], edges[visited.cpu().numpy()]
        perm = relabelling(truth, edges, composition.choices, pinned=composition.pinned)
        true = adjacency_to_structure(torch.as_tensor(self.data.edges[few]), composition.pairs)
        proposed = proposal_accuracy(self.loop.proposal, self.frames.tracks[few], self.loop.z[few], true, perm)
        return {"edge_accuracy": edge_accuracy(truth, edges, perm), "proposal_accuracy": proposed}

    def finish(self) -> None:
        """The last row and what is done to trained modules, unless the run was stopped, and the last checkpoint."""
        if self.ran and self.schedule.progress >= 1:
            self.loop.processes.gather(self.loop.z)
            visited = self.visited
            which = slice(FEW) if visited is None else visited[:FEW]
            first, z = self.frames.tracks[which], self.loop.z[which]
            move_offsets(self.composition, first)
            generator = torch.Generator(first.device).manual_seed(self.schedule.config.seed)
            found = calibrated_temperature(self.composition, first, z, generator)
            self.composition.temperature.fill_(found)
            if self.counts.visits:
                self.write_row(last=True)
        self.save()
        self.loop.processes = ALONE  # what follows is the first one's

    def forecast(self, scaling: Scaling, stop: Callable[[], bool]) -> Forecaster | None:
        """The second stage, or what is left of it; None where the run is stopped in the inference before it."""
        features, tracks, config = self.data.features, self.frames.tracks[:], self.schedule.config
        inferred, begun = self.resumed
        with self.run.consistent() if self.run is not None and inferred else nullcontext():
            self.found = MostProbable(self.loop, self.schedule, tracks, stop, inferred)
        if begun is None and not self.found.find(self.save_when_due):
            self.save()
            return None
        tracks, z = self.found.reached
        with self.run.consistent() if self.run is not None and begun else nullcontext():
            self.stage = ForecastStage(
                config, self.loop, self.schedule, tracks, z, scaling, features, stop, begun, self.data.angles
            )
        if begun is None:
            self.stage.seconds += self.found.seconds
        self.stage.run(self.add_stage_row, self.save)
        self.save()
        return self.stage.forecaster.eval()

    def add_stage_row(self, row: Row) -> None:
        """The same of the forecasting stage."""
        assert self.stage is not None
        if self.validation is not None and (row["progress"] >= 1 or self.validation.due(row["seconds"])):
            row = row | self.validation.look(self.stage.forecaster)
            self.stage.seconds += self.validation.latest
        self.add_row(row)

    def add_row(self, row: Row) -> None:
        """Keeps and reports one row of metrics."""
        self.rows.append(row)
        if self.run is not None:
            self.run.add_row(row)
        self.report(row, self.progress)

    @property
    def progress(self) -> float:
        """Share of the whole run that is done."""
        second = self.schedule.config.forecast
        return (1 - second) * self.schedule.progress + second * (self.stage.progress if self.stage else 0.0)

    def save_when_due(self) -> None:
        """Every half minute of training."""
        now = self.schedule.seconds + self.schedule.within + (self.found.seconds if self.found else 0.0)
        if self.run is not None and now - self.saved > SECONDS_A_CHECKPOINT:
            self.save()
            self.saved = now

    def save(self) -> None:
        """Writes the checkpoint, with what all processes have found."""
        if self.run is None:
            return
        for state in (self.loop.state_dict(), *(start["state"] for start in self.starts.ended)):
            for rows in (state["z"], state["search"].get("evidence")):
                if rows is not None:
                    self.loop.processes.gather(rows)
        part = self.in_all()
        if self.loop.processes.first:
            stages = zip((self.found, self.stage), self.resumed, strict=True)
            inferred, forecast = (stage.state_dict() if stage else then for stage, then in stages)
            parts = Parts(self.loop, self.frames, self.schedule, self.starts, self.tying)
            self.run.save(state_of(parts, self.counts, part) | {"inferred": inferred, "forecast": forecast})
