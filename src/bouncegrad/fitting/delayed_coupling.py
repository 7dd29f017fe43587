"""Delayed coupling: edges are drawn independently at first, and with their coupling once type labels have settled.

If edges are drawn jointly from the start, they freeze together. Entities may then get types that depend on where they
are, so that labels are swapped in a part of the space. So the coupling acts only in the last part of the cooling and
after it.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.couplings import EntityTypes, Independent
from bouncegrad.core.inference import infer
from bouncegrad.core.seams import ConditionalSearch, Coupling, Relational, Staged

TASKS = 16  # tasks by which type labels are matched; more tasks give the same match
MOST_TYPES = 4  # with more types there are too many permutations to try


class DelayedCoupling:
    """Removes the coupling from the search of a loop, and restores it later.

    Args:
        loop: the loop that is trained.
        composition: of the loop.
        tracks: scaled states of tasks by which type labels are matched.
        tasks: their numbers.
    """

    def __init__(
        self, loop: BounceGrad, composition: Relational, tracks: Float[Tensor, "M T N D"], tasks: Int[Tensor, " M"]
    ) -> None:
        self.loop, self.composition, self.tracks, self.tasks = loop, composition, tracks[:TASKS], tasks[:TASKS]
        self.search = loop.search if isinstance(loop.search, ConditionalSearch) else None
        self.coupling: Coupling = self.search.coupling if self.search else Independent()
        self.coupled = True
        self.couple(False)

    def couple(self, coupled: bool) -> None:
        """Sets whether the coupling acts from now on; it has no effect if the settings state no coupling."""
        if self.search is None or isinstance(self.coupling, Independent) or coupled == self.coupled:
            return
        self.coupled = coupled
        self.search.coupling = self.coupling if coupled else Independent()
        if coupled and isinstance(self.coupling, EntityTypes):
            self.match_labels()

    def match_labels(self) -> None:
        """Relabels edge types to fit the table of entity types: it takes the relabelling with the least loss."""
        composition, search, optimizer = self.composition, self.search, self.loop.optimizer
        assert search is not None
        assert optimizer is not None
        if not isinstance(composition, Staged):
            return
        pinned, count = composition.pinned, composition.choices - composition.pinned
        shared = search.group_of(self.tasks)
        orders = list(permutations(range(count))) if count <= MOST_TYPES else [tuple(range(count))]

        def loss(order: tuple[int, ...]) -> float:
            composition.relabel(order, optimizer)
            found = float(infer(composition, self.tracks, coupling=self.coupling, shared=shared).loss.mean())
            composition.relabel(sorted(range(count), key=order.__getitem__), optimizer)
            return float(self.loop.processes.as_first(torch.tensor(found)))

        best = min(orders, key=loss)
        composition.relabel(best, optimizer)
        labels = [0] * pinned + [best.index(k) + pinned for k in range(count)]
        self.loop.z.copy_(torch.tensor(labels)[self.loop.z])
        search.load_state_dict({"evidence": None})

    def state_dict(self) -> dict[str, Any]:
        return {"tied": self.coupled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.coupled = state["tied"]
        if self.search is not None:
            self.search.coupling = self.coupling if self.coupled else Independent()
