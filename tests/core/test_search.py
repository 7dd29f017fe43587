"""Search moves on small models with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.heat_bath import Enumeration, HeatBath, marginals
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import fillings, random_structure

from .conftest import random_batch, small_graph


class Table:
    """A composition without modules; the loss of a structure comes from a table."""

    slots, choices = 2, 2
    groups = torch.tensor([[0, 1]])

    def __init__(self, losses: list[float]) -> None:
        self.losses = torch.tensor(losses)

    def loss(self, batch, z):
        return self.losses[2 * z[:, 0] + z[:, 1]]

    def conditional_losses(self, batch, z, columns):
        return self.losses.double().expand(len(z), 1, 4)


def share(z: torch.Tensor) -> torch.Tensor:
    return torch.bincount(2 * z[:, 0] + z[:, 1], minlength=4) / len(z)


LOSSES = [0.0, 1.0, 0.3, 2.0]
WANTED = torch.softmax(-torch.tensor(LOSSES) / 0.7, 0)


def test_the_heat_bath_draws_from_the_conditional() -> None:
    batch, z = whole_tracks(torch.zeros(40000, 2, 2, 1), torch.arange(40000)), torch.zeros(40000, 2, dtype=torch.long)
    table, generator = Table(LOSSES), torch.Generator().manual_seed(0)
    move = HeatBath(40000, decay=0.0)(table, Uniform(table.groups, 2), batch, z, 0.7, generator)
    torch.testing.assert_close(share(move.z), WANTED, atol=0.01, rtol=0)
    expected = torch.stack([WANTED[:2].sum(), WANTED[2:].sum()]).double()
    torch.testing.assert_close(move.probability[0, 0], expected, atol=1e-6, rtol=0)


def test_metropolis_leads_to_the_boltzmann_distribution() -> None:
    batch, z = whole_tracks(torch.zeros(20000, 2, 2, 1), torch.arange(20000)), torch.zeros(20000, 2, dtype=torch.long)
    table, generator = Table(LOSSES), torch.Generator().manual_seed(0)
    search, proposal = Metropolis(), Uniform(table.groups, 2)
    for _ in range(25):
        z = search(table, proposal, batch, z, 0.7, generator).z
    torch.testing.assert_close(share(z), WANTED, atol=0.012, rtol=0)


def test_metropolis_accepts_better_proposals_and_refuses_nan() -> None:
    batch, z = whole_tracks(torch.zeros(300, 2, 2, 1), torch.arange(300)), torch.zeros(300, 2, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    better = Table([1.0, 0.0, 0.0, 0.0])
    move = Metropolis()(better, Uniform(better.groups, 2), batch, z, 1e-9, generator)
    assert (move.accepted | (move.loss_proposed > move.loss_before)).all()
    broken = Table([1.0, float("nan"), float("nan"), float("nan")])
    move = Metropolis()(broken, Uniform(broken.groups, 2), batch, z, 1.0, generator)
    assert torch.equal(move.z, z)


def test_several_proposals_in_a_row_equal_as_many_moves() -> None:
    composition, batch = small_graph(3, likelihood="shared"), random_batch(8, 6, 3)
    proposal, start = Uniform(composition.groups, 2), random_structure(8, 6, 2, torch.Generator().manual_seed(5))
    one, several = (torch.Generator().manual_seed(0) for _ in range(2))
    z, columns = start, []
    for _ in range(3):
        move = Metropolis()(composition, proposal, batch, z, 0.01, one)
        z, columns = move.z, [*columns, (move.accepted, move.loss_before, move.loss_proposed)]
    found = Metropolis(proposals=3)(composition, proposal, batch, start, 0.01, several)
    assert torch.equal(found.z, z)
    assert torch.equal(found.before, start)
    for name, wanted in zip(("accepted", "loss_before", "loss_proposed"), zip(*columns, strict=True), strict=True):
        assert torch.equal(getattr(found, name), torch.stack(wanted, 1))
    assert torch.equal(one.get_state(), several.get_state())


def test_structures_of_known_modules_are_found_by_one_exact_move(known) -> None:
    batch = whole_tracks(known.tracks, torch.arange(12))
    start = random_structure(12, 12, 2, torch.Generator().manual_seed(5))
    composition = known.composition
    move = HeatBath(12)(
        composition, Uniform(composition.groups, 2), batch, start, 1e-3, torch.Generator().manual_seed(0)
    )
    assert torch.equal(move.z, known.z)


def test_structures_of_known_modules_are_found_by_blocks(known) -> None:
    batch, composition = whole_tracks(known.tracks, torch.arange(12)), known.composition
    z, generator = random_structure(12, 12, 2, torch.Generator().manual_seed(5)), torch.Generator().manual_seed(0)
    search = HeatBath(12, limits=Enumeration(4, 4))
    for sweep in range(60):
        z = search(composition, Uniform(composition.groups, 2), batch, z, 1000 * 0.85**sweep, generator).z
    assert torch.equal(z, known.z)


def test_structures_of_known_modules_are_found_by_annealed_metropolis(known) -> None:
    batch, composition = whole_tracks(known.tracks, torch.arange(12)), known.composition
    z, generator = random_structure(12, 12, 2, torch.Generator().manual_seed(5)), torch.Generator().manual_seed(0)
    search, proposal = Metropolis(), Uniform(composition.groups, 2)
    for step in range(400):
        z = search(composition, proposal, batch, z, 1e-2 * 0.97**step, generator).z
    assert torch.equal(z, known.z)


def test_only_slots_of_the_block_change() -> None:
    composition, batch = small_graph(5), random_batch(4, 3, 5)
    z, generator = random_structure(4, 20, 2, torch.Generator().manual_seed(1)), torch.Generator().manual_seed(0)
    search = HeatBath(4, limits=Enumeration(1, 4))
    columns = search.coupling.plan(composition.groups, 2, 4, torch.Generator().manual_seed(0)).columns
    assert columns.shape == (5, 2)
    move = search(composition, Uniform(composition.groups, 2), batch, z, 1e6, generator)
    moved = torch.zeros(20, dtype=torch.bool)
    moved[composition.groups.gather(1, columns).flatten()] = True
    assert torch.equal(move.z[:, ~moved], z[:, ~moved])
    assert (move.z[:, moved] != z[:, moved]).any()
    known_rest = move.probability[:, ~moved].gather(2, z[:, ~moved, None])
    assert (known_rest == 1).all()


def test_evidence_is_kept_and_decays() -> None:
    table, proposal = Table(LOSSES), Uniform(Table.groups, 2)
    search, batch = HeatBath(3, decay=0.5), whole_tracks(torch.zeros(1, 2, 2, 1), torch.tensor([2]))
    z, generator = torch.zeros(1, 2, dtype=torch.long), torch.Generator().manual_seed(0)
    for _ in range(2):
        search(table, proposal, batch, z, 1.0, generator)
    centred = torch.tensor(LOSSES) - torch.tensor(LOSSES).mean()
    torch.testing.assert_close(search.evidence[2, 0], 1.5 * centred)
    assert (search.evidence[:2] == 0).all()


def test_evidence_of_more_than_a_track_counts_as_one_track() -> None:
    """Half of the old evidence is kept. The sum of visits with two steps would count two tracks, so it is halved."""
    search, loss = HeatBath(1, decay=0.5), torch.tensor([[LOSSES]])
    centred = loss - loss.mean()
    batch = whole_tracks(torch.zeros(1, 3, 2, 1), torch.tensor([0]))
    torch.testing.assert_close(search.remember(batch, loss), centred / 2)
    search.evidence = None
    torch.testing.assert_close(search.remember(batch._replace(segments=batch.segments[:, :1]), loss), centred)


def test_at_an_infinite_temperature_structures_are_uniform_and_nothing_is_evaluated() -> None:
    table, generator = Table([float("nan")] * 4), torch.Generator().manual_seed(0)
    batch, z = whole_tracks(torch.zeros(40000, 2, 2, 1), torch.arange(40000)), torch.zeros(40000, 2, dtype=torch.long)
    search = HeatBath(40000)
    move = search(table, Uniform(table.groups, 2), batch, z, math.inf, generator)
    torch.testing.assert_close(share(move.z), torch.full((4,), 0.25), atol=0.01, rtol=0)
    assert search.evidence is None


@pytest.mark.parametrize("starts", [1, 2])
def test_repeated_noise_makes_a_task_independent_of_its_batch(starts: int) -> None:
    composition, batch = small_graph(4), random_batch(6, 3, 4)
    z = torch.zeros(6, 12, dtype=torch.long)

    def drawn(rows: slice) -> torch.Tensor:
        part = type(batch)(*(field[rows] for field in batch[:3]))
        search, generator = HeatBath(6, decay=0.0, noise_rows=starts), torch.Generator().manual_seed(0)
        return search(composition, Uniform(composition.groups, 2), part, z[rows], 50.0, generator).z

    whole = drawn(slice(0, 6))
    assert torch.equal(drawn(slice(4, 4 + starts)), whole[4 : 4 + starts])
    same = type(batch)(*(field[:1].expand(2, *field.shape[1:]) for field in batch[:3]))
    search, generator = HeatBath(2, decay=0.0, noise_rows=starts), torch.Generator().manual_seed(0)
    one, other = search(composition, Uniform(composition.groups, 2), same, z[:2], 1e9, generator).z
    assert torch.equal(one, other) == (starts == 1)


@pytest.mark.parametrize("choices", [2, 3])
def test_marginals_are_sums_over_fillings(choices: int) -> None:
    block, slots = fillings(choices, 2), torch.tensor([[0, 2]])
    probability = torch.rand(1, 1, choices**2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    probability /= probability.sum()
    found = marginals(probability, block, slots, torch.tensor([[0, 1, 0]]), choices)
    assert found.shape == (1, 3, choices)
    for k in range(choices):
        assert found[0, 0, k] == pytest.approx(float(probability[0, 0][block[:, 0] == k].sum()))
        assert found[0, 2, k] == pytest.approx(float(probability[0, 0][block[:, 1] == k].sum()))
    assert found[0, 1].tolist() == [float(k == 1) for k in range(choices)]
