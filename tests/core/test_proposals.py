"""Proposals: the probabilities with which modules are drawn, and what proposals learn from."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from bouncegrad.core.encoders.structure import StructureEncoder
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.moves import redraw_all
from bouncegrad.core.proposals import UNIFORM, InTurn, Learned, Nothing, Truth, Uniform
from bouncegrad.core.seams import Move
from bouncegrad.core.structures import edge_index, incoming_edges, random_structure
from bouncegrad.data.errors import InputError

from .conftest import random_batch

PAIRS = edge_index(3)
GROUPS = incoming_edges(PAIRS, 3)


def encoder(seed: int = 0, **settings) -> TrackEncoder:
    return TrackEncoder(4, 2, 2, PAIRS, torch.Generator().manual_seed(seed), **({"hidden": 8} | settings))


def move(z: torch.Tensor, accepted: torch.Tensor) -> Move:
    return Move(z, accepted, torch.zeros(len(z)), torch.zeros(len(z)))


def weights_of(proposal: Learned) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in proposal.encoder.state_dict().items()}


def test_uniform_changes_one_group_and_draws_all_modules_equally_often() -> None:
    batch, z = random_batch(3000, 4, 3), torch.zeros(3000, 6, dtype=torch.long)
    proposed = Uniform(GROUPS, 3)(batch, z, torch.Generator().manual_seed(0))
    assert ((proposed != z).sum(1) <= 2).all()
    drawn = torch.bincount(proposed[(proposed != z).any(1)].flatten(), minlength=3)
    assert drawn[1] == pytest.approx(int(drawn[2]), rel=0.1)


def test_a_learned_proposal_learns_only_from_accepted_structures() -> None:
    """All accepted tasks have module 1, all refused tasks module 0. After learning, module 1 is proposed."""
    batch, generator = random_batch(64, 4, 3), torch.Generator().manual_seed(0)
    proposal = Learned(encoder(dropout=0.0), GROUPS, learning_rate=0.2)
    accepted = torch.arange(64) < 32
    z = accepted.long()[:, None].expand(64, 6)
    for _ in range(60):
        proposal.learn(batch, move(z, accepted))
    probability = proposal.encoder(batch.tracks, z).softmax(-1)
    assert (probability[:, :, 1] > 0.95).all()
    proposed = proposal(batch, torch.zeros(64, 6, dtype=torch.long), generator)
    assert (proposed.sum(1).float().mean()) > 0.9 * 2


def test_probabilities_are_computed_once_a_visit_and_again_after_learning(monkeypatch) -> None:
    batch, z, generator = random_batch(8, 4, 3), torch.zeros(8, 6, dtype=torch.long), torch.Generator().manual_seed(0)
    proposal, calls = Learned(encoder(), GROUPS, learning_rate=0.5), []
    plain = proposal.probability
    monkeypatch.setattr(proposal, "probability", lambda *given: calls.append(1) or plain(*given))
    for _ in range(3):
        proposal(batch, z, generator)
    assert len(calls) == 1
    proposal(random_batch(8, 4, 3, seed=1), z, generator)
    assert len(calls) == 2
    proposal.learn(batch, move(z + 1, torch.ones(8, dtype=torch.bool)))
    proposal(batch, z, generator)
    assert len(calls) == 3
    assert torch.equal(proposal.latest[1], plain(batch.tracks, z))


def test_an_encoder_of_structures_is_asked_before_every_proposal(monkeypatch) -> None:
    generator, z = torch.Generator().manual_seed(0), torch.zeros(8, 6, dtype=torch.long)
    proposal, batch, calls = Learned(StructureEncoder(6, 2, generator, hidden=4), GROUPS), random_batch(8, 4, 3), []
    plain = proposal.probability
    monkeypatch.setattr(proposal, "probability", lambda *given: calls.append(1) or plain(*given))
    for _ in range(3):
        z = proposal(batch, z, generator)
    assert len(calls) == 3


def test_nothing_proposes_the_present_structures() -> None:
    z = random_structure(8, 6, 2, torch.Generator().manual_seed(1))
    assert torch.equal(Nothing()(random_batch(8, 4, 3), z, torch.Generator()), z)


def test_the_gradient_step_is_scaled_by_the_share_of_accepted_tasks() -> None:
    """A quarter of the tasks is accepted, so the step is a quarter of the step from the accepted tasks alone."""
    batch, z = random_batch(8, 4, 3), random_structure(8, 6, 2, torch.Generator().manual_seed(1))
    accepted = torch.arange(8) < 2
    some, alone = Learned(encoder(dropout=0.0), GROUPS), Learned(encoder(dropout=0.0), GROUPS)
    start = weights_of(some)
    some.learn(batch, move(z, accepted))
    part = batch._replace(tasks=batch.tasks[:2], tracks=batch.tracks[:2], segments=batch.segments[:2])
    alone.learn(part, move(z[:2], accepted[:2]))
    for name, before in start.items():
        torch.testing.assert_close(weights_of(some)[name] - before, (weights_of(alone)[name] - before) / 4)


def test_without_accepted_structures_nothing_is_learned() -> None:
    batch, proposal = random_batch(4, 4, 3), Learned(encoder(), GROUPS)
    before = weights_of(proposal)
    proposal.learn(batch, move(torch.ones(4, 6, dtype=torch.long), torch.zeros(4, dtype=torch.bool)))
    assert all(torch.equal(before[k], v) for k, v in weights_of(proposal).items())


@pytest.mark.parametrize("sure", [1e4, -1e4])
def test_no_module_is_ever_excluded(sure: float) -> None:
    """Users reported unstable training after a proposal that was too certain."""
    proposal = Learned(encoder(), GROUPS, redraw_all, uniform=0.5)
    with torch.no_grad():
        proposal.encoder.readout.output.biases[0][0, 0] = torch.tensor([sure, 0.0])
    batch, z = random_batch(1000, 4, 3), torch.zeros(1000, 6, dtype=torch.long)
    proposed = proposal(batch, z, torch.Generator().manual_seed(0))
    assert proposed.float().mean() == pytest.approx(0.25 if sure > 0 else 0.75, abs=0.02)


def test_a_gradient_of_the_encoder_that_is_not_a_number_stops_and_is_named() -> None:
    batch, proposal = random_batch(4, 4, 3), Learned(encoder(dropout=0.0), GROUPS)
    proposal.encoder.readout.output.biases[0].register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(InputError, match=r"the gradient of readout\.output\.biases\.0 is not a number"):
        proposal.learn(batch, move(torch.ones(4, 6, dtype=torch.long), torch.ones(4, dtype=torch.bool)))


def test_the_oracle_proposes_the_truth_of_the_tasks_that_are_visited() -> None:
    truth = random_structure(4000, 6, 2, torch.Generator().manual_seed(1))
    batch, z = random_batch(2000, 4, 3), torch.zeros(2000, 6, dtype=torch.long)
    batch = batch._replace(tasks=torch.arange(4000).flip(0)[:2000])
    proposed = Truth(truth, GROUPS, 2, redraw_all)(batch, z, torch.Generator().manual_seed(0))
    assert (proposed == truth[batch.tasks]).float().mean() == pytest.approx(1 - UNIFORM / 2, abs=0.005)


class Noted:
    """A proposal that records its calls."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __call__(self, batch, z, generator):
        self.called.append("propose")
        return z

    def learn(self, batch, move) -> None:
        self.called.append("learn")

    def state_dict(self) -> dict[str, Any]:
        return {"called": len(self.called)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.called = ["..."] * state["called"]


def test_alternating_proposals_each_learn_from_their_own_moves() -> None:
    both, z = InTurn(Noted(), Noted()), torch.zeros(2, 6, dtype=torch.long)
    for visit in range(5):
        both(random_batch(2, 4, 3), z, torch.Generator())
        both.learn(random_batch(2, 4, 3), move(z, torch.ones(2, dtype=torch.bool)))
        assert [len(part.called) for part in both.proposals] == [2 * (visit // 2 + 1), 2 * ((visit + 1) // 2)]
    assert all(part.called == ["propose", "learn"] * (len(part.called) // 2) for part in both.proposals)
    other = InTurn(Noted(), Noted())
    other.load_state_dict(both.state_dict())
    assert other.state_dict() == both.state_dict() == {"turn": 1, "proposals": [{"called": 6}, {"called": 4}]}


def test_a_learned_proposal_resumes_from_its_state() -> None:
    batch = random_batch(8, 4, 3)
    z, all_of_them = random_structure(8, 6, 2, torch.Generator().manual_seed(1)), torch.ones(8, dtype=torch.bool)
    first, second = Learned(encoder(), GROUPS), Learned(encoder(seed=9), GROUPS)
    first.learn(batch, move(z, all_of_them))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for proposal in (first, second):
        proposal.learn(batch, move(z, all_of_them))
    one, two = weights_of(first), weights_of(second)
    assert all(torch.equal(one[k], two[k]) for k in one)
