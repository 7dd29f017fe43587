"""Proposals: which slots move, with which probabilities, and what they learn from."""

from __future__ import annotations

import copy

import pytest
import torch

from bouncegrad.core.encoders import Encoder
from bouncegrad.core.proposals import Learned, Uniform, slots_of_one_group
from bouncegrad.core.search import Move
from bouncegrad.core.structures import edge_index, incoming_edges, random_structure

from .conftest import random_batch

PAIRS = edge_index(3)
GROUPS = incoming_edges(PAIRS, 3)


def encoder(seed: int = 0, **settings) -> Encoder:
    return Encoder(4, 2, 2, PAIRS, torch.Generator().manual_seed(seed), **({"hidden": 8} | settings))


def move(z: torch.Tensor, accepted: torch.Tensor) -> Move:
    return Move(z, accepted, torch.zeros(len(z)), torch.zeros(len(z)))


def test_all_slots_of_one_group_move() -> None:
    moved = slots_of_one_group(GROUPS, torch.zeros(3000, 6, dtype=torch.long), torch.Generator().manual_seed(0))
    by_group = moved[:, GROUPS]
    assert (by_group.all(2) | ~by_group.any(2)).all()
    assert (by_group.all(2).sum(1) == 1).all()
    torch.testing.assert_close(by_group.all(2).float().mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)


def test_uniform_leaves_the_rest_and_draws_all_modules_alike() -> None:
    batch, z = random_batch(3000, 4, 3), torch.zeros(3000, 6, dtype=torch.long)
    proposed = Uniform(GROUPS, 3)(batch, z, torch.Generator().manual_seed(0))
    assert ((proposed != z).sum(1) <= 2).all()
    drawn = torch.bincount(proposed[(proposed != z).any(1)].flatten(), minlength=3)
    assert drawn[1] == pytest.approx(int(drawn[2]), rel=0.1)


def test_a_learned_proposal_learns_what_was_accepted_and_nothing_else() -> None:
    """Accepted tasks always have module 1, refused ones module 0: after learning only module 1 is proposed."""
    batch, generator = random_batch(64, 4, 3), torch.Generator().manual_seed(0)
    proposal = Learned(encoder(dropout=0.0), GROUPS, learning_rate=0.1)
    accepted = torch.arange(64) < 32
    z = accepted.long()[:, None].expand(64, 6)
    for _ in range(60):
        proposal.learn(batch, move(z, accepted))
    probability = proposal.encoder(batch.tracks, None).softmax(-1)
    assert (probability[:, :, 1] > 0.95).all()
    proposed = proposal(batch, torch.full((64, 6), -1), generator)
    assert (proposed[proposed >= 0].float().mean()) > 0.9


def test_nothing_accepted_nothing_learned() -> None:
    batch, proposal = random_batch(4, 4, 3), Learned(encoder(), GROUPS)
    before = {k: v.clone() for k, v in proposal.encoder.state_dict().items()}
    proposal.learn(batch, move(torch.ones(4, 6, dtype=torch.long), torch.zeros(4, dtype=torch.bool)))
    after = proposal.encoder.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_no_module_is_ever_excluded() -> None:
    proposal = Learned(encoder(), GROUPS, uniform=0.5)
    with torch.no_grad():
        proposal.encoder.output.biases[0][0, 0] = torch.tensor([1e4, 0.0])
    batch, z = random_batch(4000, 4, 3), torch.full((4000, 6), -1)
    proposed = proposal(batch, z, torch.Generator().manual_seed(0))
    assert proposed[proposed >= 0].float().mean() == pytest.approx(0.25, abs=0.02)


def test_a_learned_proposal_goes_on_where_it_was() -> None:
    batch = random_batch(8, 4, 3)
    z, all_of_them = random_structure(8, 6, 2, torch.Generator().manual_seed(1)), torch.ones(8, dtype=torch.bool)
    first, second = Learned(encoder(), GROUPS), Learned(encoder(seed=9), GROUPS)
    first.learn(batch, move(z, all_of_them))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for proposal in (first, second):
        proposal.learn(batch, move(z, all_of_them))
    one, two = first.encoder.state_dict(), second.encoder.state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_the_encoder_sees_who_is_source_and_who_is_target() -> None:
    """Renumbering entities renumbers logits; swapping the ends of an edge does not leave its logits as they were."""
    network, tracks = encoder(), random_batch(2, 4, 3).tracks
    logits = network(tracks, None)
    assert logits.shape == (2, 6, 2)
    order = torch.tensor([2, 0, 1])
    place = {(int(s), int(t)): e for e, (s, t) in enumerate(PAIRS.T)}
    moved = [place[int(order[s]), int(order[t])] for s, t in PAIRS.T]
    torch.testing.assert_close(network(tracks[:, :, order], None), logits[:, moved])
    assert not torch.allclose(logits[:, place[0, 1]], logits[:, place[1, 0]])


def test_dropout_draws_from_its_generator_and_keeps_the_mean() -> None:
    network, tracks = encoder(hidden=64), random_batch(4, 4, 3).tracks
    x = torch.ones(4, 3, 8)
    generator = torch.Generator().manual_seed(0)
    plain = network.layer(network.track, x, None)
    drawn = torch.stack([network.layer(network.track, x, generator) for _ in range(400)])
    torch.testing.assert_close(drawn.mean(0), plain, atol=0.15, rtol=0.3)
    assert (drawn[0] == 0).float().mean() > (plain == 0).float().mean()
    one, two = (network(tracks, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
