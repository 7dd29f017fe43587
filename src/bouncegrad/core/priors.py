"""Priors on single edges that a user may state, as log-probabilities `Float[M, S, K]` (M = 1: the same for all tasks).

    sparsity       p(z) = Π_e p_none^[z_e = 0] ((1 - p_none) / (K - 1))^[z_e ≠ 0]
    known edges    p(z_e = the stated type) = 1

Constraints between edges are in `couplings.py`. The search adds `-log p(filling)` to a filling's loss.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

Prior = Float[Tensor, "M S K"]


def sparsity(slots: int, choices: int, none: float, device: torch.device | str | None = None) -> Prior:
    """Returns a prior: type 0, which sends no message, has the probability `none` in (0, 1); the others share the rest.

    Args:
        slots: S.
        choices: K.
        none: probability of type 0.
        device: of the result; None: the default device.

    Example:
        >>> sparsity(1, 3, 0.5).exp().tolist()
        [[[0.5, 0.25, 0.25]]]
    """
    others = math.log((1 - none) / (choices - 1))
    of_one = torch.tensor([math.log(none)] + [others] * (choices - 1), device=device)
    return of_one.expand(1, slots, choices).clone()


def known_edges(types: Int[Tensor, "M S"], choices: int) -> Prior:
    """Returns the prior of edges whose type is stated; -1 stands for unknown.

    Example:
        >>> known_edges(torch.tensor([[1, -1]]), 2).exp().tolist()
        [[[0.0, 1.0], [1.0, 1.0]]]
    """
    possible = (types[..., None] < 0) | (types[..., None] == torch.arange(choices, device=types.device))
    return torch.zeros(possible.shape, device=types.device).masked_fill(~possible, -math.inf)


def of_tasks(prior: Prior | None, tasks: slice | Int[Tensor, " B"]) -> Prior | None:
    """Returns the rows of some tasks; a prior that is the same for all tasks is returned as it is."""
    return prior if prior is None or len(prior) == 1 else prior[tasks]


def tempered(log_probability: Tensor, temperature: float) -> Tensor:
    """Returns log-probabilities at this temperature, if it is above 1; an impossible type stays impossible."""
    return torch.where(log_probability.isinf(), log_probability, log_probability / max(temperature, 1.0))


def of_fillings(
    prior: Prior, block: Int[Tensor, "fillings size"], slots: Int[Tensor, "G size"]
) -> Float[Tensor, "M G fillings"]:
    """Returns the log-probability of every filling of some slots of each group; padding (slot number S) adds 0."""
    padded = torch.nn.functional.pad(prior, (0, 0, 0, 1))
    of_slots = (padded[:, slots[:, i]][..., block[:, i]] for i in range(slots.shape[1]))
    return sum(of_slots, torch.zeros((), device=prior.device))
