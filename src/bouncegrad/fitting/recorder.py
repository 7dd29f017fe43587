"""The recorder writes rows of metrics and checkpoints; it does not change training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.structures import adjacency_to_structure, structure_to_adjacency
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.checkpoint import restore, state_of
from bouncegrad.fitting.environment import Environment, Row
from bouncegrad.fitting.final_structures import FinalStructures
from bouncegrad.fitting.forecasting import ForecastStage
from bouncegrad.fitting.parts import Parts
from bouncegrad.fitting.prepare import Prepared
from bouncegrad.fitting.time_estimate import TimeEstimate
from bouncegrad.fitting.validation import Validation, proposal_accuracy, some
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.runs.counts import Counts
from bouncegrad.runs.folder import Run


@dataclass(frozen=True)
class Recording:
    """How often a run is recorded.

    Args:
        visits_a_row: batches between two rows of metrics, so that their means are not noise.
        seconds_a_checkpoint: seconds of training between two checkpoints; a killed run loses this time at most.
    """

    visits_a_row: int = 64
    seconds_a_checkpoint: float = 30.0


RECORDING = Recording()
OF_PROCESSES = ("loss", "acceptance", "proposed", "better", "worse", "worse_accepted")
"""Sums that each process has for its own tasks."""


class Recorder:
    """Writes rows of metrics and checkpoints, from the reports of the loop.

    Args:
        prepared: the settings and the data of the run; only metrics read the true edges.
        parts: the parts of the run.
        run: the folder to write; None: nothing is written.
        environment: receives rows and lines for the user.
        validation: measures new tasks from time to time; None: there are no new tasks.

    Attributes:
        rows: the rows of metrics so far.
        counts, within_pass: sums since the last row, and sums of this process in the present pass.
        final, stage: the search for final structures and the forecasting stage, once they have begun.
        resumed: the states of these two in the checkpoint.
        ran: whether a pass was begun.
    """

    def __init__(
        self,
        prepared: Prepared,
        parts: Parts,
        run: Run | None,
        environment: Environment,
        validation: Validation | None,
    ) -> None:
        self.prepared, self.parts, self.run, self.report = prepared, parts, run, environment.report
        self.loop, self.schedule, self.processes = parts.loop, parts.schedule, environment.processes
        self.estimate = TimeEstimate(parts.schedule, environment.print_line)
        self.visits_a_row = environment.visits_a_row
        self.validation = validation
        self.sample = some(len(prepared.data.tasks), prepared.config.seed)
        self.rows: list[Row] = []
        self.saved = 0.0
        self.counts, self.within_pass = Counts(), Counts()
        self.final: FinalStructures | None = None
        self.stage: ForecastStage | None = None
        self.resumed: tuple[dict[str, Any] | None, dict[str, Any] | None] = None, None
        self.ran = False

    def begin(self, about: Callable[[], dict[str, Any]], whole: Trajectories, resume: bool) -> None:
        """Creates the run folder, or restores the parts from its checkpoint.

        Args:
            about: returns the contents of data.json, which describes the data.
            whole: the data set that the training part was taken from.
            resume: continue from the checkpoint; a run that was killed before its first checkpoint starts again.

        Raises:
            InputError: the folder is not empty, or holds a run on other data or with other known edges.
        """
        run = self.run
        assert run is not None
        if resume:
            run.require_same(whole)
            run.require_known(self.prepared.known)
        if not resume or run.killed_early:
            create = run.require_free if resume else lambda: run.create(self.prepared.config, about())
            self.processes.by_first(create)
            self.save()  # from here on, the run can be resumed
            return
        found = restore(run, self.parts)
        self.counts, self.within_pass = found.counts, found.within_pass
        self.resumed = found.final_structures, found.forecast
        self.saved = self.schedule.seconds + self.schedule.within
        if not self.processes.first:  # the checkpoint has sums over all processes, which must count only once
            self.within_pass = Counts(self.within_pass.visits, self.within_pass.tasks)
        self.processes.by_first(lambda: run.cut_rows(found.end))
        self.rows = run.rows()
        if self.validation is not None:
            spent = (row.get("validation_seconds", 0.0) for row in self.rows)
            self.validation.spent = max(spent, default=0.0)

    def consistent(self, restored: object) -> AbstractContextManager[None]:
        """Returns a context for a block that reads a restored state: errors in it are reported as damaged files."""
        return self.run.consistent() if self.run is not None and restored else nullcontext()

    def __call__(self, clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
        """Counts one batch."""
        assert loss is not None
        self.ran = True
        self.estimate()
        count = self.within_pass
        count.visits += 1
        count.tasks += batch.whole
        count.loss += float(loss.sum()) / batch.whole
        count.acceptance += float(move.accepted.float().sum()) / (batch.whole * move.accepted[:1].numel() or 1)
        better, worse = move.loss_proposed < move.loss_before, move.loss_proposed > move.loss_before
        count.proposed += better.numel()
        count.better += float(better.sum())
        count.worse += float(worse.sum())
        # A search that draws, and does not propose, gives no losses.
        count.worse_accepted += float((worse & move.accepted).sum()) if better.numel() else 0.0

    def sum_up(self) -> None:
        """Adds a complete pass of all processes to the counts; a pass that was interrupted is continued first."""
        if not self.within_pass.visits or self.schedule.halted:
            return
        added = self.in_all()
        for name in ("visits", "tasks", *OF_PROCESSES):
            setattr(self.counts, name, getattr(self.counts, name) + getattr(added, name))
        self.schedule.note(added.loss / added.visits)
        self.within_pass = Counts()

    def in_all(self) -> Counts:
        """Returns the sums of all processes in the present pass."""
        total = self.loop.processes.total([getattr(self.within_pass, name) for name in OF_PROCESSES])
        found = replace(self.within_pass)
        for name, value in zip(OF_PROCESSES, total, strict=True):
            setattr(found, name, value)
        return found

    def until_stopped(self, batches: Callable[[torch.Generator], Iterator[Batch]]) -> Callable[..., Iterator[Batch]]:
        """Returns the same passes; each ends early if the run is stopped or its time is over, and saves checkpoints."""

        def passes(generator: torch.Generator) -> Iterator[Batch]:
            for batch in batches(generator):
                yield batch
                if self.parts.frames.done == self.parts.frames.count:
                    continue
                if self.schedule.cut_short():
                    return
                self.save_when_due()

        return passes

    def write_row_when_due(self) -> None:
        """Writes a row if there were enough batches since the last one."""
        if self.counts.visits >= (self.visits_a_row or RECORDING.visits_a_row):
            self.write_row()

    def write_row(self, last: bool = False) -> None:
        """Writes a row of metrics; some rows, and the last one, include the validation on new tasks."""
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
            **proposals(counts),
            "shares": [round(float(share), 4) for share in shares],
            "learning_rate": schedule.learning_rate,
            "tasks_per_second": counts.tasks / took if took else None,
            "skipped_steps": loop.skipped,
            "labels": self.parts.restarts.verdict,
        }
        if self.validation is not None and (last or self.validation.due(schedule.seconds)):
            row |= self.validation.look()
        self.add_row(row)
        self.counts = Counts(since=schedule.seconds)

    def accuracies(self) -> Row:
        """Returns accuracies of the present training structures, after one relabelling for all, and of the proposal."""
        data, few = self.prepared.data, self.sample
        if data.edges is None:
            return {"edge_accuracy": None, "proposal_accuracy": None}
        composition, truth = self.parts.composition, data.edges
        edges = structure_to_adjacency(self.loop.z, composition.pairs, composition.entities).cpu().numpy()
        if (visited := self.parts.visited) is not None:
            truth, edges = truth[visited.cpu().numpy()], edges[visited.cpu().numpy()]
        perm = relabelling(truth, edges, composition.choices, pinned=composition.pinned)
        true: Int[Tensor, "few E"] = adjacency_to_structure(torch.as_tensor(data.edges[few]), composition.pairs)
        tracks = self.parts.frames.tracks[few]
        proposed = proposal_accuracy(self.loop.proposal, tracks, self.loop.z[few], true, perm)
        return {"edge_accuracy": edge_accuracy(truth, edges, perm), "proposal_accuracy": proposed}

    def finish(self) -> None:
        """Writes the last checkpoint, and the last row unless the run was stopped or had already ended."""
        if self.ran and self.schedule.progress >= 1 and self.counts.visits:
            self.write_row(last=True)
        self.save()

    def add_stage_row(self, row: Row) -> None:
        """Writes a row of the forecasting stage."""
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
        second = self.prepared.config.forecast
        return (1 - second) * self.schedule.progress + second * (self.stage.progress if self.stage else 0.0)

    def save_when_due(self) -> None:
        """Writes a checkpoint if enough seconds of training have passed since the last one."""
        now = self.schedule.seconds + self.schedule.within + (self.final.seconds if self.final else 0.0)
        if self.run is not None and now - self.saved > RECORDING.seconds_a_checkpoint:
            self.save()
            self.saved = now

    def save(self) -> None:
        """Writes a checkpoint, with the structures and sums of all processes."""
        if self.run is None:
            return
        for state in (self.loop.state_dict(), *(start["state"] for start in self.parts.restarts.ended)):
            evidence = state["search"].get("evidence")
            for rows in (state["z"], *(evidence if isinstance(evidence, list) else [evidence])):
                if rows is not None:
                    self.loop.processes.gather(rows)
        within_pass = self.in_all()
        if self.loop.processes.first:
            stages = zip((self.final, self.stage), self.resumed, strict=True)
            final, forecast = (stage.state_dict() if stage else then for stage, then in stages)
            state = state_of(self.parts, self.counts, within_pass)
            self.run.save(state | {"inferred": final, "forecast": forecast})


def proposals(counts: Counts) -> Row:
    """Returns how many proposals lowered the loss, and how many of those that raised it were accepted, as shares."""
    if not counts.proposed:
        return {}
    accepted = counts.worse_accepted / counts.worse if counts.worse else None
    return {"better_proposals": counts.better / counts.proposed, "worse_accepted": accepted}
