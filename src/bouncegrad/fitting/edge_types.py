"""The choice of K, the number of edge types, without true edges: `--edge_types auto`.

A quarter of the tasks are held out. For each K, modules are trained on the other tasks. These trainings share the first
half of the run equally. Structures of the held-out tasks are inferred from the first half of their frames, and

    loss(K) = mean negative log-likelihood of the later frames, every variance widened by (0.05 typical changes)²,
              each number at most 5 nats

The smallest K with  loss(K) <= best + margin  is chosen. The margin is a tenth of the loss of the smallest K minus the
best loss, at least 0.05 and at most 0.25 nats. With too many types, later frames are not predicted better. With too few
types, some forces are not explained. Errors below a twentieth of a typical change depend on the length of training
rather than on K, so the variances are widened by it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from bouncegrad.core.compositions.forecaster import as_graph
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.windows import windows
from bouncegrad.fitting.environment import Environment, Row
from bouncegrad.fitting.stages import train
from bouncegrad.models.frame_losses import frame_losses
from bouncegrad.models.held_out import halves
from bouncegrad.models.model import Model
from bouncegrad.settings.config import Config
from bouncegrad.settings.devices import computing
from bouncegrad.settings.resolved import MINUTES

MOST = 4  # the largest K that is tried
FEWEST_TASKS = 4  # one of four tasks is held out
HELD_OUT, SHARE = 0.25, 0.5  # share of the tasks that is held out, and of the run that the choice takes
MARGIN, WIDEST, GAIN = 0.05, 0.25, 0.1  # least and largest margin in nats, and its share of the gain of the best K


class Choice(NamedTuple):
    """The settings of the run that follows, and the held-out loss of each K."""

    config: Config
    losses: dict[int, float]

    def lines(self) -> list[str]:
        """Returns the losses as a small table, and the choice."""
        rows = [f"{k:>10}  {loss:.4f}" for k, loss in self.losses.items()]
        k, margin = self.config.edge_types, margin_of(self.losses)
        choice = f"{k} edge type{'' if k == 1 else 's'}: the fewest within {margin:.2g} nats of the best"
        return ["edge types  held-out loss", *rows, choice]


def settle_edge_types(
    config: Config,
    data: Trajectories,
    known: Int[np.ndarray, "M N N"] | None = None,
    report: Callable[[int, Row, float], None] = lambda types, row, progress: None,
) -> Choice:
    """Chooses K by the held-out likelihood, and leaves the rest of the time to the run; a given K is kept.

    Args:
        config: settings.
        data: the training part; its true edges are not read.
        known: types of edges that need not be found.
        report: called with the K that is tried, each row of metrics of its training, and the share that is done.

    Raises:
        InputError: too few tasks or frames to hold some out.
    """
    if config.edge_types != "auto":
        return Choice(config, {})
    if len(data.tasks) < FEWEST_TASKS or data.shape[1] < 2 * (config.lags + 2):
        raise InputError(
            f"setting edge_types: auto holds out a quarter of the tasks and half of their frames; {data.source} has "
            f"{len(data.tasks)} tasks of {data.shape[1]} frames; give the number of types"
        )
    start, blind = time.perf_counter(), replace(data, edges=None, tasks=tuple(map(str, range(len(data.tasks)))))
    rest, held = blind.split(HELD_OUT, config.seed)
    kept = np.array([int(task) for task in rest.tasks])
    candidates = range(fewest(config, known), MOST + 1)
    each, left = shared_out(config, len(candidates))
    losses = {}
    for k in candidates:
        model, *_ = train(
            replace(each, edge_types=k, forecast=0.0),
            rest,
            known=None if known is None else known[kept],
            environment=Environment(report=partial(report, k)),
        )
        with computing("cpu", config.threads):
            losses[k] = held_out_loss(model, held if config.window is None else windows(held, config.window))
    if config.epochs is None:
        minutes = (config.minutes or MINUTES) - (time.perf_counter() - start) / 60
        left = replace(left, minutes=max(minutes, left.minutes or 0.0))
    return Choice(replace(left, edge_types=chosen(losses)), losses)


def fewest(config: Config, known: Int[np.ndarray, "M N N"] | None) -> int:
    """Returns the smallest K that is possible with the known edges and the settings."""
    stated = 1 if known is None else int(known.max()) + 1
    return max(stated, 2 if config.pinned or config.candidates is not None else 1)


def shared_out(config: Config, candidates: int) -> tuple[Config, Config]:
    """Returns the settings of the training for each K, and of the run after them, with their shares of the time."""
    if config.epochs is None:
        minutes = config.minutes or MINUTES
        return replace(config, minutes=SHARE * minutes / candidates), replace(config, minutes=(1 - SHARE) * minutes)
    each = max(round(SHARE * config.epochs / candidates), 1)
    return replace(config, epochs=each), replace(config, epochs=max(config.epochs - candidates * each, 1))


def held_out_loss(
    model: Model,
    held: Trajectories,
    known: Int[np.ndarray, "M N N"] | None = None,
    asking: str = "setting edge_types: auto",
) -> float:
    """Returns the mean loss in the second half of the frames, with structures inferred from the first half.

    A number counts 5 nats at most, see `frame_losses.py`.

    Args:
        model: with a likelihood of changes.
        held: recordings that it was not trained on.
        known: types of edges that need not be found, -1 for all others.
        asking: what asks, for messages.

    Raises:
        InputError: the composition is no graph, or the recordings do not fit the model.
    """
    past, later = halves(held, model.config.lags)
    as_graph(model.composition, asking)  # refuses before the work of inference
    edges = torch.as_tensor(model.infer(past, None, known).edges)
    return float(frame_losses(model, later, edges, asking).mean())


def margin_of(losses: Mapping[int, float]) -> float:
    """Returns how much larger than the best loss the loss of a smaller K may be."""
    return min(max(MARGIN, GAIN * (losses[min(losses)] - min(losses.values()))), WIDEST)


def chosen(losses: Mapping[int, float]) -> int:
    """Returns the smallest K with a loss within the margin of the best loss; infinite and NaN losses do not count.

    Example:
        >>> chosen({1: 0.4, 2: -1.90, 3: -1.95, 4: -1.93})
        2
        >>> chosen({1: -1.99, 2: -2.0, 3: -1.97})
        1
    """
    found = {k: loss for k, loss in losses.items() if math.isfinite(loss)} or dict(losses)
    return min(k for k, loss in found.items() if not loss > min(found.values()) + margin_of(found))
