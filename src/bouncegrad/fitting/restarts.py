"""Restarts: type labels are judged without true edges; if they may be wrong, the run restarts from other first weights.

A law with labels that are swapped in a part of the space, or for some entities, fits nearly as well as the right law
(label switching). Two signs of right labels can be checked without true edges:

    both directions    training does not require z_{s->t} = z_{t->s}; if they agree far beyond chance, labels are right
    two coolings       a cooling from other first weights finds the same edges, up to one relabelling

The first sign is absent if laws act in one direction only; then the run restarts once. If the two coolings do not
agree, there is a second restart. Training continues from the cooling with the least loss.
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
    """When type labels are trusted.

    Args:
        most: coolings at most; a fourth one hardly ever finds what three did not find.
        tasks: tasks by which labels are judged; more tasks take time and hardly ever change the verdict.
        directions: labels are right if both directions agree at least so well, beyond chance.
        starts: labels are right if two coolings agree on at least this share of the edges.
    """

    most: int = 3
    tasks: int = 32
    directions: float = 0.3
    starts: float = 0.7


RULES = Rules()


class Restarts:
    """Judges the type labels after each cooling, and restarts training if they may be wrong.

    Args:
        loop: the loop that is trained; its state changes at a restart.
        composition: of the loop.
        tracks: scaled states of the tasks by which labels are judged.
        tasks: their numbers.
        restarted: returns a loop with other first weights, from the number of the restart.

    Attributes:
        ended: the edges, the loss and the state after each cooling so far.
        verdict: the verdict in words; empty if nothing was judged.
        decided: whether there will be no more restarts.
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
        """Judges the labels after a cooling; returns true if the run restarts."""
        composition, search = self.composition, self.loop.search
        self.decided = True
        if not isinstance(search, ConditionalSearch) or composition.choices == 1:
            return False
        found = infer(composition, self.tracks, shared=search.group_of(self.tasks))
        z, loss = (self.loop.processes.as_first(part) for part in (found.z, found.loss))
        observed = observed_pairs(self.tracks, composition.features, composition.pairs, composition.lags)
        z = z.masked_fill(~observed, -1)  # pairs that were never observed together do not count
        edges = structure_to_adjacency(z, composition.pairs, composition.entities)
        directions = agreement_of_directions(edges.cpu().numpy(), composition.choices)
        agree = [agreement(edges, other["edges"], composition.choices) for other in self.ended]
        self.verdict = f"cooling {len(self.ended) + 1}: both directions agree {directions:.2f} beyond chance"
        self.verdict += f", two coolings agree on {max(agree):.0%} of the edges" if agree else ""
        if directions >= RULES.directions and not self.ended:
            return False
        state = copy.deepcopy(self.loop.state_dict())
        self.ended.append({"edges": edges, "loss": float(loss.mean()), "state": state})
        trusted = directions >= RULES.directions or max(agree, default=0.0) >= RULES.starts
        if not trusted and may_restart and len(self.ended) < RULES.most:
            self.go_on_from(self.restarted(len(self.ended)).state_dict())
            self.decided = False
            return True
        if not trusted:
            why = "they may be wrong: no two coolings agree" if agree else "there was no time for a restart"
            self.verdict += f"; {why}"
        self.go_on_from(min(self.ended, key=lambda cooling: cooling["loss"])["state"])
        self.ended = []
        return False

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Sets the state of the loop, except for its random generator and its count of skipped steps."""
        guard = state["guard"] | {"skipped": self.loop.skipped}
        self.loop.load_state_dict(state | {"generator": self.loop.generator.get_state(), "guard": guard})

    def state_dict(self) -> dict[str, Any]:
        return {"ended": self.ended, "verdict": self.verdict, "settled": self.decided}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ended, self.verdict, self.decided = state["ended"], state["verdict"], state["settled"]


def agreement_of_directions(edges: Int[np.ndarray, "M N N"], types: int) -> float:
    """Returns Cohen's kappa of the types of both directions: 1 if they always agree, 0 if as often as by chance.

    A type of -1 is unknown; pairs with an unknown direction do not count.

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
    """Returns the share of edges with the same type, after the one relabelling that agrees best."""
    a, b = one.cpu().numpy(), other.cpu().numpy()
    share = edge_accuracy(a, b, relabelling(a, b, types))
    return 0.0 if share is None else share
