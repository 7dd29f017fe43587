"""Restarts: whether type labels are right, told without the truth, and other first weights where they may not be.

A law whose type labels are swapped in a part of the space, or for some entities, fits nearly as well as the right law
(label switching). Two things tell them apart:

    both directions    nothing asks for z_{s->t} = z_{t->s}; if they agree far beyond chance, the labels are right
    two starts         a start from other first weights agrees on the edges, up to one relabelling

Laws that act in one direction only lack the first sign, so the run restarts once. If two starts do not agree, a third
one decides. Training continues from the start of least loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.inference import infer
from bouncegrad.core.marks import observed_pairs
from bouncegrad.core.seams import ConditionalSearch, Relational
from bouncegrad.core.structures import structure_to_adjacency
from bouncegrad.results.metrics import edge_accuracy, off_diagonal, relabelling


@dataclass(frozen=True)
class Rules:
    """When a start is trusted.

    Args:
        most: starts at most; a fourth one hardly ever finds what three did not.
        tasks: that a start is judged by; more tasks cost time and change no verdict.
        directions: agreement of both directions, beyond chance, from which labels are right.
        starts: share of edges on which two starts agree, from which labels are right.
    """

    most: int = 3
    tasks: int = 32
    directions: float = 0.3
    starts: float = 0.7


RULES = Rules()


class Restarts:
    """Judges a start when its structures have cooled.

    Args:
        loop: what is trained; it changes if training continues from another start.
        composition: of the loop.
        tracks: scaled states of the tasks that a start is judged by.
        tasks: their numbers.
        restarted: makes a loop with other first weights, from the number of the start.

    Attributes:
        ended: starts that have cooled: their edges, loss and state.
        verdict: in words; empty if nothing was judged.
        decided: whether there will be no other restart.
    """

    def __init__(
        self,
        loop: BounceGrad,
        composition: Relational,
        tracks: Float[Tensor, "M T N D"],
        tasks: Int[Tensor, " M"],
        restarted: Callable[[int], BounceGrad],
    ) -> None:
        self.loop, self.composition, self.restarted = loop, composition, restarted
        self.tracks, self.tasks = tracks[: RULES.tasks], tasks[: RULES.tasks]
        self.ended: list[dict[str, Any]] = []
        self.verdict, self.decided = "", False

    def judge(self, may_restart: bool) -> bool:
        """Judges the start that has cooled; true if another one begins."""
        composition, search = self.composition, self.loop.search
        self.decided = True
        if not isinstance(search, ConditionalSearch) or composition.choices == 1:
            return False
        found = infer(composition, self.tracks, shared=search.group_of(self.tasks))
        z, loss = (self.loop.processes.as_first(part) for part in (found.z, found.loss))
        observed = observed_pairs(self.tracks, composition.features, composition.pairs, composition.lags)
        z = z.masked_fill(~observed, -1)  # pairs that were never seen together cannot agree
        edges = structure_to_adjacency(z, composition.pairs, composition.entities)
        directions = agreement_of_directions(edges.cpu().numpy(), composition.choices)
        agree = [agreement(edges, other["edges"], composition.choices) for other in self.ended]
        self.verdict = f"start {len(self.ended) + 1}: both directions agree {directions:.2f} beyond chance"
        self.verdict += f", starts agree on {max(agree):.0%} of the edges" if agree else ""
        if directions >= RULES.directions and not self.ended:
            return False
        state = copy.deepcopy(self.loop.state_dict())
        self.ended.append({"edges": edges, "loss": float(loss.mean()), "state": state})
        sure = directions >= RULES.directions or max(agree, default=0.0) >= RULES.starts
        if not sure and may_restart and len(self.ended) < RULES.most:
            self.go_on_from(self.restarted(len(self.ended)).state_dict())
            self.decided = False
            return True
        if not sure:
            why = "no two starts agree" if agree else "there was no time for a second start"
            self.verdict += f"; they may be wrong: {why}" if agree else f"; {why}"
        self.go_on_from(min(self.ended, key=lambda start: start["loss"])["state"])
        self.ended = []
        return False

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Puts the loop into this state; random numbers and the count of skipped steps go on."""
        guard = state["guard"] | {"skipped": self.loop.skipped}
        self.loop.load_state_dict(state | {"generator": self.loop.generator.get_state(), "guard": guard})

    def state_dict(self) -> dict[str, Any]:
        return {"ended": self.ended, "verdict": self.verdict, "settled": self.decided}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ended, self.verdict, self.decided = state["ended"], state["verdict"], state["settled"]


def agreement_of_directions(edges: Int[np.ndarray, "M N N"], types: int) -> float:
    """How often both directions of a pair have the same type, beyond chance: 1 always, 0 as often as by chance (kappa).

    Pairs with a direction of -1, which is not known, are left out.

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
    """Share of edges with the same type, after the one relabelling that agrees best."""
    a, b = one.cpu().numpy(), other.cpu().numpy()
    share = edge_accuracy(a, b, relabelling(a, b, types))
    return 0.0 if share is None else share
