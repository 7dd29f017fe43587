"""A trained model, which infers edges of new tasks; `forecasts.py`, `unseen.py` and others use it for other results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import Forecaster, as_forecaster
from bouncegrad.core.compositions.graph_settings import Place
from bouncegrad.core.inference import EFFORT, expected_sweeps, infer
from bouncegrad.core.inferred import Watched
from bouncegrad.core.seams import Relational
from bouncegrad.data.angles import as_stated, periods_of
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.requirements import require_moderate
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.trust import Trust, trusted
from bouncegrad.models.unlike import unlike_training
from bouncegrad.results.result import Result
from bouncegrad.runs.folder import Run
from bouncegrad.settings.build import (
    CompositionSetup,
    build_composition,
    build_coupling,
    build_forecaster,
    build_prior,
    kind_numbers,
)
from bouncegrad.settings.first_graph import first_graph
from bouncegrad.settings.memory import inference_bytes, model_bytes, require_memory
from bouncegrad.settings.resolved import ResolvedConfig


@dataclass(frozen=True, eq=False)
class Model:
    """Learned modules, with the scaling and the settings that they were trained with.

    Args:
        composition: the modules that infer.
        forecaster: the modules that forecast: those of the forecasting stage, or the modules that infer if there was no
            such stage. None: the composition cannot forecast.
        scaling: of the training part.
        config: resolved settings.
        features: names of the D features.
        frames: T of the training part, the default context of new tasks.
        dt: time between frames of the training part; the modules predict changes over this time.
        angles: features that are angles, in the notation of `Trajectories.angles`.
        kinds: kinds of the entities in training; each kind has a node module; empty: all entities are alike.
        trust: what held-out frames said, if recordings were few, see `trust.py`.
        loss: at the end of training, in nats per number; None: not known.
    """

    composition: Relational
    forecaster: Forecaster | None
    scaling: Scaling
    config: ResolvedConfig
    features: tuple[str, ...]
    frames: int
    dt: float
    angles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    trust: Trust | None = None
    loss: float | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Returns the model of a run folder.

        Raises:
            InputError: the folder holds no run, or its files are damaged or do not fit each other.
        """
        run = Run(folder)
        config, about = run.config(), run.about()
        with run.consistent():
            _, frames, entities, _ = about["shape"]
            scaling, features = run.scaling(), tuple(about["features"])
            trust = Trust.read(about.get("held_out_frames"))
            angles, kinds = tuple(about.get("angles", ())), tuple(about.get("kinds", ()))
            require_memory(model_bytes(config, entities), f"{run.folder}: a model of {entities:,} entities")
            generator = torch.Generator(torch.get_default_device())
            place = Place(entities, None, kind_numbers(kinds, kinds))
            setup = CompositionSetup(place, features, scaling, generator, config, angles)
            composition = build_composition(setup)
            state = run.state()
            composition.load_state_dict(state["composition"])
            forecaster = as_forecaster(composition)
            if (stage := state["forecast"]) is not None:
                forecaster = build_forecaster(setup, stage["silent"])
                forecaster.load_state_dict(stage["loop"]["composition"])
        dt = float(about["dt"])
        about_run = (angles, kinds, trust, run.last_loss)
        return cls(composition, forecaster, scaling, config, features, frames, dt, *about_run).evaluated()

    def evaluated(self) -> Model:
        """Returns the same model, with its modules set to evaluation."""
        self.composition.eval()
        if self.forecaster is not None:
            self.forecaster.eval()
        return self

    def cpu(self) -> Model:
        """Returns the same model, with its modules on the CPU."""
        composition, forecaster = self.composition.cpu(), self.forecaster
        entities, pairs = composition.entities, composition.pairs.cpu()
        if forecaster is not None:
            forecaster = forecaster.cpu().on(entities, pairs)
        return replace(self, composition=composition.on(entities, pairs), forecaster=forecaster)

    def require_forecaster(self) -> Forecaster:
        """Returns the modules that forecast.

        Raises:
            InputError: the composition cannot forecast.
        """
        if self.forecaster is None:
            raise InputError(f"forecasts: the composition {self.config.composition} cannot roll out; only graph can")
        return self.forecaster

    def infer(
        self,
        data: Trajectories,
        context: int | None = None,
        known: Int[np.ndarray, "M N N"] | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Result:
        """Infers the edges of new tasks from their first `context` frames only.

        Args:
            data: new tasks.
            context: frames that are read; None: all.
            known: types `[source, target]` of edges that need not be inferred, -1 for all others.
            progress: called with the share of the work that is done, from 0 to 1.

        Raises:
            InputError: features or time steps differ from training, the context is too long, or values are not finite.
        """
        seen = self.seen(data, context)
        m, t, n, _ = seen.shape
        on = self.on(seen)
        what = f"{data.source}: inference from {t} frames with {on.slots:,} pairs"
        require_memory(inference_bytes(self.config, seen.shape, on.slots), what)
        coupling, prior = build_coupling(self.config, n), build_prior(self.config, on.pairs, known)
        tracks = scaled_tracks(seen, self.scaling)
        shared = torch.as_tensor(data.group_numbers) if self.config.shared_graph else None
        watched = Watched(progress, expected_sweeps(on, m, coupling, shared is not None))
        effort = replace(EFFORT, first=first_graph(self.config, seen, on.pairs))
        found = infer(on, tracks, self.config.seed, coupling, prior, shared, watched, effort)
        pairs = on.pairs.cpu().numpy()
        probability = np.zeros((m, n, n, self.config.edge_types))
        probability[..., 0] = 1 - np.eye(n)
        loss = found.loss.cpu().numpy().astype(np.float64)
        unlike = unlike_training(seen, self.scaling, self.frames, loss, self.loss)
        shares = trusted(self.trust, bool(unlike), on, tracks, found, prior)
        probability[:, pairs[0], pairs[1]] = shares.cpu().numpy()
        result = Result.from_probability(
            probability,
            loss,
            t,
            tasks=data.tasks,
            entities=data.entities,
            priors=(*self.config.priors, *([] if known is None else ["known edges"])),
            source=f"inferred from {data.source}",
        )
        if self.trust is not None:
            result = replace(result, verdict=self.trust.verdict, chosen=self.trust.priors)
        return replace(result, unlike=tuple(unlike))

    def on(self, seen: Trajectories) -> Relational:
        """Returns the modules on the candidate pairs of these recordings."""
        pairs = torch.as_tensor(candidate_pairs(self.config.candidates, seen))
        return self.composition.on(seen.shape[2], pairs, self.kind_numbers(seen))

    def kind_numbers(self, data: Trajectories) -> list[int]:
        """Returns the number of the node module of each entity.

        Raises:
            InputError: the kinds differ from those of training, or are not stated.
        """
        known = ", ".join(sorted(set(self.kinds)))
        if self.kinds and not data.kinds:
            raise InputError(f"{data.source}: no kinds of entities, in training there were {known}; give --kinds TABLE")
        if unknown := [kind for kind in data.kinds if kind not in self.kinds]:
            what = f"in training there were {known}" if known else "in training there were none"
            raise InputError(f"{data.source}: an entity of kind {unknown[0]!r}, {what}; train with this kind, too")
        return kind_numbers(data.kinds, self.kinds)

    @property
    def periods(self) -> Float[np.ndarray, " D"]:
        """The period of each feature that is an angle or a periodic position; 0 for other features."""
        return periods_of(self.angles, self.features, ("",) * len(self.features), "model", self.periodic)

    @property
    def periodic(self) -> tuple[str, ...]:
        """Positions that wrap at periodic walls, in the notation of `Trajectories.periodic`."""
        return as_stated(self.scaling.period, self.features)

    def adopted(self, data: Trajectories) -> Trajectories:
        """Returns the recordings, with the angles and periodic positions of training if they state none.

        Raises:
            InputError: they state others.
        """
        if (data.angles, data.periodic) == (self.angles, self.periodic) or data.features != self.features:
            return data
        for field, what in (("angles", "angles"), ("periodic", "periodic positions")):
            given, known = getattr(data, field), getattr(self, field)
            if given and given != known:
                raise InputError(
                    f"{data.source}: {what} {', '.join(given)} differ from those of training, "
                    f"{', '.join(known) or 'none'}; leave --{field} out, or give the same"
                )
        return replace(data, angles=self.angles, periodic=self.periodic)

    def seen(self, data: Trajectories, context: int | None) -> Trajectories:
        """Returns the context frames, after checking that they fit the training part.

        Raises:
            InputError: features or time steps differ from training, the context is too long, or values are not finite.
        """
        data = self.adopted(data)
        if data.features != self.features:
            raise InputError(
                f"{data.source}: features {', '.join(data.features)} differ from those of training, "
                f"{', '.join(self.features)}; give the same features in the same order"
            )
        # Recordings without a time step have dt = 1; their time step is assumed to be that of training.
        if 1.0 not in (data.dt, self.dt) and not math.isclose(data.dt, self.dt, rel_tol=1e-3):
            raise InputError(
                f"{data.source}: the time between frames is {data.dt:g}, in training it was {self.dt:g}; --resample "
                f"{self.dt:g} interpolates, --time_step {self.dt:g} states that it is the same"
            )
        frames, least = data.shape[1], self.config.lags + 2
        if not least <= (frames if context is None else context) <= frames:
            raise InputError(
                f"{data.source}: a context of {frames if context is None else context} frames, the data has {frames}; "
                + (f"give {least} to {frames}" if frames >= least else f"this model needs {least}")
            )
        seen = data.frames(0, context).require_finite()
        require_moderate(seen, self.scaling)
        return seen
