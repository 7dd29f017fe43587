"""The regression encoder: what a pair does at an instant explains the change of its target, by least squares.

    r_j(t) ≈ Σ_ik w_ijk f_ijk(t)           f, r, s: small networks at every instant;  i, k: sources, types from 1 on
    w_j = (G_j + λ)⁻¹ h_j,                 G_j = Σ_t s² f fᵀ,   h_j = Σ_t s² f r
    logits_ij = as in `base.py`, from      w_ijk, its standard error, and the same without the other sources

f reads both states (as an edge module does); r and the weight s read the state and the change of the target. A change
has several causes, and the solution shares it among them, which a sum over instants cannot do. The weight lowers what
an instant counts, for example in a collision.
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bouncegrad.core.compositions.pair_view import PairView
from bouncegrad.core.encoders.base import Perceptron, Readout
from bouncegrad.core.marks import counted, unmarked
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.structures import incoming_edges

EXPLAINED, GATHERED = 6, 4  # numbers of a change that are explained, and numbers that weigh an instant
RIDGE = 1e-3  # the least λ, so that the matrix can be factorised if nothing acts
MOST = 6.0  # of the logarithm of a weight, so that no instant counts for all


class RegressionEncoder(nn.Module):
    """An encoder for tracks of any length and any number of entities: weights are shared by instants and pairs.

    Args:
        view: what is seen of a pair.
        change: `Float[D]`, the typical change of each feature.
        choices: K, at least 2.
        pairs: `Int[2, E]` (source, target).
        generator: draws weights and dropout masks.
        hidden: width of the networks.
        dropout: share of units that are dropped in the readout while learning.
    """

    reads_structures = False
    change: Tensor

    def __init__(
        self,
        view: PairView,
        change: Float[Tensor, " D"],
        choices: int,
        pairs: Int[Tensor, "2 E"],
        generator: torch.Generator,
        hidden: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.view, self.pairs, self.generator, self.types = view, pairs, generator, choices - 1
        self.register_buffer("change", change)
        features = len(change)
        self.pair = ModulePool(1, (view.width, hidden, hidden, self.types * EXPLAINED + GATHERED), generator)
        self.own = ModulePool(1, (view.state + features + GATHERED, hidden, EXPLAINED + 1), generator)
        self.ridge = nn.Parameter(torch.zeros((), device=generator.device))
        self.edge = Perceptron(2 * 4 * self.types, hidden, generator, dropout)
        self.readout = Readout(pairs, choices, hidden, generator, dropout)

    def on(self, pairs: Int[Tensor, "2 E"]) -> RegressionEncoder:
        """Returns the same networks (shared, not copied) on other pairs, of any number of entities."""
        other = copy.copy(self)
        # The copy needs a table of its networks of its own, or this encoder would get the new readout, too.
        other._modules = self._modules | {"readout": self.readout.on(pairs)}
        other.pairs = pairs
        return other

    def forward(
        self, tracks: Float[Tensor, "B T N D+marks"], z: Int[Tensor, "B E"], learning: bool = False
    ) -> Float[Tensor, "B E K"]:
        """Returns the logits; structures are ignored."""
        found, entities = self.coefficients(tracks), tracks.shape[2]
        # The opposite edge is shown, too: laws often act in both directions.
        opposite = nn.functional.pad(found, (0, 0, 0, 1))[:, opposite_slots(self.pairs, entities)]
        return self.readout(self.edge(torch.cat([found, opposite], -1), learning), entities, learning)

    def coefficients(self, marked: Float[Tensor, "B T N D+marks"]) -> Float[Tensor, "B E 4*types"]:
        """Returns for every pair and type: w, w in standard errors, the logarithm of these, and w without the others.

        Numbers that may be large are shown as asinh(number).
        """
        features, (b, frames, n, _) = len(self.change), marked.shape
        tracks, groups = unmarked(marked, features), incoming_edges(self.pairs, n)
        x, change = tracks[:, :-1], (tracks[:, 1:] - tracks[:, :-1]) / self.change
        seen = columns(self.pair, self.view(x, self.pairs)).view(-1, b, frames - 1, self.pairs.shape[1])
        explaining, gathered = grouped(seen, groups).split((self.types * EXPLAINED, GATHERED))
        own = torch.cat([self.view.circled(x), change, gathered.sum(-1).movedim(0, -1)], -1)
        explained = columns(self.own, own.flatten(0, 2)).view(-1, b, frames - 1, n)
        weight = torch.exp(explained[-1].clamp(-MOST, MOST))
        if (counts := counted(marked[:, None], features)) is not None:
            weight = weight * counts[:, 0]
        f = (weight[..., None] * explaining).unflatten(0, (self.types, EXPLAINED))
        f = f.permute(2, 4, 5, 0, 1, 3).flatten(4).flatten(2, 3)
        r = (weight * explained[:-1]).permute(1, 3, 0, 2).flatten(2)
        matrix, slope = f @ f.transpose(2, 3), (f @ r[..., None])[..., 0]
        matrix = matrix + (RIDGE + F.softplus(self.ridge)) * torch.eye(f.shape[2], device=f.device)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
        w, error = (inverse @ slope[..., None])[..., 0], inverse.diagonal(dim1=2, dim2=3).sqrt()
        alone = slope / matrix.diagonal(dim1=2, dim2=3)
        parts = torch.stack([torch.asinh(w), torch.asinh(w / error), error.log(), torch.asinh(alone)], -1)
        slots = groups.flatten().argsort(stable=True)[: self.pairs.shape[1]]
        return parts.view(b, groups.numel(), -1)[:, slots]


def columns(pool: ModulePool, x: Float[Tensor, "R inputs"]) -> Float[Tensor, "outputs R"]:
    """Returns the outputs of a network, transposed. With few outputs this product is several times as fast."""
    layers = pool.each()[0]
    bias, weight = layers.affine[-1]
    return torch.addmm(bias.T, weight.T, pool.hidden(layers, x).T)


def grouped(x: Float[Tensor, "*more E"], groups: Int[Tensor, "N degree"]) -> Float[Tensor, "*more N degree"]:
    """Returns the numbers of the edges into each entity; zeros stand for the padding of the groups."""
    if x.shape[-1] == groups.numel():
        return x.unflatten(-1, tuple(groups.shape))  # all groups are full, and edges are ordered by target
    return F.pad(x, (0, 1))[..., groups]


def opposite_slots(pairs: Int[Tensor, "2 E"], entities: int) -> Int[Tensor, " E"]:
    """Returns the slot of the opposite edge of every edge, E if it is no slot.

    Example:
        >>> opposite_slots(torch.tensor([[1, 2, 0], [0, 0, 1]]), 3).tolist()
        [2, 3, 0]
    """
    count = pairs.shape[1]
    number = torch.full((entities, entities), count, dtype=torch.long, device=pairs.device)
    number[pairs[0], pairs[1]] = torch.arange(count, device=pairs.device)
    return number[pairs[1], pairs[0]]
