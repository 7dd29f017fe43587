"""Moves: they select the slots of each task that a proposal changes, and draw modules for them.

    slot    one random slot
    group   all slots of one random group (for a graph the edges into one entity: the paper)
    flip    one random slot, which gets a different module
    all     every slot

Modules are drawn from given probabilities, `z'_s ~ p(z_s)`; all other slots keep their modules.

Source: Alet et al. 2019, section 3 and released code.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def redraw_slot(
    z: Int[Tensor, "B S"],
    probability: Float[Tensor, "B S K"],
    groups: Int[Tensor, "G degree"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Draws a module for one random slot of each task."""
    return torch.where(one_slot(z, generator), drawn(probability, generator), z)


def redraw_group(
    z: Int[Tensor, "B S"],
    probability: Float[Tensor, "B S K"],
    groups: Int[Tensor, "G degree"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Draws modules for all slots of one random group of each task."""
    return torch.where(slots_of_one_group(groups, z, generator), drawn(probability, generator), z)


def flip_slot(
    z: Int[Tensor, "B S"],
    probability: Float[Tensor, "B S K"],
    groups: Int[Tensor, "G degree"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Draws a different module for one random slot of each task."""
    others = probability.scatter(2, z[..., None], 0.0)
    return torch.where(one_slot(z, generator), drawn(others, generator), z)


def redraw_all(
    z: Int[Tensor, "B S"],
    probability: Float[Tensor, "B S K"],
    groups: Int[Tensor, "G degree"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Draws modules for every slot of each task."""
    return drawn(probability, generator)


def one_slot(z: Int[Tensor, "B S"], generator: torch.Generator) -> Bool[Tensor, "B S"]:
    """Selects one random slot of every task."""
    chosen = torch.randint(z.shape[1], (len(z), 1), generator=generator, device=generator.device)
    return chosen == torch.arange(z.shape[1], device=z.device)


def slots_of_one_group(
    groups: Int[Tensor, "G degree"], z: Int[Tensor, "B S"], generator: torch.Generator
) -> Bool[Tensor, "B S"]:
    """Selects all slots of one random group of every task."""
    batch, slots = z.shape
    member = torch.zeros(len(groups), slots + 1, dtype=torch.bool, device=groups.device)
    member.scatter_(1, groups, True)
    return member[torch.randint(len(groups), (batch,), generator=generator, device=generator.device), :slots]


def drawn(probability: Float[Tensor, "B S K"], generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Draws a module for every slot."""
    return torch.multinomial(probability.flatten(0, 1), 1, generator=generator).view(probability.shape[:2])
