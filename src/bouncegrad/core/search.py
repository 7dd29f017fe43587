"""Search: it decides on structures. It sees losses and groups of slots, never graphs.

Metropolis (the paper)   propose z'; accept with probability min(1, exp((loss(z) - loss(z')) / T))
heat bath                draw a group's slots from  p(filling) ∝ exp(-summed loss(filling) / T),  see `heat_bath.py`
"""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.seams import Composition, Explained, Move, Proposal, Unexplained


class Metropolis:
    """Propose, test, accept (Alet et al. 2019, algorithm 1): one proposal per task and visit, or several in a row.

    All proposals of a visit are tested on the same segments, so each of them takes one evaluation of the loss. With
    more than one proposal, acceptances and losses have one column for each.

    Args:
        explain: also report the residuals under the structures after the move; this takes one more evaluation.
        proposals: number of proposals per task and visit (published: 1).
    """

    def __init__(self, explain: bool = False, proposals: int = 1) -> None:
        self.explain, self.proposals = explain, proposals

    @torch.no_grad()
    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        new, now, tests = z, None, []
        for _ in range(self.proposals):
            proposed = proposal(batch, new, generator)
            before = composition.loss(batch, new) if now is None else now
            after = composition.loss(batch, proposed)
            # A proposal whose loss is infinite or NaN is refused: comparisons with NaN are false.
            drawn = torch.rand(len(z), generator=generator, device=generator.device)
            accepted = drawn < torch.exp((before - after) / temperature)
            new, now = torch.where(accepted[:, None], proposed, new), torch.where(accepted, after, before)
            tests.append((accepted, before, after))
        accepted, before, after = tests[0]
        if self.proposals > 1:
            accepted, before, after = (torch.stack(column, 1) for column in zip(*tests, strict=True))
        residuals = unexplained(cast(Explained, composition).residuals(batch, new)) if self.explain else None
        return Move(new, accepted, before, after, before=z, unexplained=residuals)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Kept:
    """Keeps structures as they are, for modules that learn from known structures."""

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        nothing = torch.empty(0, device=z.device)
        return Move(z, torch.zeros(len(z), dtype=torch.bool, device=z.device), nothing, nothing)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def unexplained(residuals: Float[Tensor, "B C R N D"]) -> Unexplained:
    """Returns the three numbers that the residual-based annealer needs.

    Segments are joined one after another, as published: at the start of a segment the error is small again. Within one
    rollout errors add up, so their autocorrelation alone would always be near 1.
    """
    frames = residuals.flatten(1, 2)
    before, after = frames[:, :-1] - frames[:, :-1].mean(), frames[:, 1:] - frames[:, 1:].mean()
    size = float(before.norm() * after.norm())
    alike = float((before * after).sum()) / size if size > 0 else 0.0  # 0 if there is one frame, or no error
    return Unexplained(float(residuals.square().mean()), residuals[0].numel(), alike)
