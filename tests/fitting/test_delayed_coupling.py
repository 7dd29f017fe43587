"""Edges are tied to each other when names have formed, and names are matched to what the tie says of them."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.couplings import EntityTypes, Independent, Symmetric
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.structures import structure_to_adjacency
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.delayed_coupling import DelayedCoupling
from bouncegrad.fitting.stages import train
from bouncegrad.settings.config import Config

from ..core.conftest import make_known


def loop_of(coupling):
    """Tracks of entities of two kinds: unlike ones pull, which is type 1."""
    known = make_known(entities=4, tasks=12)
    composition = known.composition
    kinds = torch.randint(2, (12, 4), generator=torch.Generator().manual_seed(0))
    z = (kinds[:, composition.pairs[0]] != kinds[:, composition.pairs[1]]).long()
    with torch.no_grad():
        tracks = torch.cat([known.tracks[:, :1], composition.rollout(known.tracks[:, :1], z, 11)[:, 0]], 1)
    optimizer = Muon(composition.parameters())
    search, proposal = HeatBath(12, coupling=coupling), Uniform(composition.groups, 2)
    generator = torch.Generator().manual_seed(0)
    return BounceGrad(composition, search, proposal, Fixed(1.0), z, generator, optimizer), tracks


def test_names_are_matched_to_the_table_of_entity_types() -> None:
    loop, tracks = loop_of(EntityTypes(2, 2))
    right = [p.clone() for p in loop.composition.edge.parameters()]
    truth = loop.z.clone()
    tying = DelayedCoupling(loop, tracks, torch.arange(len(tracks)))
    assert isinstance(loop.search.coupling, Independent)
    tying.rename((1, 0))
    loop.z.copy_(1 - truth)
    tying.tie(True)
    assert isinstance(loop.search.coupling, EntityTypes)
    assert torch.equal(loop.z, truth)
    assert all(torch.equal(a, b) for a, b in zip(right, loop.composition.edge.parameters(), strict=True))
    tying.tie(False)
    tying.tie(True)
    assert torch.equal(loop.z, truth)


def test_a_renaming_moves_the_memory_of_the_optimizer_too() -> None:
    loop, tracks = loop_of(Symmetric())
    weight = loop.composition.edge.weights[0]
    momentum = torch.arange(float(weight.numel())).view(weight.shape)
    loop.optimizer.state[weight]["momentum"] = momentum.clone()
    DelayedCoupling(loop, tracks, torch.arange(len(tracks))).rename((1, 0))
    assert torch.equal(loop.optimizer.state[weight]["momentum"], momentum.flip(0))


@pytest.mark.parametrize("settings", [{"symmetric": True}, {"entity_types": 2}])
def test_structures_are_untied_at_first_and_tied_in_the_end(settings, monkeypatch) -> None:
    data, symmetric = simulate("charged", 12, entities=4, frames=15, seed=0), []
    before = DelayedCoupling.tie

    def tie(self, tied: bool) -> None:
        matrix = structure_to_adjacency(self.loop.z, self.loop.composition.pairs, 4)
        symmetric.append(torch.equal(matrix, matrix.transpose(1, 2)))
        before(self, tied)

    monkeypatch.setattr(DelayedCoupling, "tie", tie)
    train(Config(epochs=20, threads=1, **settings), data)
    assert not any(symmetric[:12])
    assert all(symmetric[15:])
