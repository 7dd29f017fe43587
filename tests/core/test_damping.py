"""Damping: what is forecast well stays, and what cannot be forecast goes over to what is known."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.compositions.damped import damped, undamped
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.damping import Shrinkage, damping, judges, lengths_to
from tests.core.conftest import small_graph

TASKS, FRAMES, HORIZONS, N = 60, 25, 20, 3
BOTH = Shrinkage([[0], [1]], torch.tensor([True, True]))


@pytest.fixture
def forecaster() -> Forecaster:
    """A forecaster whose states stand still."""
    graph, generator = small_graph(N, likelihood="shared"), torch.Generator().manual_seed(0)
    for weights in graph.node.parameters():
        weights.data.zero_()
    return Forecaster(graph, torch.ones(2), torch.arange(2), (8,), generator, horizons=HORIZONS).eval()


def moving(forecaster: Forecaster, change: float) -> Forecaster:
    """The same, but every state grows by this in every frame."""
    forecaster.graph.node.biases[-1].data.fill_(change)
    forecaster.graph.change.fill_(1.0)
    return forecaster


def weights(forecaster: Forecaster, tracks: torch.Tensor, shrinkage: Shrinkage = BOTH) -> torch.Tensor:
    return damping(forecaster, tracks, torch.zeros(len(tracks), forecaster.slots, dtype=torch.long), shrinkage)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def line(slope: float) -> torch.Tensor:
    """Tracks that start anywhere and go on with a constant slope."""
    return normal(TASKS, 1, N, 2) + slope * torch.arange(FRAMES)[:, None, None]


def test_undamped_weights_change_no_bit() -> None:
    start, path = normal(4, 2, N, 2), 1e-3 + normal(4, 2, 7, N, 2)
    assert torch.equal(damped(start, path, undamped(5, 2)), path)


def test_each_weight_is_what_it_says() -> None:
    start, path = normal(4, 1, N, 2), normal(4, 1, 7, N, 2)

    def with_weights(*abc: float) -> torch.Tensor:
        return damped(start, path, torch.tensor(abc).expand(5, 2, 3))

    assert torch.allclose(with_weights(0.0, 0.0, 0.0), start[:, :, None].expand_as(path), atol=1e-6)
    assert torch.allclose(with_weights(0.0, 0.0, 1.0), torch.zeros_like(path), atol=1e-6)
    first = path[:, :, 0] - start
    straight = with_weights(0.0, 1.0, 0.0)
    for h in range(7):  # beyond the last horizon it stands still
        assert torch.allclose(straight[:, :, h], start + min(h + 1, 5) * first, atol=1e-5)


def test_a_law_that_is_known_is_not_damped(forecaster) -> None:
    tracks = line(0.25)
    found = weights(moving(forecaster, 0.25), tracks)
    assert torch.allclose(found.sum(-1) - found[..., 2], torch.ones(HORIZONS, 2), atol=1e-3)
    assert found[..., 2].abs().max() < 1e-3


def test_noise_about_the_mean_is_forecast_by_the_mean(forecaster) -> None:
    found = weights(forecaster, normal(4 * TASKS, FRAMES, N, 2))
    assert (found[..., 2] > 0.9).all()
    kept = weights(forecaster, normal(4 * TASKS, FRAMES, N, 2), BOTH._replace(returns=torch.tensor([True, False])))
    assert (kept[:, 0, 2] > 0.9).all()
    assert (kept[:, 1, 2] == 0).all()


def test_a_forecast_that_goes_wrong_is_damped_to_what_is_right(forecaster) -> None:
    """States stand still; the modules say that they move."""
    found = weights(moving(forecaster, 0.5), line(0.0))
    path = forecaster.damped_by(found).forecast(line(0.0)[:, :1], torch.zeros(TASKS, forecaster.slots, dtype=int), 20)
    assert (path - line(0.0)[:, :1][:, :, None]).abs().max() < 0.5
    assert torch.equal(forecaster.damping, undamped(HORIZONS, 2))


def test_few_observations_change_little(forecaster) -> None:
    many, few = (weights(forecaster, normal(count, FRAMES, N, 2)) for count in (TASKS, 1))
    assert few[..., 2].mean() < many[..., 2].mean()


def test_features_of_a_group_have_the_same_weights(forecaster) -> None:
    together = weights(forecaster, normal(TASKS, FRAMES, N, 2), Shrinkage([[0, 1]], torch.tensor([True, True])))
    assert torch.equal(together[:, 0], together[:, 1])


def test_a_horizon_is_judged_by_the_shortest_forecasts_that_reach_it() -> None:
    assert [judges(48, h) for h in (1, 4, 25, 48)] == [[1, 2], [4, 8], [32, 40], [48]]
    assert [lengths_to(steps) for steps in (1, 2, 5, 13)] == [[1], [1, 2], [1, 2, 3, 4, 5], [1, 2, 4, 6, 9, 11, 13]]
