"""Tracks of unseen entities: the band solver is exact, derivatives are right, and a known law gives the track."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.track_fit import TrackFit, solve_band

from .conftest import make_known, small_graph


def test_the_band_solver_equals_a_dense_solver() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(3, 5, 2, 2, generator=generator, dtype=torch.float64)
    blocks = factor @ factor.mT + 4 * torch.eye(2)
    couplings = torch.randn(3, 4, 2, 2, generator=generator, dtype=torch.float64) / 2
    right = torch.randn(3, 5, 2, generator=generator, dtype=torch.float64)
    dense = torch.zeros(3, 10, 10, dtype=torch.float64)
    for t in range(5):
        dense[:, 2 * t : 2 * t + 2, 2 * t : 2 * t + 2] = blocks[:, t]
        if t < 4:
            dense[:, 2 * t : 2 * t + 2, 2 * t + 2 : 2 * t + 4] = couplings[:, t]
            dense[:, 2 * t + 2 : 2 * t + 4, 2 * t : 2 * t + 2] = couplings[:, t].mT
    wanted = torch.linalg.solve(dense, right.flatten(1)).view(3, 5, 2)
    torch.testing.assert_close(solve_band(blocks, couplings, right), wanted)


@pytest.mark.parametrize("hidden", [1, 2])
def test_normal_equations_agree_with_automatic_derivatives(hidden) -> None:
    composition = small_graph(4, features=2).double()
    generator = torch.Generator().manual_seed(1)
    tracks = torch.randn(1, 6, 4, 2, generator=generator, dtype=torch.float64)
    z = torch.randint(2, (1, 12), generator=generator)
    fit = TrackFit(composition, tracks[:, :, : 4 - hidden], tracks[:, :, 4 - hidden :])
    with torch.no_grad():
        now = fit.residuals(fit.hidden, z)
        blocks, couplings, slope = fit.normal_equations(now, z)
    jacobian = torch.autograd.functional.jacobian(lambda h: fit.residuals(h, z).error.flatten(), fit.hidden)
    jacobian, weight = jacobian.reshape(-1, 12 * hidden), torch.exp(-now.log_variance).flatten().detach()
    whole = jacobian.T @ (weight[:, None] * jacobian)
    q = 2 * hidden
    for t in range(6):
        torch.testing.assert_close(blocks[0, t], whole[q * t : q * t + q, q * t : q * t + q], rtol=0.05, atol=0.05)
        if t < 5:
            right = whole[q * t : q * t + q, q * t + q : q * t + 2 * q]
            torch.testing.assert_close(couplings[0, t], right, rtol=0.05, atol=0.05)
    torch.testing.assert_close(
        slope[0].flatten(), jacobian.T @ (weight * now.error.detach().flatten()), rtol=0.05, atol=0.05
    )


def test_a_track_is_found_if_law_and_edges_are_known() -> None:
    """The law is linear, so a few steps lead from any first track to the one that explains the other entities."""
    known = make_known(entities=4, tasks=12)
    pulls = (known.z * (known.composition.pairs[0] == 3)).sum(1) > 0
    tracks, z = known.tracks[pulls], known.z[pulls]
    start = torch.randn(tracks[:, :, 3:].shape, generator=torch.Generator().manual_seed(2))
    fit = TrackFit(known.composition, tracks[:, :, :3], start)
    taken = [fit.step(z) for _ in range(12)]
    torch.testing.assert_close(fit.hidden, tracks[:, :, 3:], atol=0.02, rtol=0)
    assert bool(taken[0].all())


def test_a_step_never_raises_the_cost() -> None:
    composition = small_graph(3, features=2)
    tracks = torch.randn(4, 7, 3, 2, generator=torch.Generator().manual_seed(3))
    z = torch.zeros(4, 6, dtype=torch.long)
    fit = TrackFit(composition, tracks[:, :, :2], tracks[:, :, 2:])
    for _ in range(5):
        before, cost = fit.hidden, fit.residuals(fit.hidden, z).cost
        taken = fit.step(z)
        after = fit.residuals(fit.hidden, z).cost
        assert bool((after[taken] < cost[taken]).all())
        assert torch.equal(fit.hidden[~taken], before[~taken])
