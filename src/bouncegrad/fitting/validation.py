"""Validation: now and then, how a run does on a few new tasks, and on as many of its training tasks.

    new_edge_accuracy            structures of the new tasks, found anew as `evaluate` finds them
    mse_1, mse_10, new_mse_1 ..  errors of free-running forecasts 1 and 10 frames ahead, of both
    new_proposal_accuracy        what a learned proposal says of the new tasks

The numbers are written, and nothing in training goes by them: no random number is drawn from the run's generator, no
step is chosen. Looks take a twentieth of the run's time at most, but for one at the start and one at the end.
"""

from __future__ import annotations

import time
from dataclasses import replace
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

TASKS, SHARE = 32, 0.05
AHEAD = (1, 10)


class Validation:
    """Looks at new tasks and at training tasks, at most 32 of each, always the same.

    Args:
        model: what is being trained, its modules shared.
        training, new: tasks; the truth, where there is one, is read by the accuracy alone.
        proposal: what suggests structures in training.

    Raises:
        InputError: the new tasks do not go with the training tasks.
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
        """The new tasks that are looked at."""
        return self.tasks["new_"]

    @property
    def context(self) -> int:
        """Frames that structures of new tasks are inferred from."""
        return min(self.model.frames, self.new.shape[1])

    def due(self, seconds: float) -> bool:
        """Whether after so much time in training another look would not take more than its share."""
        return self.spent + self.latest <= SHARE * seconds

    def look(self, forecaster: Forecaster | None = None) -> dict[str, Any]:
        """The numbers by their keys in a row of metrics; of forecasts alone where a forecaster is in training."""
        start = time.perf_counter()
        row = self.accuracies() if forecaster is None else {}
        # While a forecaster learns, the modules that infer stay as they are, and what they have found does.
        keep = forecaster is not None
        model = self.model if forecaster is None else replace(self.model, forecaster=forecaster)
        for prefix in self.tasks:
            row |= {f"{prefix}{name}": value for name, value in self.errors(model, prefix, keep).items()}
        self.latest = time.perf_counter() - start
        self.spent += self.latest
        return row | {"validation_seconds": self.spent}

    def accuracies(self) -> dict[str, float | None]:
        """Of the structures and of the proposals of the new tasks."""
        new, config = self.new, self.model.config
        result = self.model.infer(new, self.context)
        perm = relabelling(new.edges, result.edges, config.types, pinned=config.pinned)
        tracks, proposed = scaled_tracks(new.frames(0, self.context), self.model.scaling), None
        if (new.shape[2], self.context) == (self.model.composition.entities, self.model.frames):
            z = adjacency_to_structure(torch.as_tensor(result.edges), self.model.composition.pairs)
            proposed = proposal_accuracy(self.proposal, tracks, z, self.true_structure(new), perm)
        accuracy = edge_accuracy(new.edges, result.edges, perm)
        return {"new_edge_accuracy": accuracy, "new_proposal_accuracy": proposed}

    def true_structure(self, data: Trajectories) -> Int[Tensor, "M E"] | None:
        """The truth of the candidate pairs, where it is known."""
        if data.edges is None:
            return None
        return adjacency_to_structure(torch.as_tensor(data.edges), self.model.composition.pairs)

    def errors(self, model: Model, prefix: str, keep: bool) -> dict[str, float | None]:
        """Of free-running forecasts, started as `evaluate` starts them."""
        data = self.tasks[prefix]
        frames = data.shape[1]
        planned = plan("free", frames, min(model.frames, frames), model.config.lags)
        planned = planned._replace(steps=min(planned.steps, AHEAD[-1]))
        found = None
        if planned.steps > 0:
            past = self.past.get(prefix) if keep else None
            past = past or model.infer(data, planned.context)
            self.past = self.past | {prefix: past} if keep else {}
            found = forecast_errors(model, data, planned, past, only=(MODEL,))[MODEL]
        return {f"mse_{ahead}": error_at(found, ahead) for ahead in AHEAD}


def some(tasks: int, seed: int) -> Int[np.ndarray, " few"]:
    """Numbers of the tasks that are looked at."""
    return np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(tasks)[:TASKS])


def proposal_accuracy(
    proposal: Proposal,
    tracks: Float[Tensor, "M T N D"],
    z: Int[Tensor, "M E"],
    truth: Int[Tensor, "M E"] | None,
    perm: tuple[int, ...] | None,
) -> float | None:
    """Share of edges that a learned proposal would get right, on average over its draws; other kinds learn nothing.

    `mean p(type that is renamed to the true one)`

    Args:
        proposal: of a search; the random numbers that its encoder draws are put back.
        tracks, z: scaled states and present structures.
        truth: true structures.
        perm: `perm[type] = true type`, as the structures were renamed.
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
