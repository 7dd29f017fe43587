"""How a model is trained: the recipe, stage by stage. The loop itself is in `core/bouncegrad.py`.

    1 hot                structures are uniform; edge modules are held together and learn the mean law
    2 cooling            structures are drawn at a falling temperature; edge modules see differences between entities
                         first, then states open to them
    3 coupled            what ties edges to each other begins to act, once type labels have settled
    4 judged             type labels are checked without the truth; the run may restart from other first weights
    5 refined            the temperature stays at 1, the learning rate falls, all tasks are visited
    6 calibrated         offsets leave the messages; a temperature is found at which edge probabilities are right
    7 final structures   the most probable structures given all frames            (if the run has a stage 8)
    8 forecasting        modules of their own learn to roll out                   (by default in runs limited by time)

Why so. A law whose labels are swapped in a part of the space, or for some entities, fits nearly as well as the right
law (label switching). So the strongest encounters must settle the labels first: first weights are made alike, the
temperature is high and falls slowly, and what could stand for an entity (its place, a constant of its own) is hidden
until labels have settled. What is still swapped is found in stage 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Int

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.calibration import calibrated_temperature
from bouncegrad.core.compositions.forecaster import Forecaster, as_forecaster
from bouncegrad.core.distributed import ALONE
from bouncegrad.core.offsets import move_offsets
from bouncegrad.core.seams import Clock, Staged
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.environment import Environment, Row
from bouncegrad.fitting.final_structures import FinalStructures, learned_from
from bouncegrad.fitting.forecasting import ForecastStage
from bouncegrad.fitting.parts import Parts, assemble
from bouncegrad.fitting.prepare import Prepared, prepare
from bouncegrad.fitting.recorder import Recorder
from bouncegrad.fitting.validation import Validation
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import Provenance, describe
from bouncegrad.settings.build import ALIKE
from bouncegrad.settings.config import Config
from bouncegrad.settings.devices import computing
from bouncegrad.settings.resolved import COOLING_TASKS


def train(
    config: Config,
    data: Trajectories,
    run: Run | None = None,
    *,
    provenance: Provenance | None = None,
    known: Int[np.ndarray, "M N N"] | None = None,
    new: Trajectories | None = None,
    resume: bool = False,
    environment: Environment | None = None,
) -> tuple[Model, BounceGrad, list[Row]]:
    """Learns modules and structures.

    Args:
        config: settings; those that are None follow from the data.
        data: the training part; only metrics, and the oracle `proposal: truth`, read its edges.
        run: the folder to write; None writes nothing.
        provenance: the data set that `data` was taken from, if `data` is only a part of it.
        known: types `[source, target]` of edges that need not be found, -1 for all others.
        new: tasks that the run is validated on, see `validation.py`; it does not learn from them.
        resume: continue from the checkpoint of the run.
        environment: who stops the run, who listens to it, and which processes share it.

    Returns:
        The model, the loop as it stands, and the rows of metrics.
    """
    environment = environment or Environment()
    prepared = prepare(config, data, known, environment.processes)
    with computing(prepared.config.device, prepared.config.threads), ExitStack() as held:
        parts = assemble(prepared, environment)
        model = model_of(prepared, parts)
        validation = None if new is None else Validation(model, prepared.data, new, parts.loop.proposal)
        recorder = Recorder(prepared, parts, run, environment, validation)
        by_first = environment.processes.by_first
        if run is not None:
            by_first(partial(held.enter_context, run.locked()))
            about = partial(describe, prepared.data, prepared.scaling, provenance or Provenance(data), prepared.known)
            recorder.begin(about, provenance.whole if provenance else data, resume)
        recipe = Recipe(prepared, parts, recorder)
        parts.loop.run(recipe.passes(), recorder.until_stopped(parts.batches), recorder)
        recipe.calibrate()
        recorder.finish()
        parts.loop.processes = ALONE  # what follows is done by the first process
        forecasts = prepared.config.forecast and parts.schedule.progress >= 1 and environment.processes.first
        forecaster = recipe.forecast(environment) if forecasts else None
    parts.loop.z = parts.loop.z.cpu()
    return replace(model, forecaster=forecaster or model.forecaster).evaluated().cpu(), parts.loop, recorder.rows


def model_of(prepared: Prepared, parts: Parts) -> Model:
    """The model that is being trained; its modules are those of the loop."""
    data = prepared.data
    about = (data.features, data.shape[1], data.dt, data.angles, data.kinds)
    return Model(parts.composition, as_forecaster(parts.composition), prepared.scaling, prepared.config, *about)


class Recipe:
    """Leads a run through its stages."""

    def __init__(self, prepared: Prepared, parts: Parts, recorder: Recorder) -> None:
        self.prepared, self.config, self.parts, self.recorder = prepared, prepared.config, parts, recorder
        self.staged = parts.composition if isinstance(parts.composition, Staged) else None

    def passes(self) -> Iterator[Clock]:
        """Stages 1 to 5: one clock for each pass; before each pass the stages set what they change."""
        for clock in self.parts.schedule.clocks():
            # A run that resumes here does all that follows again, so the checkpoint comes first.
            self.recorder.save_when_due()
            clock = self.judge(clock)
            self.refine()
            self.open()
            self.hold_together(clock)
            self.couple()
            self.recorder.write_row_when_due()
            yield clock
            self.recorder.sum_up()

    def hold_together(self, clock: Clock) -> None:
        """1 hot: at its end edge modules are made alike again, so that tracks and not first weights set the labels."""
        hot = math.isinf(self.parts.loop.annealer.temperature)
        if hot and clock.cooled >= self.config.hot and self.staged is not None:
            self.staged.bring_together(ALIKE, self.parts.loop.optimizer)

    def open(self) -> None:
        """2 cooling: states open to the edge modules, and the pass is over the few tasks that are visited often."""
        schedule = self.parts.schedule
        if self.staged is not None:
            self.staged.open(schedule.opening)
        self.parts.frames.few = self.parts.cooled if schedule.narrow else None

    def couple(self) -> None:
        """3 coupled: edges that are tied from the first would freeze together with swapped labels."""
        self.parts.coupling.couple(self.parts.schedule.labels_settled)

    def judge(self, clock: Clock) -> Clock:
        """4 judged: once structures have cooled; a restart begins its cooling at this clock."""
        schedule, restarts = self.parts.schedule, self.parts.restarts
        if not schedule.to_be_judged or restarts.decided or not restarts.judge(schedule.may_restart):
            return clock
        schedule.restart()
        return clock._replace(cooled=schedule.cooled)

    def refine(self) -> None:
        """5 refined: the learning rate falls on a cosine, over the whole run."""
        for group in self.parts.loop.optimizer.param_groups if self.parts.loop.optimizer else ():
            group["lr"] = self.parts.schedule.learning_rate

    def calibrate(self) -> None:
        """6 calibrated: unless the run was stopped before its end, or had ended before."""
        parts, composition = self.parts, self.parts.composition
        if not (self.recorder.ran and parts.schedule.progress >= 1):
            return
        parts.loop.processes.gather(parts.loop.z)
        which = slice(COOLING_TASKS) if parts.visited is None else parts.visited[:COOLING_TASKS]
        tracks, z = parts.frames.tracks[which], parts.loop.z[which]
        move_offsets(composition, tracks)
        generator = torch.Generator(tracks.device).manual_seed(self.config.seed)
        composition.temperature.fill_(calibrated_temperature(composition, tracks, z, generator))

    def forecast(self, environment: Environment) -> Forecaster | None:
        """7 and 8: final structures, then forecasting; None if the run is stopped before the forecasting stage."""
        parts, recorder = self.parts, self.recorder
        which, (found, begun) = learned_from(len(parts.frames.tracks)), recorder.resumed
        tracks, tasks = parts.frames.tracks[which], None if isinstance(which, slice) else which
        with recorder.consistent(found):
            final = FinalStructures(parts, tracks, environment.stop, found, tasks)
        recorder.final = final
        if begun is None and not final.find(recorder.save_when_due):
            recorder.save()
            return None
        with recorder.consistent(begun):
            stage = ForecastStage(self.prepared, parts, *final.reached, environment.stop, begun)
        recorder.stage = stage
        if begun is None:
            stage.seconds += final.seconds
        stage.run(recorder.add_stage_row, recorder.save)
        recorder.save()
        return stage.forecaster.eval()
