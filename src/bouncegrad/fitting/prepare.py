"""Preparation: recordings are checked and cut once, and scaling, settings and candidate pairs are derived from them."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.priors import Prior
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.requirements import require_moderate, require_quantities
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import Trajectories, plural
from bouncegrad.data.windows import windows
from bouncegrad.settings.config import Config
from bouncegrad.settings.first_graph import first_graph, with_resolution
from bouncegrad.settings.memory import require_memory, training_bytes
from bouncegrad.settings.resolved import ResolvedConfig, resolve


class Prepared(NamedTuple):
    """The settings and the data of a run.

    Args:
        config: resolved settings.
        data: the training part; if the setting `window` is given, recordings are cut, and each window is a task.
        scaling: of its states.
        pairs: candidate pairs.
        known: types of edges that need not be found, -1 for all others.
        first: probabilities of the types that the search begins from, see `first_graph.py`.
        spent: seconds that these took; they count for the limit of time.
    """

    config: ResolvedConfig
    data: Trajectories
    scaling: Scaling
    pairs: Int[Tensor, "2 E"]
    known: Int[np.ndarray, "M N N"] | None
    first: Prior | None = None
    spent: float = 0.0


def prepare(
    config: Config,
    data: Trajectories,
    known: Int[np.ndarray, "M N N"] | None = None,
    processes: Processes = ALONE,
) -> Prepared:
    """Checks settings and recordings against each other, and returns the settings and the data of the run.

    Raises:
        InputError: the recordings cannot be used for training, do not fit the settings or the memory, or the processes
            cannot share the run.
    """
    if config.window is not None:
        known = None if known is None else known.repeat(-(-(data.shape[1] - 1) // config.window), 0)
        data = windows(data, config.window)
    require_moderate(data.require_observed(config.lags + 2).require_finite())
    require_quantities(data, config.quantities)
    scaling = Scaling.fit(data)
    resolved = with_resolution(resolve(config, data.shape, len(set(data.groups)) or 1), data)
    require_shareable(resolved, len(data.tasks), processes)
    pairs = torch.as_tensor(candidate_pairs(config.candidates, data))
    tasks, count = min(resolved.batch, len(data.tasks)), pairs.shape[1]
    what = f"{data.source}: training on {tasks} tasks at once with {count:,} pairs each"
    require_memory(training_bytes(resolved, data.shape, count), what)
    start = time.perf_counter()
    first = first_graph(resolved, data, pairs)
    (spent,) = processes.total([(time.perf_counter() - start) * processes.first])
    return Prepared(resolved, data, scaling, pairs, known, first, spent)


def require_shareable(config: ResolvedConfig, tasks: int, processes: Processes) -> None:
    """Refuses a run that several processes cannot share.

    Raises:
        InputError: a batch has fewer tasks than there are processes, or a part of the run works in one process only.
    """
    count, least = processes.count, min(config.batch, tasks)
    if count > least:
        what = f"a batch of {least} {plural('task', least)} cannot be shared by {count} processes"
        raise InputError(f"{what}; start {least} at most" + (", or give a larger --batch" if least < tasks else ""))
    alone = {"--search paper": config.proposes, "--loss rollout": config.loss == "rollout"}
    alone |= {"--shared_graph": config.shared_graph}
    if count > 1 and (found := [name for name, is_so in alone.items() if is_so]):
        raise InputError(f"{count} processes cannot share a run with {found[0]}; start one")
