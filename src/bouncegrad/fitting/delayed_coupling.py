"""DelayedCoupling: what ties edges to each other acts once names have formed.

Drawn jointly from the first, edges freeze together, and entities may get types for where they are: the laws then have
their names swapped in a part of the space. So edges are drawn apart while structures cool, and are tied after that.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.couplings import EntityTypes, Independent
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import infer

TASKS, MOST_TYPES = 16, 4


class DelayedCoupling:
    """Takes the coupling from the search of a loop, and gives it back when told.

    Args:
        loop: what is trained.
        tracks: scaled states of tasks by which the names of types are matched.
        tasks: their numbers.
    """

    def __init__(self, loop: BounceGrad, tracks: Float[Tensor, "M T N D"], tasks: Int[Tensor, " M"]) -> None:
        self.loop, self.tracks, self.tasks = loop, tracks[:TASKS], tasks[:TASKS]
        self.coupling = loop.search.coupling if isinstance(loop.search, HeatBath) else Independent()
        self.tied = True
        self.tie(False)

    def tie(self, tied: bool) -> None:
        """Edges are tied from now on, or not; where nothing ties them this changes nothing."""
        search = self.loop.search
        if not isinstance(search, HeatBath) or isinstance(self.coupling, Independent) or tied == self.tied:
            return
        self.tied = tied
        search.coupling = self.coupling if tied else Independent()
        if tied and isinstance(self.coupling, EntityTypes):
            self.match_names()

    def match_names(self) -> None:
        """Renames types so that they mean what the table of entity types says: the renaming of least loss."""
        composition = self.loop.composition
        assert isinstance(composition, GraphComposition)
        pinned, count = composition.pinned, composition.edge.modules_count
        shared = self.loop.search.group_of(self.tasks) if isinstance(self.loop.search, HeatBath) else None
        orders = list(permutations(range(count))) if count <= MOST_TYPES else [tuple(range(count))]

        def loss(order: tuple[int, ...]) -> float:
            self.rename(order)
            found = float(infer(composition, self.tracks, coupling=self.coupling, shared=shared).loss.mean())
            self.rename(tuple(sorted(range(count), key=order.__getitem__)))
            return float(self.loop.processes.as_first(torch.tensor(found)))

        best = min(orders, key=loss)
        self.rename(best)
        names = [0] * pinned + [best.index(k) + pinned for k in range(count)]
        self.loop.z.copy_(torch.tensor(names)[self.loop.z])
        self.loop.search.load_state_dict({"evidence": None})

    @torch.no_grad()
    def rename(self, order: tuple[int, ...]) -> None:
        """Edge module k becomes what module `order[k]` was, the optimizer's memory with it."""
        composition, optimizer = self.loop.composition, self.loop.optimizer
        assert isinstance(composition, GraphComposition)
        assert optimizer is not None
        for parameter in composition.edge.parameters():
            parameter.copy_(parameter[list(order)])
            for value in optimizer.state[parameter].values():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value.copy_(value[list(order)])

    def state_dict(self) -> dict[str, Any]:
        return {"tied": self.tied}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.tied = state["tied"]
        if isinstance(self.loop.search, HeatBath):
            self.loop.search.coupling = self.coupling if self.tied else Independent()
