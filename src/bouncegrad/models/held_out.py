"""Held-out frames: modules are judged by frames that they were not trained on, without true edges.

    one recording, or three at most      the last third of the time is held out, after a gap of 1 %
    more recordings                      a quarter of them is held out; their graphs are inferred from their first half,
                                         and their second half is predicted
    more recordings of one graph         a quarter of them is held out; the graph is the one of the others

Losses are those of predictions one frame ahead, number by number, in units of a typical change, see
`results/blocks.py`: variances are widened by (0.05 typical changes)², and a number counts 5 nats at most.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from bouncegrad.data.angles import wrapped
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.models.frame_losses import frame_errors
from bouncegrad.models.model import Model
from bouncegrad.results.baselines import with_sines
from bouncegrad.results.block_regression import fit_and_judge
from bouncegrad.results.blocks import block_means, blocks_of, losses, split_in_time
from bouncegrad.results.frame_pairs import monomials
from bouncegrad.results.result import Result
from bouncegrad.results.verdict import MODULES, OWN_PAST, REGRESSION, Verdict, decided
from bouncegrad.settings.config import Config

SINGLE = 3  # recordings at most that are divided in time
FEW = 100  # recordings; with more, overfitting is no danger and the choice would take time for nothing
MOST_ENTITIES = 12  # of several recordings; with more, a variant learns too little in its share of the time
JUDGED = 50  # recordings at most by which a model of many recordings is judged
SHARE = 0.25  # of the recordings
FEWEST_FRAMES = 40  # of all held-out parts together; fewer say nothing


class HeldOut(NamedTuple):
    """What is trained on, and what is judged.

    Args:
        training: recordings that modules are trained on.
        past: what graphs are inferred from.
        later: what is predicted: frames of the tasks of `past`, or other recordings of its one graph.
        one_graph: whether all recordings have the same graph; this is so for a single one.
    """

    training: Trajectories
    past: Trajectories
    later: Trajectories
    one_graph: bool

    @property
    def in_time(self) -> bool:
        """Whether the same recordings are divided in time."""
        return self.later.tasks == self.training.tasks


def hold_out(data: Trajectories, config: Config) -> HeldOut | None:
    """Returns the parts; None if there are too few frames, or recordings enough not to need them."""
    blind = replace(data, edges=None, tasks=tuple(map(str, range(len(data.tasks)))))
    tasks, frames = data.shape[:2]
    few = tasks <= SINGLE or (tasks < FEW and data.shape[2] <= MOST_ENTITIES)
    if not few or config.window is not None or config.composition != "graph" or config.proposes:
        return None
    if tasks <= SINGLE:
        first, last = split_in_time(frames)
        training, later = blind.frames(0, first.stop), blind.frames(last.start - config.lags, frames)
        parts = HeldOut(training, training, later, tasks == 1 or config.shared_graph)
    elif config.shared_graph:
        training, later = blind.split(SHARE, config.seed)
        parts = HeldOut(training, training, later, True)
    else:
        training, held = blind.split(SHARE, config.seed)
        parts = HeldOut(training, *halves(held, config.lags), False)
    least = config.lags + 2
    enough = parts.later.shape[0] * (parts.later.shape[1] - 1 - config.lags) >= FEWEST_FRAMES
    shortest = min(part.shape[1] for part in (parts.training, parts.past, parts.later))
    return parts if enough and shortest >= least else None


def halves(data: Trajectories, lags: int) -> tuple[Trajectories, Trajectories]:
    """Returns the first half of the frames, and the second half with the frames that it is predicted from."""
    half = data.shape[1] // 2
    return data.frames(0, half), data.frames(half - 1 - lags, data.shape[1])


def judged(model: Model, data: Trajectories) -> Verdict | None:
    """Returns a verdict on recordings that modules were not trained on: does their graph help to predict them?

    Graphs are inferred from the first half of the frames, and the second half is predicted; the rival is each entity's
    own past. None where there are fewer than four recordings, or too few frames.

    Args:
        model: trained on many recordings, each of which has its own graph.
        data: new recordings.
    """
    config, (tasks, frames) = model.config, data.shape[:2]
    usable = config.window is None and not config.shared_graph and config.composition == "graph"
    if not usable or tasks <= SINGLE or frames < 2 * (config.lags + 2) + 2:
        return None
    some = replace(model.adopted(data), edges=None).select(np.arange(min(tasks, JUDGED)))
    past, later = halves(some, config.lags)
    parts = HeldOut(past, past, later, False)
    if tasks * (later.shape[1] - 1 - config.lags) < FEWEST_FRAMES:
        return None
    return decided({MODULES: errors_of(model, parts).loss, OWN_PAST: own_law_errors(parts)})


def with_verdict(model: Model, data: Trajectories, result: Result) -> Result:
    """Returns the result with a verdict on these recordings, if training gave none; probabilities stay as they are.

    What is inferred for a recording must not depend on the recordings beside it, but the verdict is about all of them.

    Args:
        model: that the result comes from.
        data: the recordings.
        result: inferred from them.
    """
    return result if result.verdict is not None else replace(result, verdict=judged(model, data))


class Errors(NamedTuple):
    """Errors of modules in each block of held-out frames.

    Args:
        loss: mean loss per number, in nats.
        squared: mean squared error, in squared typical changes.
    """

    loss: Float[np.ndarray, " blocks"]
    squared: Float[np.ndarray, " blocks"]


def errors_of(model: Model, parts: HeldOut, alone: bool = False) -> Errors:
    """Returns the errors of the modules on held-out frames.

    Args:
        model: the modules.
        parts: what is judged.
        alone: whether all edges have type 0, which is pinned.
    """
    edges = torch.zeros(1, *[len(parts.later.entities)] * 2, dtype=torch.long)
    if not alone:
        edges = torch.as_tensor(model.infer(parts.past).edges)
    if len(edges) != len(parts.later.tasks):
        edges = edges[:1].expand(len(parts.later.tasks), -1, -1)
    found = frame_errors(model, parts.later, edges)
    return Errors(*(block_means(rows.numpy(), blocks_of(len(rows))) for rows in found))


class Rivals(NamedTuple):
    """What needs no training of modules.

    Args:
        errors: mean losses in each block of held-out frames, by name.
        lags: of the regression.
        over_own: z of the regression over the own past; None without a regression.
        squared: squared errors of the regression; None without one.
    """

    errors: dict[str, Float[np.ndarray, " blocks"]]
    lags: int = 0
    over_own: float | None = None
    squared: Float[np.ndarray, " blocks"] | None = None


def rivals_of(parts: HeldOut) -> Rivals:
    """Returns the rivals that need no training.

    A regression with sources needs one graph. If there are too few frames for it, it is left out.
    """
    if not parts.one_graph:
        return Rivals({OWN_PAST: own_law_errors(parts)})
    try:
        found = fit_and_judge(parts.training, parts.later)
    except InputError:
        return Rivals({OWN_PAST: own_law_errors(parts)})
    errors = {OWN_PAST: found.losses_own, REGRESSION: found.losses_full}
    return Rivals(errors, found.lags, found.over_own, found.squared)


def own_law_errors(parts: HeldOut) -> Float[np.ndarray, " blocks"]:
    """Returns the losses of one law for all entities that sees nothing but the entity: a polynomial of degree 3.

    change = Σ_p c_p monomial_p(own state), fitted by least squares
    """
    unit = np.array(Scaling.fit(parts.training).change)
    training, later = (with_sines(part) for part in (parts.training, parts.later))
    states, changes, _ = _moves(parts.training, training, unit)
    middle, spread = states.mean(0), np.maximum(states.std(0), np.finfo(float).tiny)
    columns = _columns((states - middle) / spread)
    fitted = np.linalg.lstsq(columns, changes, rcond=1e-9)[0]
    freedom = max(len(columns) - columns.shape[1], 1)
    variance = np.square(changes - columns @ fitted).sum(0) / freedom
    states, changes, rows = _moves(parts.later, later, unit)
    errors = changes - _columns((states - middle) / spread) @ fitted
    loss = losses(errors, np.broadcast_to(variance, errors.shape), np.ones(len(unit))).mean(1)
    number, row = np.unique(rows, return_inverse=True)
    by_row = np.bincount(row, loss) / np.bincount(row)
    return block_means(by_row, blocks_of(len(number)))


def _moves(
    data: Trajectories, seen: Trajectories, unit: Float[np.ndarray, " D"]
) -> tuple[Float[np.ndarray, "R F"], Float[np.ndarray, "R D"], Int[np.ndarray, " R"]]:
    """Returns states of single entities, their changes in units, and the number of (task, frame) of each."""
    changes = wrapped(np.diff(np.asarray(data.x, np.float64), axis=1), data.periods) / unit
    m, steps, n, _ = changes.shape
    there = np.ones((m, steps, n), bool) if data.mask is None else data.mask[:, 1:] & data.mask[:, :-1]
    rows = np.broadcast_to(np.arange(m * steps).reshape(m, steps, 1), there.shape)
    return np.asarray(seen.x[:, :-1], np.float64)[there], changes[there], rows[there]


def _columns(states: Float[np.ndarray, "R F"]) -> Float[np.ndarray, "R P"]:
    """Returns a constant, and all products of at most three features."""
    return np.concatenate([np.ones((len(states), 1)), monomials(states, 3)], 1)
