"""Distillation: an encoder learns to answer as a trained model does, so that new tasks take one pass.

    p = the edge probabilities that the model infers from each recording, once
    encoder  <-  encoder - rate * ∇ Σ_ijk -p_ijk log q_ijk,        q = softmax(encoder(tracks))

The model stands for the search: its answers are the structures of the heat bath or of joint draws. No true edges are
read. A share of the recordings is kept out of learning, to measure how far the encoder agrees with the model.

Source: Hinton et al. 2015, for learning from the probabilities of another model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.batches import Batch, scaled_tracks
from bouncegrad.core.guard import Guard
from bouncegrad.core.mirroring import Mirror
from bouncegrad.core.pace import cosine
from bouncegrad.core.structures import edge_index
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.distilled import NOTHING, Distilled
from bouncegrad.models.model import Model

LAST = 0.02  # the last learning rate, as a share of the first one
PAIRS, MOST, LEAST = 1280, 64, 8  # pairs of all recordings of a gradient step; recordings at most and at least
KEPT, FEWEST = 0.05, 20  # share of the recordings on which agreement is measured; recordings that are needed at least


@dataclass(frozen=True)
class Distillation:
    """How the encoder learns.

    Args:
        hidden: width of the encoder.
        minutes: time of learning, beside the time that the model takes to answer.
        passes: passes over the recordings; if given, they count instead of the minutes.
        batch: recordings per gradient step; None: 64, or fewer if they have more than 20 pairs each, but at least 8.
        learning_rate: the first rate of Adam; it falls on a cosine.
        mirror: recordings are mirrored or turned at random, see `mirroring.py`.
        seed: of all random draws.
    """

    hidden: int = 32
    minutes: float = 3.0
    passes: int | None = None
    batch: int | None = None
    learning_rate: float = 3e-3
    mirror: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("hidden", 1, 4096), ("batch", 1, 10**6), ("passes", 1, 10**6)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(f"setting {name}: {value} cannot be used; give a whole number from {least} to {most}")
        for name in ("minutes", "learning_rate"):
            if not 0 < getattr(self, name) <= 1e6:
                raise InputError(f"setting {name}: {getattr(self, name)} cannot be used; give a number above 0")


def distil(
    model: Model,
    data: Trajectories,
    settings: Distillation = Distillation(),
    report: Callable[[float, str], object] = lambda share, words: None,
    stop: Callable[[], bool] = lambda: False,
) -> Distilled:
    """Returns an encoder that answers as the model does.

    Args:
        model: the trained model.
        data: recordings to learn from; their true edges are not read.
        settings: how the encoder learns.
        report: called with the share of the work that is done, and a word on the present state.
        stop: called before every step; if it returns true, learning ends, and what was learned is returned.

    Raises:
        InputError: the model cannot be distilled, or the recordings are too few or do not fit it.
    """
    if len(data.tasks) < FEWEST:
        raise InputError(f"{data.source}: {len(data.tasks)} recordings are too few to distil; give at least {FEWEST}")
    generator = torch.Generator().manual_seed(settings.seed)
    made = Distilled.new(model, settings.hidden, generator)
    start = time.perf_counter()
    tracks = scaled_tracks(model.seen(data, None), model.scaling)
    wanted = answers(model, data, lambda share: report(0.0, f"the model answers, {share:.0%}"))
    answering = time.perf_counter() - start
    order = torch.randperm(len(tracks), generator=generator)
    kept, learned = order.split([round(KEPT * len(order)), len(order) - round(KEPT * len(order))])
    student = Student(made, settings, generator)
    steps = student.learn(tracks[learned], wanted[learned], report, stop)
    about = {
        "tasks": len(learned),
        "frames": tracks.shape[1],
        "passes": round(steps / -(-len(learned) // student.batch), 2),
        "agreement": agreement(made, tracks[kept], wanted[kept]),
        "kept": len(kept),
        "seconds_of_the_model": round(answering, 2),
        "seconds": round(time.perf_counter() - start, 2),
    }
    return replace(made, about=about)


def answers(model: Model, data: Trajectories, progress: Callable[[float], object]) -> Float[Tensor, "M E K"]:
    """Returns the edge probabilities that the model infers."""
    found = model.infer(data, progress=progress).probability
    pairs = edge_index(data.shape[2]).numpy()
    return torch.as_tensor(found[:, pairs[0], pairs[1]].astype(np.float32))


def agreement(made: Distilled, tracks: Float[Tensor, "M T N D+marks"], wanted: Float[Tensor, "M E K"]) -> float:
    """Returns the share of edges for which encoder and model name the same type."""
    return float((made.probability(tracks).argmax(-1) == wanted.argmax(-1)).float().mean())


class Student:
    """The encoder while it learns.

    Args:
        made: holds the encoder.
        settings: how it learns.
        generator: draws batches and mirrored copies.

    Attributes:
        batch: recordings per gradient step. Recordings of many pairs teach more and take more time, so they are fewer.
    """

    def __init__(self, made: Distilled, settings: Distillation, generator: torch.Generator) -> None:
        self.encoder, self.settings, self.generator, self.guard = made.encoder, settings, generator, Guard()
        self.optimizer = torch.optim.Adam(made.encoder.parameters(), lr=settings.learning_rate)
        self.batch = settings.batch or min(max(PAIRS // made.encoder.pairs.shape[1], LEAST), MOST)
        self.mirror = Mirror(made.model.features, made.model.scaling) if settings.mirror else None

    def learn(
        self,
        tracks: Float[Tensor, "M T N D+marks"],
        wanted: Float[Tensor, "M E K"],
        report: Callable[[float, str], object],
        stop: Callable[[], bool],
    ) -> int:
        """Learns until the passes or the time are over; returns the number of steps."""
        start, step = time.perf_counter(), 0
        batches = -(-len(tracks) // self.batch)
        total = None if self.settings.passes is None else self.settings.passes * batches
        parts: list[Tensor] = []
        while not stop():
            progress = step / total if total else (time.perf_counter() - start) / (60 * self.settings.minutes)
            if progress >= 1:
                break
            if not parts:
                parts = list(torch.randperm(len(tracks), generator=self.generator).tensor_split(batches))
            rows = parts.pop()
            loss = self.step(tracks[rows], wanted[rows], cosine(progress, LAST))
            report(progress, f"loss {loss:.3f}")
            step += 1
        return step

    def step(self, tracks: Float[Tensor, "B T N D+marks"], wanted: Float[Tensor, "B E K"], factor: float) -> float:
        """Takes one gradient step at this share of the first rate; returns the mean cross-entropy of an edge."""
        if self.mirror is not None:
            every = torch.arange(len(tracks))
            tracks = self.mirror(Batch(every, tracks, tracks[:, None]), self.generator).tracks
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.settings.learning_rate
        logits = self.encoder(tracks, NOTHING, learning=True)
        loss = -(wanted * logits.log_softmax(-1)).sum(-1).mean()
        self.guard.step(self.optimizer, loss, self.encoder.named_parameters())
        return float(loss.detach())
