"""Training: data to scaling, parts and the loop, with a run folder and reports hung on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.app.building import ALIKE, build
from bouncegrad.app.config import FEW, Config
from bouncegrad.app.devices import computing
from bouncegrad.app.forecasting import ForecastStage
from bouncegrad.app.lock import locked
from bouncegrad.app.memory import require_memory, training_bytes
from bouncegrad.app.model import Model, require_moderate, require_quantities
from bouncegrad.app.origin import Origin, describe
from bouncegrad.app.run import Counts, Run
from bouncegrad.app.schedule import Schedule
from bouncegrad.app.starts import Starts
from bouncegrad.app.tying import Tying
from bouncegrad.app.validation import Validation, proposal_accuracy, some
from bouncegrad.core.annealing import Clock
from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.forecaster import Forecaster, as_forecaster
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.offsets import move_offsets
from bouncegrad.core.search import Move
from bouncegrad.core.structures import adjacency_to_structure, structure_to_adjacency
from bouncegrad.core.sureness import calibrated_temperature
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Scaling, Trajectories, plural
from bouncegrad.data.windows import windows
from bouncegrad.results.metrics import edge_accuracy, relabelling

VISITS_A_ROW = 64  # batches between two lines of metrics
SECONDS_A_CHECKPOINT = 30.0
Row = dict[str, Any]


def train(
    config: Config,
    data: Trajectories,
    run: Run | None = None,
    *,
    origin: Origin | None = None,
    known: Int[np.ndarray, "M N N"] | None = None,
    new: Trajectories | None = None,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Row, float], None] = lambda row, progress: None,
    processes: Processes = ALONE,
) -> tuple[Model, BounceGrad, list[Row]]:
    """Learns modules and structures.

    Args:
        config: settings; None in them is resolved from the data.
        data: the training part; its edges, if any, are read by the metrics and by the oracle, `proposal: truth`, alone.
        run: where to write; None writes nothing.
        origin: the data set that `data` was taken from, if it is only a part.
        known: types `[source, target]` of edges that need not be found, -1 where not known.
        new: tasks that the run is validated on, see `validation.py`; it does not learn from them.
        resume: go on from the checkpoint of the run.
        stop: asked between passes; true saves and ends.
        report: called with each new row of metrics and the share of the run that is done.
        processes: that share the tasks; the first one writes and reports, and learns to forecast alone.

    Returns:
        The model, the loop as it stands and the rows of metrics.
    """
    origin = origin or Origin(data)
    if config.window is not None:
        known = None if known is None else known.repeat(-(-(data.shape[1] - 1) // config.window), 0)
        data = windows(data, config.window)
    require_moderate(data.require_told(config.lags + 2).require_finite())
    require_quantities(data, config.quantities)
    scaling = Scaling.fit(data)
    config = config.resolve(data.shape, len(set(data.groups)) or 1)
    require_shared(config, len(data.tasks), processes)
    pairs = candidate_pairs(config.candidates, data).shape[1]
    tasks = min(config.batch, len(data.tasks))
    what = f"{data.source}: training on {tasks} tasks at once with {pairs:,} pairs each"
    require_memory(training_bytes(config, data.shape, pairs), what)
    with computing(config.device, config.threads), ExitStack() as held:
        truth = data.edges if config.proposal == "truth" else None
        loop, batches = build(config, data.without_edges(), scaling, known, truth)
        loop.processes = processes
        batches.shard = processes.shard(len(data.tasks)) if processes.count > 1 else None
        schedule = Schedule(config, len(data.tasks), stop, processes)

        def afresh(start: int) -> BounceGrad:
            other = replace(config, seed=(config.seed + start) % 2**63)
            return build(other, data.without_edges(), scaling, known, truth)[0]

        few = few_tasks(len(data.tasks), config.seed)
        visited = torch.arange(min(len(data.tasks), FEW)) if few is None else few
        first = batches.tracks[visited]
        starts, tying = Starts(loop, first, visited, afresh), Tying(loop, first, visited)
        model = model_of(loop, scaling, config, data)
        validation = None if new is None else Validation(model, data, new, loop.proposal)
        recorder = Recorder(loop, batches, few, schedule, starts, tying, data, run, report, validation)
        if run is not None:
            processes.by_first(partial(held.enter_context, locked(run.folder)))
        if run is not None and resume:
            run.require_same(origin.whole)
            run.require_known(known)
        if run is not None and resume and not run.killed_early:
            recorder.counts, recorder.resumed, end = run.restore(loop, schedule, starts, tying)
            processes.by_first(lambda: run.cut_rows(end))
            recorder.go_on(run.rows())
        elif run is not None:
            begin = partial(run.create, config, describe(data, scaling, origin, known))
            processes.by_first(run.require_free if resume else begin)
            recorder.save()  # from here on, whatever happens, the run can be resumed
        loop.run(recorder.clocks(), batches, recorder)
        recorder.finish()
        second = config.forecast and schedule.progress >= 1 and processes.first
        forecaster = recorder.forecast(scaling, stop) if second else None
    model.composition.eval()
    loop.z = loop.z.cpu()
    return replace(model, forecaster=(forecaster or model.forecaster).eval()).cpu(), loop, recorder.rows


def model_of(loop: BounceGrad, scaling: Scaling, config: Config, data: Trajectories) -> Model:
    """What the loop trains as a model, the modules shared."""
    composition = loop.composition
    assert isinstance(composition, GraphComposition)
    forecaster, named = as_forecaster(composition), (data.features, data.shape[1], data.dt, data.angles, data.kinds)
    return Model(composition, forecaster, scaling, config, *named)


def require_shared(config: Config, tasks: int, processes: Processes) -> None:
    """Refuses what several processes cannot share.

    Raises:
        InputError: there are fewer tasks in a batch than processes, or a part of the loop that knows one process alone.
    """
    count, least = processes.count, min(config.batch, tasks)
    if count > least:
        what = f"a batch of {least} {plural('task', least)} cannot be shared by {count} processes"
        raise InputError(f"{what}; start {least} at most" + (", or give a larger --batch" if least < tasks else ""))
    alone = {"--search paper": config.search == "paper", "--loss rollout": config.loss == "rollout"}
    alone |= {"--shared_graph": config.shared_graph}
    if count > 1 and (found := [name for name, is_so in alone.items() if is_so]):
        raise InputError(f"{count} processes cannot share a run with {found[0]}; start one")


def few_tasks(tasks: int, seed: int) -> Int[Tensor, " few"] | None:
    """The tasks that are visited while structures cool; None: all."""
    if tasks <= FEW:
        return None
    order = torch.randperm(tasks, generator=torch.Generator().manual_seed(seed), device="cpu")
    return order[:FEW].to(torch.get_default_device())


class Recorder:
    """Turns what the loop reports into rows and checkpoints; before each pass sets what changes with the schedule."""

    def __init__(
        self,
        loop: BounceGrad,
        batches: RandomFrames | Mirrored,
        few: Int[Tensor, " few"] | None,
        schedule: Schedule,
        starts: Starts,
        tying: Tying,
        data: Trajectories,
        run: Run | None,
        report: Callable[[Row, float], None],
        validation: Validation | None = None,
    ) -> None:
        self.loop, self.schedule, self.data, self.run, self.report = loop, schedule, data, run, report
        self.batches, self.few, self.starts, self.tying = batches, few, starts, tying
        self.validation, self.sample = validation, some(len(data.tasks), schedule.config.seed)
        self.rows: list[Row] = []
        self.losses: list[float] = []  # of the present pass, as are accepted moves; what this process adds to them
        self.accepted: list[float] = []
        self.saved = schedule.seconds
        self.counts = Counts()
        self.stage: ForecastStage | None = None
        self.resumed: dict[str, Any] | None = None
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
            if self.run is not None and self.schedule.seconds - self.saved > SECONDS_A_CHECKPOINT:
                self.save()
                self.saved = self.schedule.seconds
            self.ran = True
            if self.schedule.to_be_judged and not self.starts.settled:
                clock = self.judged(clock)
            for group in self.loop.optimizer.param_groups if self.loop.optimizer else ():
                group["lr"] = self.schedule.learning_rate
            self.composition.view.opening.fill_(self.schedule.opening)
            self.batches.few = self.few if self.schedule.cooling else None
            if math.isinf(self.loop.annealer.temperature) and clock.cooled >= self.schedule.config.hot:
                self.composition.edge.bring_together(ALIKE, self.loop.optimizer)
            self.tying.tie(self.schedule.formed)
            if self.counts.visits >= VISITS_A_ROW:
                self.write_row()
            yield clock
            if self.accepted:
                self.sum_up()

    def sum_up(self) -> None:
        """Adds a pass of all processes to the counts."""
        loss, accepted = self.loop.processes.total([sum(self.losses), sum(self.accepted)])
        self.counts.loss += loss
        self.counts.acceptance += accepted
        if self.losses:
            self.schedule.note(loss / len(self.losses))
        self.losses, self.accepted = [], []

    def judged(self, clock: Clock) -> Clock:
        """Has the start looked at whose structures have cooled; where a new one begins, it begins at this clock."""
        if self.starts.judge(self.schedule.may_start_again):
            self.schedule.start_again()
            return clock._replace(cooled=self.schedule.cooled)
        return clock

    def __call__(self, clock: Clock, batch: Batch, move: Move, loss: Tensor | None) -> None:
        self.counts.visits += 1
        self.counts.tasks += batch.whole
        if loss is not None:
            self.losses.append(float(loss.sum()) / batch.whole)
        self.accepted.append(float(move.accepted.float().sum()) / (batch.whole * move.accepted[:1].numel() or 1))

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

    def accuracies(self) -> Row:
        """Of the structures of the tasks in training as they stand, up to one global relabelling, and of proposals."""
        if self.data.edges is None:
            return {"edge_accuracy": None, "proposal_accuracy": None}
        composition, few = self.composition, self.sample
        edges = structure_to_adjacency(self.loop.z, composition.pairs, composition.entities).cpu().numpy()
        truth = self.data.edges
        if self.batches.few is not None:
            visited = self.batches.few.cpu().numpy()
            truth, edges = truth[visited], edges[visited]
        perm = relabelling(truth, edges, composition.choices, pinned=composition.pinned)
        true = adjacency_to_structure(torch.as_tensor(self.data.edges[few]), composition.pairs)
        proposed = proposal_accuracy(self.loop.proposal, self.batches.tracks[few], self.loop.z[few], true, perm)
        return {"edge_accuracy": edge_accuracy(truth, edges, perm), "proposal_accuracy": proposed}

    def finish(self) -> None:
        """The last row and what is done to trained modules, unless the run was stopped, and the last checkpoint."""
        if self.ran and self.schedule.progress >= 1:
            self.loop.processes.gather(self.loop.z)
            first = self.batches.tracks[:FEW]
            move_offsets(self.composition, first)
            generator = torch.Generator(first.device).manual_seed(self.schedule.config.seed)
            found = calibrated_temperature(self.composition, first, self.loop.z, generator)
            self.composition.temperature.fill_(found)
            if self.counts.visits:
                self.write_row(last=True)
        self.save()
        self.loop.processes = ALONE  # what follows is the first one's

    def forecast(self, scaling: Scaling, stop: Callable[[], bool]) -> Forecaster:
        """The second stage, or what is left of it."""
        features, tracks, config = self.data.features, self.batches.tracks[:], self.schedule.config
        with self.run.consistent() if self.run is not None and self.resumed else nullcontext():
            self.stage = ForecastStage(
                config, self.loop, self.schedule, tracks, scaling, features, stop, self.resumed, self.data.angles
            )
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

    def save(self) -> None:
        """Writes the checkpoint, with what all processes have found."""
        if self.run is None:
            return
        for state in (self.loop.state_dict(), *(start["state"] for start in self.starts.ended)):
            for rows in (state["z"], state["search"].get("evidence")):
                if rows is not None:
                    self.loop.processes.gather(rows)
        if self.loop.processes.first:
            forecast = self.stage.state_dict() if self.stage else self.resumed
            self.run.save(self.loop, self.schedule, self.starts, self.tying, self.counts, forecast)
