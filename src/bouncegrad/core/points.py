"""Regression batches; the search sees the fitted points only.

Structures and adapted weights come from the fitted points. The held-out points judge them, and the modules learn from
the loss at the held-out points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Visit
from bouncegrad.core.seams import Composition, Move, Proposal, Search
from bouncegrad.data.regression import RegressionTasks


class Points(NamedTuple):
    """Points where functions are known: inputs and outputs."""

    x: Float[Tensor, "B P I"]
    y: Float[Tensor, "B P O"]


class RegressionBatch(NamedTuple):
    """B tasks: their numbers, the points that may be fitted, and the points at which the loss is computed."""

    tasks: Int[Tensor, " B"]
    fitted: Points
    judged: Points

    @property
    def seen(self) -> RegressionBatch:
        """The same batch without its held-out points: the loss is computed at the fitted points."""
        return self._replace(judged=self.fitted)

    @property
    def tracks(self) -> Float[Tensor, "B P 1 I+O"]:
        """The fitted points, which a proposal may look at; each takes the place of a frame of one entity."""
        return torch.cat(self.fitted, -1)[:, :, None]


def every_task(data: RegressionTasks) -> RegressionBatch:
    """Returns a batch of all tasks, judged by their held-out points, in single precision."""
    x, y = (torch.from_numpy(values).float() for values in (data.x, data.y))
    k, tasks = data.fitted, torch.arange(len(x), device=x.device)
    return RegressionBatch(tasks, Points(x[:, :k], y[:, :k]), Points(x[:, k:], y[:, k:]))


class RandomTasks:
    """Yields random batches of tasks; one pass is an epoch.

    Args:
        whole: a batch of all tasks.
        batch: largest number of tasks in a batch; batches of one epoch are of nearly equal size.
    """

    def __init__(self, whole: RegressionBatch, batch: int) -> None:
        self.whole, self.batch = whole, batch

    def __call__(self, generator: torch.Generator) -> Iterator[RegressionBatch]:
        tasks, fitted, judged = self.whole
        order = torch.randperm(len(tasks), generator=generator, device=generator.device)
        for drawn in order.tensor_split(-(-len(tasks) // self.batch)):
            yield RegressionBatch(
                tasks[drawn], Points(*(v[drawn] for v in fitted)), Points(*(v[drawn] for v in judged))
            )


class OnFitted:
    """Runs a search on fitted points only: held-out points are for the gradient and must not choose structures.

    Args:
        search: the search that decides.

    Source: Alet et al. 2018, algorithms 1 to 3: "bounce" on the training split of a task, "grad" on its test split.
    """

    def __init__(self, search: Search) -> None:
        self.search = search

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Visit,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        return self.search(composition, proposal, batch.seen, z, temperature, generator)

    def state_dict(self) -> dict[str, Any]:
        return self.search.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.search.load_state_dict(state)
