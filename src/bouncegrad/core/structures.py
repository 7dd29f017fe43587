"""Edges and structures: the order of edges, random structures, and adjacency matrices to and from `z`."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def edge_index(n: int, device: torch.device | str | None = None) -> Int[Tensor, "2 E"]:
    """Returns the `E = n (n - 1)` ordered pairs (source, target) of different entities, by target, then source.

    Args:
        n: number of entities.
        device: of the result; None: the default device.

    Example:
        >>> edge_index(3).tolist()
        [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]
    """
    target = torch.arange(n, device=device).repeat_interleave(n - 1)
    source = torch.arange(n - 1, device=device).repeat(n)
    return torch.stack([source + (source >= target), target])


def incoming_edges(pairs: Int[Tensor, "2 E"], n: int) -> Int[Tensor, "N degree"]:
    """Returns the indices of the incoming edges of each target, padded with E to the largest number of them."""
    e = pairs.shape[1]
    degree = torch.bincount(pairs[1], minlength=n)
    rows = torch.full((n, max(int(degree.max()), 1)), e, device=pairs.device)
    order = torch.argsort(pairs[1], stable=True)
    column = torch.arange(e, device=pairs.device) - (degree.cumsum(0) - degree)[pairs[1][order]]
    rows[pairs[1][order], column] = order
    return rows


def random_structure(tasks: int, slots: int, choices: int, generator: torch.Generator) -> Int[Tensor, "M S"]:
    """Returns structures in which every slot has a module drawn uniformly."""
    return torch.randint(choices, (tasks, slots), generator=generator, device=generator.device)


def one_hot(z: Int[Tensor, "B S"], choices: int) -> Float[Tensor, "B S K"]:
    """Returns 1 for the module that fills a slot, 0 for the others."""
    return (z[..., None] == torch.arange(choices, device=z.device)).float()


def structure_to_adjacency(
    z: Shaped[Tensor, "M E *more"], pairs: Int[Tensor, "2 E"], n: int
) -> Shaped[Tensor, "M N N *more"]:
    """Returns edge types (or other values of edges) as matrices `[source, target]`.

    They are 0 on the diagonal and for pairs that are no candidates.
    """
    adjacency = z.new_zeros(len(z), n, n, *z.shape[2:])
    adjacency[:, pairs[0], pairs[1]] = z
    return adjacency


def adjacency_to_structure(adjacency: Int[Tensor, "M N N"], pairs: Int[Tensor, "2 E"]) -> Int[Tensor, "M E"]:
    """Returns the types of the candidate pairs, read from matrices `[source, target]`."""
    return adjacency[:, pairs[0], pairs[1]]


def fillings(choices: int, slots: int, device: torch.device | str | None = None) -> Int[Tensor, "choices**slots slots"]:
    """Returns every filling of some slots; the last slot changes fastest.

    Args:
        choices: K.
        slots: number of slots.
        device: of the result; None: the default device.

    Example:
        >>> fillings(2, 2).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    digits = choices ** torch.arange(slots - 1, -1, -1, device=device)
    return torch.arange(choices**slots, device=device)[:, None] // digits % choices


def outer_sum(parts: list[Float[Tensor, "R N K H"]], base: Float[Tensor, "R N H"]) -> Float[Tensor, "R N F H"]:
    """Returns sums of one choice of each part plus the base, for all F = K^block fillings in the order of `fillings`.

    The halves are summed first and then combined, so that the large result is written once.
    """
    if len(parts) == 1:
        return parts[0] + base[..., None, :]
    half = len(parts) // 2
    left = outer_sum(parts[:half], base)
    right = parts[half] if len(parts) - half == 1 else outer_sum(parts[half:], torch.zeros_like(base))
    return (left[..., :, None, :] + right[..., None, :, :]).flatten(2, 3)
