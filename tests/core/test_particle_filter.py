"""Particles that stand for unseen entities: what they are weighed by, and what they say of structures."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core import particle_filter
from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.particle_filter import ParticleFilter, first_explanations
from bouncegrad.core.unseen import find_unseen

from .conftest import make_known, small_graph


@pytest.fixture(autouse=True)
def few(monkeypatch) -> None:
    monkeypatch.setattr(particle_filter, "PARTICLES", 60)
    monkeypatch.setattr(particle_filter, "FIRST", 240)


def filtered(entities: int, visible: int, frames: int = 6, **options) -> tuple[ParticleFilter, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    composition = small_graph(entities, **options)
    composition.slack = 0.5
    x = torch.randn(frames, visible, composition.features, generator=generator)
    particles = ParticleFilter(composition, x, generator)
    with torch.no_grad():
        for t in range(frames - 1):
            particles.step(t)
    return particles, x


@pytest.mark.parametrize(("entities", "visible"), [(4, 3), (5, 3)])
@pytest.mark.parametrize("pinned", [False, True])
def test_every_particle_knows_the_exact_posterior_of_edges_into_the_visible(entities, visible, pinned, monkeypatch):
    """As the heat bath has it, were the particle's track a recording; nothing is left out."""
    monkeypatch.setattr(particle_filter, "IMPROBABLE", -1.0)
    particles, x = filtered(entities, visible, pinned=pinned)
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


def test_what_is_improbable_for_all_is_left_out_and_the_rest_stays_a_distribution(monkeypatch) -> None:
    monkeypatch.setattr(particle_filter, "IMPROBABLE", 0.12)
    particles, _ = filtered(4, 3, frames=12)
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


def test_many_entities_are_told_from_what_the_visible_tell_alone(monkeypatch) -> None:
    """All fillings of 8 edges would be 256 of each: some that the visible ones make probable stand for them."""
    monkeypatch.setattr(particle_filter, "NUMBERS", 8 * 64 * 50)
    particles, _ = filtered(9, 8)
    assert [len(states) for states in particles.states] == [50] * 6
    assert particles.known.shape == (8, particle_filter.FILLINGS // 2, 7)
    assert particles.paths(5)[1].shape == (5, 72)


def test_a_task_is_explained_alike_alone_and_among_others() -> None:
    known = make_known(entities=4, tasks=3)
    visible = known.tracks[:, :, :3]
    tracks, z = first_explanations(known.composition.on(4), visible, 4, 0)
    alone = first_explanations(known.composition.on(4), visible[1:2], 4, 0)
    assert torch.equal(tracks[4:8], alone[0])
    assert torch.equal(z[4:8], alone[1])
    together, single = (find_unseen(known.composition, part, starts=4) for part in (visible, visible[1:2]))
    torch.testing.assert_close(single.tracks, together.tracks[1:2], atol=1e-3, rtol=1e-3)
    assert torch.equal(single.probability.argmax(-1), together.probability.argmax(-1)[1:2])
