"""Restarts: whether names have settled rightly, told without labels, and a new start where they may not have.

A law that has its name swapped in a part of the space, or for some entities, fits nearly as well as the right one. Two
things tell them apart:

    both directions    nothing asks for z_{s->t} = z_{t->s}, so where they agree far beyond chance the names are right
    two starts         from other first weights agree on who has which type, up to one renaming

Laws that act one way have no first sign, so they are started a second time. Where no two starts agree, a third
decides with them: training goes on from the start with the least loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import infer
from bouncegrad.core.marks import pairs_told
from bouncegrad.core.structures import structure_to_adjacency
from bouncegrad.results.metrics import edge_accuracy, off_diagonal, relabelling

MOST, TASKS = 3, 32
BOTH_DIRECTIONS, TWO_STARTS = 0.3, 0.7


class Restarts:
    """Judges a start when its structures have cooled.

    Args:
        loop: what is trained; changed where training goes on from another start.
        tracks: scaled states of the tasks that a start is judged by.
        tasks: their numbers.
        afresh: a loop with other first weights, by number of the start.
    """

    def __init__(
        self,
        loop: BounceGrad,
        tracks: Float[Tensor, "M T N D"],
        tasks: Int[Tensor, " M"],
        afresh: Callable[[int], BounceGrad],
    ) -> None:
        self.loop, self.tracks, self.tasks, self.afresh = loop, tracks[:TASKS], tasks[:TASKS], afresh
        self.ended: list[dict[str, Any]] = []
        self.verdict, self.settled = "", False

    def judge(self, may_start_again: bool) -> bool:
        """Looks at the start that has cooled; true if a new one begins."""
        composition, search = self.loop.composition, self.loop.search
        assert isinstance(composition, GraphComposition)
        self.settled = True
        if not isinstance(search, HeatBath) or composition.choices == 1:
            return False
        found = infer(composition, self.tracks, shared=search.group_of(self.tasks))
        z, loss = (self.loop.processes.as_first(part) for part in (found.z, found.loss))
        told = pairs_told(self.tracks, composition.features, composition.pairs, composition.lags)
        z = z.masked_fill(~told, -1)  # pairs that were never seen together agree on nothing
        edges = structure_to_adjacency(z, composition.pairs, composition.entities)
        directions = agreement_of_directions(edges.cpu().numpy(), composition.choices)
        agree = [agreement(edges, other["edges"], composition.choices) for other in self.ended]
        self.verdict = f"start {len(self.ended) + 1}: both directions agree {directions:.2f} beyond chance"
        self.verdict += f", starts agree on {max(agree):.0%} of the edges" if agree else ""
        if directions >= BOTH_DIRECTIONS and not self.ended:
            return False
        state = copy.deepcopy(self.loop.state_dict())
        self.ended.append({"edges": edges, "loss": float(loss.mean()), "state": state})
        sure = directions >= BOTH_DIRECTIONS or max(agree, default=0.0) >= TWO_STARTS
        if not sure and may_start_again and len(self.ended) < MOST:
            self.go_on_from(self.afresh(len(self.ended)).state_dict())
            self.settled = False
            return True
        if not sure:
            self.verdict += (
                "; they may be wrong: no two starts agree" if agree else "; there was no time for a second start"
            )
        self.go_on_from(min(self.ended, key=lambda start: start["loss"])["state"])
        self.ended = []
        return False

    def go_on_from(self, state: dict[str, Any]) -> None:
        """The loop as it stood there, but with the random numbers of now."""
        guard = state["guard"] | {"skipped": self.loop.skipped}
        self.loop.load_state_dict(state | {"generator": self.loop.generator.get_state(), "guard": guard})

    def state_dict(self) -> dict[str, Any]:
        return {"ended": self.ended, "verdict": self.verdict, "settled": self.settled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ended, self.verdict, self.settled = state["ended"], state["verdict"], state["settled"]


def agreement_of_directions(edges: Int[np.ndarray, "M N N"], types: int) -> float:
    """How often both directions of a pair share a type, beyond chance: 1 always, 0 as often as by chance (kappa).

    Pairs of which a direction is -1, not known, are left out.

    Example:
        >>> agreement_of_directions(np.array([[[0, 1, 0], [1, 0, 0], [0, 0, 0]]]), 2)
        1.0
    """
    known = off_diagonal(edges.shape[1]) & (edges >= 0) & (edges.swapaxes(1, 2) >= 0)
    if not known.any():
        return 0.0
    shares = np.bincount(edges[known], minlength=types) / known.sum()
    chance = float((shares**2).sum())
    same = float((edges == edges.swapaxes(1, 2))[known].mean())
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def agreement(one: Int[Tensor, "M N N"], other: Int[Tensor, "M N N"], types: int) -> float:
    """Share of edges with the same type, after the one renaming that agrees best."""
    a, b = one.cpu().numpy(), other.cpu().numpy()
    share = edge_accuracy(a, b, relabelling(a, b, types))
    return 0.0 if share is None else share
