"""What a search of a shared graph is given before it begins: the edges of a regression, and a resolution.

Modules learn nothing from random graphs of fifty entities for a long time, while a regression with one law for all
edges (`results/one_law.py`) finds most of such a graph in seconds. Its probabilities count at high temperatures
only, see `JointDraws`. The resolution is a share of the errors of own states alone: where entities hardly change, tiny
errors of the modules would count more than all that entities do to each other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.priors import Prior
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import with_sines
from bouncegrad.results.one_law import one_law, own_errors
from bouncegrad.results.types_of_strengths import types_of_strengths
from bouncegrad.settings.resolved import ResolvedConfig

SHARPENED = 3  # power of the probabilities: modules learn little from graphs with many improbable edges
DOUBT = 0.02  # share of the uniform distribution, so that no type is excluded
RESOLUTION = 0.2  # in errors of own states alone
FRAMES, WORK = 20_000, 4_000_000_000  # most frames of all recordings together, and most frames x D x N³


def first_graph(config: ResolvedConfig, data: Trajectories, pairs: Int[Tensor, "2 E"]) -> Prior | None:
    """Returns the log-probability of every type of every slot of each group, from a regression; None: not asked for.

    Args:
        config: settings.
        data: the training part.
        pairs: candidate pairs.
    """
    if config.first_graph != "regression":
        return None
    some = some_tasks(data)
    strength = one_law(with_sines(data.select(some)), data.group_numbers[some])
    found = types_of_strengths(strength, config.edge_types) ** SHARPENED
    probability = (1 - DOUBT) * found / found.sum(-1, keepdims=True) + DOUBT / config.edge_types
    source, target = pairs.cpu().numpy()
    return torch.as_tensor(np.log(probability[:, source, target]), device=pairs.device)


def with_resolution(config: ResolvedConfig, data: Trajectories) -> ResolvedConfig:
    """Returns settings with a resolution for each feature, if joint draws search a shared graph and none is given.

    Recordings with features that wrap keep a resolution of 0, since a polynomial of the own state has no meaning there.

    Raises:
        InputError: the settings have a resolution for another number of features.
    """
    if len(config.resolution) not in (0, 1, data.shape[3]):
        found = f"{len(config.resolution)} numbers for {data.shape[3]} features"
        raise InputError(f"setting resolution: {found}; give one for each feature, or one for all")
    if config.resolution or not config.shared_graph or config.search != "joint-draws" or data.periods.any():
        return config
    errors = RESOLUTION * own_errors(data.select(some_tasks(data)))
    return replace(config, resolution=tuple(float(f"{error:.3g}") for error in errors))


def some_tasks(data: Trajectories) -> Int[np.ndarray, " some"]:
    """Returns the first tasks of each group, so many that a regression takes seconds."""
    number = data.group_numbers
    groups = int(number.max()) + 1
    _, frames, n, d = data.shape
    most = max(1, min(FRAMES, WORK // (n**3 * d)) // (frames * groups))
    return np.concatenate([(number == group).nonzero()[0][:most] for group in range(groups)])
