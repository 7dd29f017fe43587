"""Training: data to scaling, parts and the loop, with a run folder and reports hung on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.forecaster import as_forecaster
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.requirements import require_moderate, require_quantities
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories, plural
from bouncegrad.data.windows import windows
from bouncegrad.fitting.delayed_coupling import DelayedCoupling
from bouncegrad.fitting.recorder import Recorder, Row
from bouncegrad.fitting.restarts import Restarts
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.fitting.time_estimate import Foretelling
from bouncegrad.fitting.validation import Validation
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked
from bouncegrad.runs.provenance import Origin, describe
from bouncegrad.settings.build import build
from bouncegrad.settings.config import FEW, Config
from bouncegrad.settings.devices import computing
from bouncegrad.settings.memory import require_memory, training_bytes


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
    say: Callable[[str], None] = lambda line: None,
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
        stop: asked before every batch; true saves and ends.
        report: called with each new row of metrics and the share of the run that is done.
        say: called with what is to be expected, where the run is long or its time too short for a pass.
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
        frames = batches.batches if isinstance(batches, Mirrored) else batches
        frames.shard = processes.shard(len(data.tasks)) if processes.count > 1 else None
        schedule = Schedule(config, len(data.tasks), stop, processes)

        def afresh(start: int) -> BounceGrad:
            other = replace(config, seed=(config.seed + start) % 2**63)
            return build(other, data.without_edges(), scaling, known, truth)[0]

        few = few_tasks(len(data.tasks), config.seed)
        visited = torch.arange(min(len(data.tasks), FEW)) if few is None else few
        first = frames.tracks[visited]
        starts, tying = Restarts(loop, first, visited, afresh), DelayedCoupling(loop, first, visited)
        model = model_of(loop, scaling, config, data)
        validation = None if new is None else Validation(model, data, new, loop.proposal)
        foretell = Foretelling(schedule, say)
        recorder = Recorder(loop, frames, few, schedule, starts, tying, data, run, report, foretell, validation)
        if run is not None:
            processes.by_first(partial(held.enter_context, locked(run.folder)))
        if run is not None and resume:
            run.require_same(origin.whole)
            run.require_known(known)
        if run is not None and resume and not run.killed_early:
            end = recorder.restore()
            processes.by_first(lambda: run.cut_rows(end))
            recorder.go_on(run.rows())
        elif run is not None:
            begin = partial(run.create, config, describe(data, scaling, origin, known))
            processes.by_first(run.require_free if resume else begin)
            recorder.save()  # from here on, whatever happens, the run can be resumed
        loop.run(recorder.clocks(), recorder.whole_or_cut(batches), recorder)
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
