"""The particle filter: weights of particles, and their probabilities of structures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.particle_filter import ParticleFilter, Particles, first_explanations
from bouncegrad.core.unseen import UnseenEffort, find_unseen

from .conftest import make_known, small_graph

FEW = Particles(count=60, first=240)


def filtered(
    entities: int, visible: int, frames: int = 6, settings: Particles = FEW, **options
) -> tuple[ParticleFilter, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    composition = small_graph(entities, **options).widened(0.5)
    x = torch.randn(frames, visible, composition.features, generator=generator)
    particles = ParticleFilter(composition, x, generator, settings)
    with torch.no_grad():
        for t in range(frames - 1):
            particles.step(t)
    return particles, x


@pytest.mark.parametrize(("entities", "visible"), [(4, 3), (5, 3)])
@pytest.mark.parametrize("pinned", [False, True])
def test_every_particle_holds_the_exact_posterior_of_edges_into_visible_entities(entities, visible, pinned):
    """The reference is the heat bath with the track of the particle as a recording; no filling is left out."""
    particles, x = filtered(entities, visible, settings=replace(FEW, improbable=-1.0), pinned=pinned)
    composition, count = particles.composition, 7
    tracks, z = particles.paths(count)
    whole = torch.cat([x.expand(count, -1, -1, -1), tracks], 2)
    everything = torch.arange(entities - 1).expand(entities, -1)
    batch = whole_tracks(whole, torch.arange(count))
    exact = torch.log_softmax(-composition.conditional_losses(batch, z, everything), 2)[:, :visible]
    rows = torch.linspace(0, len(particles.table) - 1, count).long()
    torch.testing.assert_close(particles.table[rows].double(), exact, atol=1e-3, rtol=1e-3)
    best = exact.argmax(2)
    digits = 2 ** torch.arange(entities - 2, -1, -1)
    assert torch.equal((z[:, composition.groups[:visible]] * digits).sum(-1), best)


def test_fillings_improbable_for_all_particles_are_left_out_and_the_others_sum_to_1() -> None:
    particles, _ = filtered(4, 3, frames=12, settings=replace(FEW, improbable=0.12))
    held = particles.table.isfinite()
    assert held.any(2).all()
    assert not held.all()
    assert (held == held[0]).all()
    torch.testing.assert_close(particles.table.exp().sum(2), torch.ones(len(particles.table), 3))


def test_particles_are_drawn_as_evenly_as_their_weights_allow() -> None:
    particles, _ = filtered(4, 3)
    share = torch.tensor([0.5, 0.25, 0.0, 0.25])
    counts = torch.bincount(particles._drawn(share.log(), 10), minlength=4)
    assert ((counts - 10 * share).abs() < 1).all()
    assert counts[2] == 0
    assert particles._drawn(torch.tensor([torch.nan, 0.0, -torch.inf]), 4).tolist() == [1] * 4


def test_with_many_entities_only_some_fillings_are_used() -> None:
    """There are 256 fillings of 8 edges; a sample is used, from the probabilities given by visible entities."""
    particles, _ = filtered(9, 8, settings=replace(FEW, numbers=8 * 64 * 50))
    assert [len(states) for states in particles.states] == [50] * 6
    assert particles.known.shape == (8, FEW.fillings // 2, 7)
    assert particles.paths(5)[1].shape == (5, 72)


def test_a_task_has_the_same_explanation_alone_and_among_others() -> None:
    known = make_known(entities=4, tasks=3)
    visible = known.tracks[:, :, :3]
    tracks, z = first_explanations(known.composition.on(4), visible, 4, 0, FEW)
    alone = first_explanations(known.composition.on(4), visible[1:2], 4, 0, FEW)
    assert torch.equal(tracks[4:8], alone[0])
    assert torch.equal(z[4:8], alone[1])
    together, single = (
        find_unseen(known.composition, part, effort=UnseenEffort(trials=4, particles=FEW))
        for part in (visible, visible[1:2])
    )
    torch.testing.assert_close(single.tracks, together.tracks[1:2], atol=1e-3, rtol=1e-3)
    assert torch.equal(single.probability.argmax(-1), together.probability.argmax(-1)[1:2])
