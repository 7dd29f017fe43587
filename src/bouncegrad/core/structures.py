"""Edges and structures: the one order of edges, random starts, and adjacency matrices to and from `z`."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def edge_index(n: int) -> Int[Tensor, "2 E"]:
    """All ordered pairs (source, target) of n entities without self-edges, `E = n (n - 1)`, by target, then source.

    Example:
        >>> edge_index(3).tolist()
        [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]
    """
    target = torch.arange(n).repeat_interleave(n - 1)
    source = torch.arange(n - 1).repeat(n)
    return torch.stack([source + (source >= target), target])


def incoming_edges(pairs: Int[Tensor, "2 E"], n: int) -> Int[Tensor, "N degree"]:
    """For each target the indices of its incoming edges, padded with E where a target has fewer than the most."""
    e = pairs.shape[1]
    degree = torch.bincount(pairs[1], minlength=n)
    rows = torch.full((n, max(int(degree.max()), 1)), e)
    order = torch.argsort(pairs[1], stable=True)
    column = torch.arange(e) - (degree.cumsum(0) - degree)[pairs[1][order]]
    rows[pairs[1][order], column] = order
    return rows


def random_structure(tasks: int, slots: int, choices: int, generator: torch.Generator) -> Int[Tensor, "M S"]:
    """Every slot filled with a module drawn uniformly."""
    return torch.randint(choices, (tasks, slots), generator=generator)


def one_hot(z: Int[Tensor, "B S"], choices: int) -> Float[Tensor, "B S K"]:
    """1 for the module that fills a slot, 0 for the others."""
    return (z[..., None] == torch.arange(choices)).float()


def structure_to_adjacency(z: Int[Tensor, "M E"], pairs: Int[Tensor, "2 E"], n: int) -> Int[Tensor, "M N N"]:
    """Edge types as matrices `[source, target]`; the diagonal and pairs that are no candidates hold 0."""
    adjacency = z.new_zeros(len(z), n, n)
    adjacency[:, pairs[0], pairs[1]] = z
    return adjacency


def adjacency_to_structure(adjacency: Int[Tensor, "M N N"], pairs: Int[Tensor, "2 E"]) -> Int[Tensor, "M E"]:
    """The types of the candidate pairs, read from matrices `[source, target]`."""
    return adjacency[:, pairs[0], pairs[1]]


def fillings(choices: int, slots: int) -> Int[Tensor, "choices**slots slots"]:
    """Every filling of some slots, counting with the last slot fastest.

    Example:
        >>> fillings(2, 2).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    digits = choices ** torch.arange(slots - 1, -1, -1)
    return torch.arange(choices**slots)[:, None] // digits % choices
