"""A trained model in the user's units: what `train` leaves and what infers, forecasts and evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from bouncegrad.app.config import Config, build_composition
from bouncegrad.app.run import Run
from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.inference import infer
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Scaling, Trajectories
from bouncegrad.results.result import Result

TASKS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Model:
    """Learned modules with the scaling and the settings they were trained with.

    Args:
        composition: the modules.
        scaling: of the training part.
        config: resolved settings.
        features: names of the D features.
        frames: T of the training part, the default context of new tasks.
    """

    composition: GraphComposition
    scaling: Scaling
    config: Config
    features: tuple[str, ...]
    frames: int

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """From a run folder."""
        run = Run(folder)
        config, about, scaling = run.config(), run.about(), run.scaling()
        _, frames, entities, features = about["shape"]
        composition = build_composition(config, entities, features, scaling, torch.Generator())
        composition.load_state_dict(run.state()["composition"])
        return cls(composition.eval(), scaling, config, tuple(about["features"]), frames)

    def infer(self, data: Trajectories, context: int | None = None) -> Result:
        """Edges of new tasks, from the first `context` frames (None: all of them) and nothing else.

        Raises:
            InputError: other features than in training, a context that is not there, or values that are not finite.
        """
        seen = self.seen(data, context)
        found = infer(self.composition, scaled_tracks(seen, self.scaling), self.config.seed)
        m, t, n, _ = seen.shape
        pairs = self.composition.on(n).pairs.numpy()
        probability = np.zeros((m, n, n, self.config.edge_types))
        probability[:, pairs[0], pairs[1]] = found.probability.numpy()
        return Result.from_probability(
            probability,
            found.loss.numpy().astype(np.float64),
            t,
            tasks=data.tasks,
            entities=data.entities,
            source=f"inferred from {data.source}",
        )

    def seen(self, data: Trajectories, context: int | None) -> Trajectories:
        """The context frames, checked."""
        if data.features != self.features:
            raise InputError(
                f"{data.source}: features {', '.join(data.features)} differ from those of training, "
                f"{', '.join(self.features)}; give the same features in the same order"
            )
        frames = data.shape[1]
        if context is not None and not 2 <= context <= frames:
            raise InputError(f"{data.source}: a context of {context} frames, the data has {frames}; give 2 to {frames}")
        seen = data.frames(0, context)
        return seen.require_complete().require_finite()

    @torch.no_grad()
    def predict(
        self, data: Trajectories, steps: int, context: int | None = None, result: Result | None = None
    ) -> Float[np.ndarray, "M steps N D"]:
        """Free-running forecasts of the `steps` frames after the context, in the user's units.

        Args:
            data: new tasks; frames after the context are not read.
            steps: frames ahead, from 1.
            context: frames that the structure is inferred from; None: all.
            result: an inferred result for these tasks, so that it need not be inferred again.
        """
        if steps < 1:
            raise InputError(f"a forecast of {steps} steps; give at least 1")
        seen = self.seen(data, context)
        result = result or self.infer(data, context)
        composition = self.composition.on(seen.shape[2])
        z = adjacency_to_structure(torch.from_numpy(result.edges), composition.pairs)
        last = scaled_tracks(seen, self.scaling)[:, -1:]
        parts = zip(last.split(TASKS_AT_ONCE), z.split(TASKS_AT_ONCE), strict=True)
        path = torch.cat([composition.rollout(x, s, steps)[:, 0] for x, s in parts]).double().numpy()
        # Adding the scaled change to the last state in double precision keeps small motions of far-away coordinates.
        moved = (path - last.double().numpy()) * np.array(self.scaling.scale)
        return np.asarray(seen.x[:, -1:], dtype=np.float64) + moved
