"""Couplings: they decide which edges are drawn together, and which combinations of types are allowed.

The search knows the summed loss of every filling of the edges into each entity. A coupling plans a draw from

    p(fillings) ∝ exp(-Σ_entities loss / T)   over the fillings that it allows

    independent     all; the incoming edges of each entity are drawn separately
    symmetric       z_{s->t} = z_{t->s}; entities are divided into random cliques, each clique is drawn at once
    entity types    z_{s->t} = table[a_s, a_t]; the types of all entities are drawn at once
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.seams import Joint, Plan
from bouncegrad.core.structures import fillings

MOST_STATES = 4096  # joint states of one draw, which limits time and memory


class Independent:
    """Draws all slots of a group if they can be enumerated, otherwise a new random block of each group."""

    def plan(self, groups: Int[Tensor, "G degree"], choices: int, largest: int, generator: torch.Generator) -> Plan:
        count, degree = groups.shape
        if choices**degree <= largest:
            return Plan(torch.arange(degree, device=groups.device).expand(count, degree))
        size = 1
        while choices ** (size + 1) <= largest:
            size += 1
        random = torch.rand(count, degree, generator=generator, device=generator.device)
        return Plan(random.argsort(1)[:, :size])


class Symmetric:
    """Both directions of a pair have the same type. All ordered pairs must be candidates.

    A clique is so large that all fillings of its pairs can still be enumerated: five entities for two types. Entities
    in no clique are not drawn in this move.
    """

    def plan(self, groups: Int[Tensor, "G degree"], choices: int, largest: int, generator: torch.Generator) -> Plan:
        count, size, device = len(groups), 2, groups.device
        while size < count and one_clique(size + 1, choices) and choices**size <= largest:
            size += 1
        order = torch.arange(count, device=device)
        if size < count:
            order = torch.randperm(count, generator=generator, device=generator.device)
        cliques = order[: count // size * size].view(-1, size).sort(1).values
        columns = torch.arange(size - 1, device=device).repeat(count, 1)
        for clique in cliques:
            for target in clique.tolist():
                sources = clique[clique != target]
                columns[target] = sources - (sources > target).long()
        first, second = torch.triu_indices(size, size, 1, device=device)
        matrix = torch.zeros(choices ** len(first), size, size, dtype=torch.long, device=device)
        matrix[:, first, second] = matrix[:, second, first] = fillings(choices, len(first), device)
        states = numbered(matrix, choices)
        return Plan(columns, tuple(Joint(clique, states) for clique in cliques))


def one_clique(entities: int, choices: int) -> bool:
    """Returns whether all pairs of so many entities can be drawn at once, by enumeration."""
    return choices ** (entities * (entities - 1) // 2) <= MOST_STATES // 4


class EntityTypes:
    """An edge type follows from the entity types of both ends, as with charges. All ordered pairs must be candidates.

    With A entity types and K edge types, `K = 2`: equal entity types or not; `K = A (A + 1) / 2`: one edge type for
    each unordered pair of entity types; `K = A²`: one for each ordered pair (source, target).

    Args:
        types: A.
        choices: K.

    Raises:
        ValueError: no rule gives K edge types for A entity types.
    """

    def __init__(self, types: int, choices: int) -> None:
        # A small table, which `plan` moves to the device of the groups.
        each = torch.arange(types, device="cpu")
        a, b = torch.meshgrid(each, each, indexing="ij")
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        tables = {types**2: a * types + b, types * (types + 1) // 2: high * (high + 1) // 2 + low, 2: (a != b).long()}
        if choices not in tables:
            raise ValueError(f"{types} entity types lead to {', '.join(map(str, sorted(tables)))} edge types")
        self.types, self.table = types, tables[choices]

    def plan(self, groups: Int[Tensor, "G degree"], choices: int, largest: int, generator: torch.Generator) -> Plan:
        (count, degree), device = groups.shape, groups.device
        entity = fillings(self.types, count, device)
        states = numbered(self.table.to(device)[entity[:, :, None], entity[:, None, :]], choices)
        columns = torch.arange(degree, device=device).expand(count, degree)
        return Plan(columns, (Joint(torch.arange(count, device=device), states),))


def numbered(matrix: Int[Tensor, "states n n"], choices: int) -> Int[Tensor, "states n"]:
    """Returns the filling number, as in `fillings`, of the edges into each entity for matrices `[source, target]`."""
    n = matrix.shape[1]
    off = ~torch.eye(n, dtype=torch.bool, device=matrix.device)
    incoming = matrix.transpose(1, 2)[:, off].view(len(matrix), n, n - 1)
    return (incoming * choices ** torch.arange(n - 2, -1, -1, device=matrix.device)).sum(-1)


def draw(
    logits: Float[Tensor, "B G fillings"],
    current: Int[Tensor, "B G"],
    joints: tuple[Joint, ...],
    noise: Callable[[Tensor], Tensor],
) -> tuple[Int[Tensor, "B G"], Float[Tensor, "B G fillings"]]:
    """Returns a filling for each group and the probability of each filling; groups in no joint stay at `current`.

    `noise` returns Gumbel noise for logits, so that the largest sum is a draw from their softmax.
    """
    if not joints:
        return (logits + noise(logits)).argmax(-1), logits.softmax(-1)
    filling, probability = current.clone(), torch.zeros_like(logits).scatter_(2, current[..., None], 1.0)
    for members, states in joints:
        own = logits[:, members]
        joint = own[:, torch.arange(len(members), device=members.device), states].sum(-1)
        filling[:, members] = states[(joint + noise(joint)).argmax(-1)]
        share = joint.softmax(-1)[:, None, :].expand(own.shape[:2] + joint.shape[1:])
        probability[:, members] = torch.zeros_like(own).scatter_add_(2, states.T.expand_as(share), share)
    return filling, probability
