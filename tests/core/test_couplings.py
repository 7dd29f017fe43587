"""Couplings and priors: results are exact on tables that are small enough to sum over every structure."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.couplings import EntityTypes, Independent, Symmetric
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.priors import known_edges, sparsity
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Coupling
from bouncegrad.core.structures import edge_index, incoming_edges, structure_to_adjacency

TASKS = 30000


class Random:
    """A composition without modules. Every filling of the edges into each of n entities has a random loss."""

    def __init__(self, n: int, choices: int = 2, size: float = 1.0) -> None:
        self.n, self.choices, self.pairs = n, choices, edge_index(n)
        self.slots, self.groups = n * (n - 1), incoming_edges(self.pairs, n)
        generator = torch.Generator().manual_seed(3)
        self.losses = size * torch.randn(n, choices ** (n - 1), generator=generator, dtype=torch.float64)

    def conditional_losses(self, batch, z, columns):
        return self.losses.expand(len(z), -1, -1)

    def loss_of(self, z: torch.Tensor) -> torch.Tensor:
        digits = self.choices ** torch.arange(self.n - 2, -1, -1)
        number = (z[:, self.groups] * digits).sum(-1)
        return self.losses[torch.arange(self.n), number].sum(-1)

    def every(self) -> torch.Tensor:
        return torch.tensor(list(itertools.product(range(self.choices), repeat=self.slots)))


def draws(model: Random, coupling: Coupling, moves: int = 1, prior: torch.Tensor | None = None):
    batch = whole_tracks(torch.zeros(TASKS, 2, model.n, 1), torch.arange(TASKS))
    search = HeatBath(TASKS, decay=0.0, coupling=coupling, prior=prior)
    z, generator = torch.zeros(TASKS, model.slots, dtype=torch.long), torch.Generator().manual_seed(0)
    for _ in range(moves):
        move = search(model, Uniform(model.groups, model.choices), batch, z, 1.0, generator)
        z = move.z
    return move


def allowed(model: Random, coupling: Coupling) -> torch.Tensor:
    """Returns the structures that satisfy the constraint, from a check of every matrix."""
    every = model.every()
    matrix = structure_to_adjacency(every, model.pairs, model.n)
    if isinstance(coupling, Symmetric):
        return every[(matrix == matrix.transpose(1, 2)).all(-1).all(-1)]
    if isinstance(coupling, EntityTypes):
        labels = itertools.product(range(coupling.types), repeat=model.n)
        table = coupling.table.tolist()
        wanted = {tuple(table[a[s]][a[t]] for s, t in model.pairs.T.tolist()) for a in labels}
        return every[torch.tensor([tuple(row) in wanted for row in every.tolist()])]
    return every


@pytest.mark.parametrize(
    ("coupling", "n", "choices"),
    [
        (Independent(), 3, 2),
        (Symmetric(), 3, 2),
        (Symmetric(), 3, 3),
        (EntityTypes(2, 2), 3, 2),
        (EntityTypes(2, 3), 3, 3),
    ],
    ids=["independent", "symmetric", "symmetric-3", "alike", "unordered"],
)
def test_draws_and_probabilities_are_exact(coupling: Coupling, n: int, choices: int) -> None:
    model = Random(n, choices)
    structures = allowed(model, coupling)
    weight = torch.softmax(-model.loss_of(structures), 0)
    move = draws(model, coupling)
    base = choices ** torch.arange(model.slots)
    number, drawn = (structures * base).sum(-1), (move.z * base).sum(-1)
    assert torch.isin(drawn, number).all()
    share = (drawn[:, None] == number).double().mean(0)
    torch.testing.assert_close(share, weight, atol=0.012, rtol=0)
    exact = torch.einsum("s,sek->ek", weight, (structures[..., None] == torch.arange(choices)).double())
    torch.testing.assert_close(move.probability[0], exact, atol=1e-9, rtol=0)


def test_drawing_some_entities_at_a_time_leads_to_the_exact_distribution(monkeypatch) -> None:
    monkeypatch.setattr("bouncegrad.core.couplings.MOST_STATES", 32)  # cliques of three; one entity is not drawn
    model = Random(4, size=0.7)
    structures = allowed(model, Symmetric())
    weight = torch.softmax(-model.loss_of(structures), 0)
    move = draws(model, Symmetric(), moves=40)
    base = 2 ** torch.arange(model.slots)
    share = ((move.z * base).sum(-1)[:, None] == (structures * base).sum(-1)).double().mean(0)
    torch.testing.assert_close(share, weight, atol=0.012, rtol=0)


def test_a_sparsity_prior_enters_the_posterior() -> None:
    model = Random(3)
    structures = model.every()
    prior = 0.8 ** (structures == 0).sum(-1) * 0.2 ** (structures == 1).sum(-1)
    weight = prior * torch.exp(-model.loss_of(structures))
    exact = (weight[:, None] * structures).sum(0) / weight.sum()
    move = draws(model, Independent(), prior=sparsity(6, 2, 0.8))
    torch.testing.assert_close(move.probability[0, :, 1], exact, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("coupling", [Independent(), Symmetric()], ids=["independent", "symmetric"])
def test_known_edges_always_have_their_known_types(coupling: Coupling) -> None:
    model = Random(3)
    types = torch.full((1, 6), -1)
    types[0, 2] = 1
    move = draws(model, coupling, prior=known_edges(types, 2))
    assert (move.z[:, 2] == 1).all()
    assert move.probability[0, 2].tolist() == pytest.approx([0.0, 1.0])
    free = [e for e in range(6) if not (move.z[:, e] == 1).all()]
    assert len(free) == (5 if isinstance(coupling, Independent) else 4)


def test_priors_of_more_than_two_types_sum_to_one() -> None:
    torch.testing.assert_close(sparsity(4, 5, 0.3).exp().sum(-1), torch.ones(1, 4))
    assert sparsity(1, 5, 0.3)[0, 0, 1].item() == pytest.approx(math.log(0.7 / 4))


def test_entity_types_that_lead_to_no_edge_types_are_refused() -> None:
    with pytest.raises(ValueError, match="3 entity types lead to 2, 6, 9 edge types"):
        EntityTypes(3, 4)


def test_allowed_structures_are_equally_probable_at_an_infinite_temperature() -> None:
    model, batch = Random(3), whole_tracks(torch.zeros(TASKS, 2, 3, 1), torch.arange(TASKS))
    prior = known_edges(torch.tensor([[1, -1, -1, -1, -1, -1]]), 2) + sparsity(6, 2, 0.99)
    search = HeatBath(TASKS, coupling=Symmetric(), prior=prior)
    z, generator = torch.zeros(TASKS, 6, dtype=torch.long), torch.Generator().manual_seed(0)
    move = search(model, Uniform(model.groups, 2), batch, z, math.inf, generator)
    matrix = structure_to_adjacency(move.z, model.pairs, 3)
    assert torch.equal(matrix, matrix.transpose(1, 2))
    assert (matrix[:, 1, 0] == 1).all()
    for other in (matrix[:, 2, 0], matrix[:, 2, 1]):
        assert float(other.double().mean()) == pytest.approx(0.5, abs=0.02)
    assert search.evidence is None
