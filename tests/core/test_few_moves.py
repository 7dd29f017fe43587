"""A few moves of a search from given structures, and segments of whole tracks."""

from __future__ import annotations

import torch

from bouncegrad.core.batches import RandomFrames, whole_tracks
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.few_moves import after_moves, rolled_tracks
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.proposals import Learned, Nothing, Uniform
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import random_structure

from .conftest import random_batch, small_graph


def test_structures_are_those_after_as_many_moves() -> None:
    composition, batch = small_graph(3, likelihood="shared"), random_batch(8, 6, 3)
    proposal, z = Uniform(composition.groups, 2), random_structure(8, 6, 2, torch.Generator().manual_seed(1))
    found = after_moves(composition, Metropolis(), proposal, batch, z, 0.1, (1, 4), torch.Generator().manual_seed(0))
    generator, wanted = torch.Generator().manual_seed(0), [z]
    for _ in range(4):
        wanted.append(Metropolis()(composition, proposal, batch, wanted[-1], 0.1, generator).z)
    assert len(found) == 2
    assert torch.equal(found[0], wanted[1])
    assert torch.equal(found[1], wanted[4])
    assert after_moves(composition, Metropolis(), proposal, batch, z, 0.1, (), generator) == []


def test_neither_modules_nor_proposals_learn() -> None:
    composition, batch = small_graph(3, likelihood="shared"), random_batch(8, 6, 3)
    generator = torch.Generator().manual_seed(0)
    proposal = Learned(TrackEncoder(6, 2, 2, composition.pairs, generator, hidden=4), composition.groups)
    learned = [*composition.parameters(), *proposal.encoder.parameters()]
    before = [value.clone() for value in learned]
    z = random_structure(8, 6, 2, generator)
    (found,) = after_moves(composition, Metropolis(), proposal, batch, z, 1.0, (5,), generator)
    assert not torch.equal(found, z)
    assert all(torch.equal(*pair) for pair in zip(before, learned, strict=True))


def test_one_exact_move_finds_the_structures_of_known_modules(known) -> None:
    composition, generator = known.composition, torch.Generator().manual_seed(0)
    batch = whole_tracks(known.tracks, torch.arange(12))
    start = random_structure(12, 12, 2, generator)
    for z in after_moves(composition, HeatBath(12, 0.0), Nothing(), batch, start, 1e-3, (1, 3), generator):
        assert torch.equal(z, known.z)


def test_rolled_tracks_are_the_segments_of_the_paper() -> None:
    tracks = random_batch(5, 12, 3).tracks
    wanted = next(iter(RandomFrames(tracks, 5, None, steps=3)(torch.Generator().manual_seed(0))))
    found = rolled_tracks(tracks[wanted.tasks], wanted.tasks, 3)
    assert torch.equal(found.segments, wanted.segments)
