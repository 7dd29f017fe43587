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
    """Propose, test, accept (Alet et al. 2019, algorithm 1): one proposal per task and visit.

    Args:
        explain: also report the residuals under the structures after the move; this takes one more evaluation.
    """

    def __init__(self, explain: bool = False) -> None:
        self.explain = explain

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
        proposed = proposal(batch, z, generator)
        before, after = composition.loss(batch, z), composition.loss(batch, proposed)
        # A proposal whose loss is infinite or NaN is refused: comparisons with NaN are false.
        drawn = torch.rand(len(z), generator=generator, device=generator.device)
        accepted = drawn < torch.exp((before - after) / temperature)
        new = torch.where(accepted[:, None], proposed, z)
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
