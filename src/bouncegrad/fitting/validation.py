"""Validation: from time to time a run is measured on a few new tasks, and on as many of its training tasks.

    new_edge_accuracy            accuracy of structures of the new tasks, inferred as `evaluate` does
    mse_1, mse_10, new_mse_1 ..  errors of free-running forecasts 1 and 10 frames ahead, of training and new tasks
    new_proposal_accuracy        accuracy of a learned proposal on the new tasks

The numbers are stored, and training does not depend on them: no random number is drawn from the generator of the run,
and they are not used to select anything. Validation takes at most a twentieth of the time of a run. The measurements at
the beginning and at the end are always made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import scaled_tracks
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.proposals import InTurn, Learned
from bouncegrad.core.seams import Proposal
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.model import Model
from bouncegrad.models.protocols import MODEL, forecast_errors, plan
from bouncegrad.results.metrics import edge_accuracy, error_at, relabelling
from bouncegrad.results.result import Result

AHEAD = (1, 10)  # frames


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        tasks: tasks of each kind, at most; this limits the time of one measurement.
        share: share of the time of the run that all measurements take, at most.
    """

    tasks: int = 32
    share: float = 0.05


EFFORT = Effort()


class Validation:
    """Measures new tasks and training tasks, at most 32 of each, always the same.

    Args:
        model: the model in training; its modules are shared.
        training, new: training tasks and new tasks; only accuracies read their true edges.
        proposal: the proposal of the run.

    Raises:
        InputError: the new tasks do not fit the training tasks.
    """

    def __init__(self, model: Model, training: Trajectories, new: Trajectories, proposal: Proposal) -> None:
        self.model, self.proposal = model, proposal
        seed = model.config.seed
        self.tasks = {
            "": training.select(some(len(training.tasks), seed)),
            "new_": new.select(some(len(new.tasks), seed)),
        }
        self.past: dict[str, Result] = {}
        self.spent = self.latest = 0.0
        model.seen(self.new, self.context)

    @property
    def new(self) -> Trajectories:
        """The new tasks that are measured."""
        return self.tasks["new_"]

    @property
    def context(self) -> int:
        """The number of frames from which structures of new tasks are inferred."""
        return min(self.model.frames, self.new.shape[1])

    def due(self, seconds: float) -> bool:
        """Returns whether, after so many seconds of training, one more measurement stays within its share."""
        return self.spent + self.latest <= EFFORT.share * seconds

    def look(self, forecaster: Forecaster | None = None) -> dict[str, Any]:
        """Measures, and returns the numbers with their keys in a row of metrics.

        Args:
            forecaster: the forecaster, if it is in training; then only forecasts are measured. None: the modules that
                infer are in training.
        """
        start = time.perf_counter()
        row = self.accuracies() if forecaster is None else {}
        # While a forecaster learns, the modules that infer do not change, so inferred structures are kept.
        keep = forecaster is not None
        model = self.model if forecaster is None else replace(self.model, forecaster=forecaster)
        for prefix in self.tasks:
            row |= {f"{prefix}{name}": value for name, value in self.errors(model, prefix, keep).items()}
        self.latest = time.perf_counter() - start
        self.spent += self.latest
        return row | {"validation_seconds": self.spent}

    def accuracies(self) -> dict[str, float | None]:
        """Returns the accuracies of structures and of proposals for the new tasks."""
        new, config = self.new, self.model.config
        result = self.model.infer(new, self.context)
        perm = relabelling(new.edges, result.edges, config.edge_types, pinned=config.pinned)
        tracks, proposed = scaled_tracks(new.frames(0, self.context), self.model.scaling), None
        if (new.shape[2], self.context) == (self.model.composition.entities, self.model.frames):
            z = adjacency_to_structure(torch.as_tensor(result.edges), self.model.composition.pairs)
            proposed = proposal_accuracy(self.proposal, tracks, z, self.true_structure(new), perm)
        accuracy = edge_accuracy(new.edges, result.edges, perm)
        return {"new_edge_accuracy": accuracy, "new_proposal_accuracy": proposed}

    def true_structure(self, data: Trajectories) -> Int[Tensor, "M E"] | None:
        """Returns the true types of the candidate pairs; None if they are not known."""
        if data.edges is None:
            return None
        return adjacency_to_structure(torch.as_tensor(data.edges), self.model.composition.pairs)

    def errors(self, model: Model, prefix: str, keep: bool) -> dict[str, float | None]:
        """Returns errors of free-running forecasts; they start at the same frame as those of `evaluate`."""
        data = self.tasks[prefix]
        frames = data.shape[1]
        planned = plan("free", frames, min(model.frames, frames), model.config.lags)
        planned = planned._replace(steps=min(planned.steps, AHEAD[-1]))
        found = None
        if planned.steps > 0:
            past = self.past.get(prefix) if keep else None
            past = past or model.infer(data, planned.context)
            self.past = self.past | {prefix: past} if keep else {}
            found = forecast_errors(model, data, planned, past, only=(MODEL,)).get(MODEL)
        return {f"mse_{ahead}": error_at(found, ahead) for ahead in AHEAD}


def some(tasks: int, seed: int) -> Int[np.ndarray, " few"]:
    """Returns the numbers of the tasks that are measured; they depend on the seed only."""
    return np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(tasks)[: EFFORT.tasks])


def proposal_accuracy(
    proposal: Proposal,
    tracks: Float[Tensor, "M T N D"],
    z: Int[Tensor, "M E"],
    truth: Int[Tensor, "M E"] | None,
    perm: tuple[int, ...] | None,
) -> float | None:
    """Returns the share of edges that a learned proposal gets right, on average over its draws.

    This is `mean p(type that the relabelling maps to the true one)`. Returns None for other proposals.

    Args:
        proposal: of a search; the state of its encoder's generator is restored afterwards.
        tracks, z: scaled states and present structures.
        truth: true structures; None: not known.
        perm: the relabelling of the structures, `perm[type] = true type`.
    """
    if isinstance(proposal, InTurn):
        both = [proposal_accuracy(part, tracks, z, truth, perm) for part in proposal.proposals]
        known = [value for value in both if value is not None]
        return sum(known) / len(known) if known else None
    if not isinstance(proposal, Learned) or truth is None or perm is None:
        return None
    generator = proposal.encoder.generator
    state = generator.get_state()
    probability = proposal.probability(tracks, z)
    generator.set_state(state)
    right = torch.tensor(perm) == truth[..., None]
    return float((probability * right).sum(-1).mean())
