"""Delayed coupling: it begins when type labels have settled, and labels are matched to the table of entity types."""

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
    """Returns a loop over tracks of two types of entities; different types pull each other, which is edge type 1."""
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


def test_labels_are_matched_to_the_table_of_entity_types() -> None:
    loop, tracks = loop_of(EntityTypes(2, 2))
    right = [p.clone() for p in loop.composition.edge.parameters()]
    truth = loop.z.clone()
    coupling = DelayedCoupling(loop, loop.composition, tracks, torch.arange(len(tracks)))
    assert isinstance(loop.search.coupling, Independent)
    loop.composition.relabel((1, 0), loop.optimizer)
    loop.z.copy_(1 - truth)
    coupling.couple(True)
    assert isinstance(loop.search.coupling, EntityTypes)
    assert torch.equal(loop.z, truth)
    assert all(torch.equal(a, b) for a, b in zip(right, loop.composition.edge.parameters(), strict=True))
    coupling.couple(False)
    coupling.couple(True)
    assert torch.equal(loop.z, truth)


def test_a_relabelling_also_moves_the_state_of_the_optimizer() -> None:
    loop, _ = loop_of(Symmetric())
    weight = loop.composition.edge.weights[0]
    momentum = torch.arange(float(weight.numel())).view(weight.shape)
    loop.optimizer.state[weight]["momentum"] = momentum.clone()
    loop.composition.relabel((1, 0), loop.optimizer)
    assert torch.equal(loop.optimizer.state[weight]["momentum"], momentum.flip(0))


@pytest.mark.parametrize("settings", [{"symmetric": True}, {"entity_types": 2}])
def test_structures_are_coupled_only_after_labels_have_settled(settings, monkeypatch) -> None:
    data, symmetric = simulate("charged", 12, entities=4, frames=15, seed=0), []
    before = DelayedCoupling.couple

    def couple(self, coupled: bool) -> None:
        matrix = structure_to_adjacency(self.loop.z, self.loop.composition.pairs, 4)
        symmetric.append(torch.equal(matrix, matrix.transpose(1, 2)))
        before(self, coupled)

    monkeypatch.setattr(DelayedCoupling, "couple", couple)
    train(Config(epochs=20, threads=1, **settings), data)
    assert not any(symmetric[:12])
    assert all(symmetric[15:])
