"""Unseen entities: they are found if they act on the others, and undetermined if not."""

from __future__ import annotations

from dataclasses import replace

import torch

from bouncegrad.core.heads import gaussian_loss
from bouncegrad.core.particle_filter import Particles
from bouncegrad.core.refitting import into_unseen, refit
from bouncegrad.core.track_fit import TrackFit
from bouncegrad.core.unseen import UnseenEffort, find_unseen

from .conftest import make_known, small_graph

FEWER = UnseenEffort(trials=12, particles=Particles(count=400, first=3200))  # the law is simple


def test_an_entity_that_pulls_several_is_found_and_one_that_pulls_nobody_is_not() -> None:
    """Users asked for entities that were not observed."""
    known = make_known(entities=4, tasks=12, frames=24)
    z = known.z.clone()
    found = find_unseen(known.composition, known.tracks[:, :, :3], effort=FEWER)
    from_hidden = (z * (known.composition.pairs[0] == 3)).sum(1)
    square = (found.tracks[:, :, 0] - known.tracks[:, :, 3]).square().mean((1, 2))
    centre = (known.tracks[:, :, :3].mean(2) - known.tracks[:, :, 3]).square().mean((1, 2))
    pulls = from_hidden >= 2
    assert square[pulls].median() < centre[pulls].median() / 10
    assert (found.probability.argmax(-1) == z)[pulls].float().mean() > 0.8
    assert found.tracks.shape == (12, 24, 1, 1)
    assert found.probability.shape == (12, 12, 2)

    still = known.tracks[:, :1, :3].expand(-1, 24, -1, -1)
    alone = find_unseen(known.composition, still, effort=FEWER)
    assert alone.determined.float().mean() < 0.5


def test_an_edge_into_the_unseen_and_its_track_change_together() -> None:
    """The track fits a wrong edge at first, so that this edge seems right. No slack is added to the variance."""
    known = make_known(entities=4, tasks=6, frames=24)
    visible, into = known.tracks[:, :, :3], into_unseen(known.composition, 3)
    wrong = known.z.clone()
    wrong[:, into[0]] = 1 - wrong[:, into[0]]
    fit = TrackFit(known.composition, visible, known.tracks[:, :, 3:])
    for _ in range(8):
        fit.step(wrong)
    generator = torch.Generator().manual_seed(0)
    track, z, probability = refit(known.composition, visible, fit.hidden, wrong, generator)
    costs = [fit.residuals(hidden, edges).cost for hidden, edges in ((track, z), (fit.hidden, wrong))]
    assert (costs[0] <= costs[1]).all()
    assert (z == known.z)[:, into].float().mean() > 0.9
    torch.testing.assert_close(probability.sum(-1), torch.ones(6, len(into), dtype=torch.float64))
    assert torch.equal(probability.argmax(-1), z[:, into])


def test_the_same_seed_gives_the_same_result_and_modules_do_not_change() -> None:
    known = make_known(entities=4, tasks=3)
    first, second = (
        find_unseen(known.composition, known.tracks[:, :, :3], seed=4, effort=replace(FEWER, trials=3))
        for _ in range(2)
    )
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert known.composition.slack == 0.0


def test_slack_widens_every_variance() -> None:
    composition = small_graph(3)
    x = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    z = torch.zeros(2, 6, dtype=torch.long)
    mean, plain = composition.predict_change(x, z)
    same, wide = composition.widened(0.5).predict_change(x, z)
    torch.testing.assert_close(same, mean)
    torch.testing.assert_close(wide.exp(), plain.exp() + 0.25)
    assert torch.isfinite(gaussian_loss(mean, wide)).all()
