"""A distilled model: an encoder that answers new tasks in one pass, as the model that it learned from would.

It stands in the run folder of that model, in the file `distilled.pt`. `fitting/distillation.py` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import scaled_tracks, whole_tracks
from bouncegrad.core.encoders.regression import RegressionEncoder
from bouncegrad.core.structures import edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.model import Model
from bouncegrad.models.unlike import unlike_training
from bouncegrad.results.result import Result
from bouncegrad.runs.consistency import MISFIT
from bouncegrad.settings.build_search import regression_encoder

FILE, FORMAT = "distilled.pt", 1
AT_ONCE = 2**16  # pairs of all frames of some tasks, so many that their numbers stay in the cache
NOTHING = torch.empty(0)  # in place of structures, which the encoder does not read


@dataclass(frozen=True, eq=False)
class Distilled:
    """A model and the encoder that learned from its answers.

    Args:
        model: the trained model.
        encoder: answers in its place.
        hidden: width of the encoder.
        about: what it learned from: number of tasks and frames, and how far it agrees with the model.
    """

    model: Model
    encoder: RegressionEncoder
    hidden: int
    about: dict[str, Any]

    @classmethod
    def new(cls, model: Model, hidden: int, generator: torch.Generator) -> Distilled:
        """Returns an encoder with new weights, for the entities of training.

        Raises:
            InputError: the model has one edge type, candidate pairs or shared graphs.
        """
        config = model.config
        reasons = {
            "edge_types": config.edge_types < 2,
            "candidates": config.candidates is not None,
            "shared_graph": config.shared_graph,
        }
        if wrong := [name for name, found in reasons.items() if found]:
            raise InputError(f"setting {wrong[0]}: a run with it cannot be distilled; use bouncegrad infer as it is")
        pairs = edge_index(model.composition.entities)
        encoder = regression_encoder(
            model.features, model.scaling, config.edge_types, pairs, generator, hidden, model.angles
        )
        return cls(model, encoder, hidden, {})

    @classmethod
    def load(cls, model: Model, folder: str | Path) -> Distilled:
        """Returns the distilled model of a run folder.

        Raises:
            InputError: there is none, or its file is damaged or does not fit the run.
        """
        path = Path(folder) / FILE
        if not path.exists():
            raise InputError(f"{path}: does not exist; make it with bouncegrad distil {folder} DATA")
        remedy = f"make it again with bouncegrad distil {folder} DATA"
        try:
            state = read_torch(path)
            version, hidden, about = int(state["format"]), int(state["hidden"]), dict(state["about"])
        except Exception:  # damaged files raise errors of nearly any type
            raise InputError(f"{path}: is no encoder of bouncegrad or is damaged; {remedy}") from None
        if version != FORMAT:
            raise InputError(f"{path}: has format {version}, this version reads {FORMAT}; {remedy}")
        made = cls.new(model, hidden, torch.Generator())
        try:
            made.encoder.load_state_dict(state["encoder"])
        except MISFIT:
            raise InputError(f"{path}: does not fit the run; {remedy}") from None
        return cls(model, made.encoder, hidden, about)

    def save(self, folder: str | Path) -> Path:
        """Writes the file of the encoder into the run folder, and returns its path."""
        state = {"format": FORMAT, "hidden": self.hidden, "encoder": self.encoder.state_dict(), "about": self.about}
        write_torch(state, Path(folder) / FILE)
        return Path(folder) / FILE

    @torch.no_grad()
    def probability(self, tracks: Float[Tensor, "M T N D+marks"]) -> Float[Tensor, "M E K"]:
        """Returns the probability of every type of every edge, from scaled tracks; one pass."""
        pairs = edge_index(tracks.shape[2])
        encoder = self.encoder.on(pairs)
        return torch.cat([encoder(part, NOTHING).softmax(-1) for part in tracks.split(at_once(tracks, pairs))])

    @torch.no_grad()
    def infer(self, data: Trajectories, context: int | None = None) -> Result:
        """Answers new tasks from their first `context` frames; the result is as that of `Model.infer`.

        The loss of each task is that of the model's modules under these edges.

        Raises:
            InputError: the recordings do not fit the training, see `Model.infer`.
        """
        seen = self.model.seen(data, context)
        tracks, on = scaled_tracks(seen, self.model.scaling), self.model.on(seen)
        found = self.probability(tracks)
        parts = torch.arange(len(tracks)).split(at_once(tracks, on.pairs))
        losses = [on.loss(whole_tracks(tracks[p], p, on.lags), found[p].argmax(-1)) for p in parts]
        loss = torch.cat(losses).numpy().astype(np.float64)
        pairs, (m, t, n, _) = edge_index(seen.shape[2]).numpy(), seen.shape
        probability = np.zeros((m, n, n, self.model.config.edge_types))
        probability[..., 0] = 1 - np.eye(n)
        probability[:, pairs[0], pairs[1]] = found.numpy()
        unlike = unlike_training(seen, self.model.scaling, self.model.frames, loss, self.model.loss)
        trust = self.model.trust
        result = Result.from_probability(
            probability,
            loss,
            t,
            tasks=data.tasks,
            entities=data.entities,
            priors=self.model.config.priors,
            source=f"answered from {data.source}",
        )
        if trust is not None:
            result = replace(result, verdict=trust.verdict, chosen=trust.priors)
        return replace(result, unlike=tuple(unlike))


def at_once(tracks: Float[Tensor, "M T N D+marks"], pairs: Int[Tensor, "2 E"]) -> int:
    """Returns the number of tasks that are answered at once."""
    return max(1, AT_ONCE // (tracks.shape[1] * pairs.shape[1]))
