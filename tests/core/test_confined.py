"""Confinement of forecasts: what stays as it is, what is pulled back, and forecasts that cannot run away."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.compositions.confined import FREE, NARROWEST, Region, capped, limited, room_of
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.forecasts import predict


def test_states_near_the_region_stay_to_the_bit():
    region = Region(torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 4.0]))
    x = torch.tensor([[[[-1.5, -1.0], [0.3, 2.0], [1.5, 5.0]]]])
    assert torch.equal(region.confined(x), x)


def test_states_far_outside_are_pulled_back_smoothly_and_in_order():
    region = Region(torch.tensor([0.0]), torch.tensor([1.0]))
    x = torch.linspace(1.2, 1.45, 400)[None, None, :, None]
    found = region.confined(x).flatten()
    assert (found.diff() > 0).all()
    assert found.diff().max() <= x.flatten().diff().max() * 1.0001
    assert float(region.confined(torch.tensor([[[[1e30]]]]))) == pytest.approx(1.3125)
    assert float(region.confined(torch.tensor([[[[-1e30]]]]))) == pytest.approx(-0.3125)


def test_a_small_room_keeps_states_near_a_wall():
    region = Region(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.02]))
    x = torch.tensor([[[[-0.02], [1.02], [1e9]]]])
    assert region.confined(x).flatten().tolist() == pytest.approx([-0.02, 1.02, 1.025])
    assert torch.equal(region.confined(x)[:, :, :2], x[:, :, :2])
    wider = region.with_start(torch.tensor([[[[2.0]]]])).of_frames()
    assert float(wider.confined(torch.tensor([[[[[1e9]]]]]))) == pytest.approx(2.0 + 2 * 0.025)


def test_there_is_little_room_behind_a_wall_and_more_where_extremes_differ():
    """The first feature bounces between walls, the second is normal, the third has one wall alone."""
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(200, 30, 4, 3, generator=generator)
    walls = torch.stack([free[..., 0].clamp(-1, 1), free[..., 1], free[..., 2].clamp(min=-1)], -1)
    found = room_of(walls)
    assert found[0] == NARROWEST
    assert (found[1:] > 2 * NARROWEST).all()
    assert (found <= FREE).all()
    assert room_of(walls[:19]).tolist() == [FREE] * 3
    torch.testing.assert_close(room_of(5 * walls + 7), found)


def test_a_feature_without_bounds_is_free_and_a_start_outside_widens_the_region():
    region = Region(torch.tensor([-math.inf, 0.0]), torch.tensor([math.inf, 1.0]))
    x = torch.tensor([[[[1e6, 5.0], [0.0, 0.0]]]])
    wider = region.with_start(x)
    assert wider.high[0, 0, 0, 1] == 5.0
    assert torch.equal(wider.confined(x), x)


def test_changes_up_to_the_largest_one_stay_and_none_is_twice_as_large():
    largest = torch.tensor([1.0, math.inf, 0.0])
    inside = torch.tensor([[0.9, -1e9, 0.0], [-1.0, 5.0, 0.0]])
    assert torch.equal(limited(inside, largest), inside)
    change = torch.linspace(-9.0, 9.0, 500)[:, None]
    found = limited(change, largest[:1])
    assert (found.diff(dim=0) >= 0).all()
    assert found.abs().max() <= 2.0
    assert limited(torch.tensor([math.inf, 3.0, math.inf]), largest).tolist() == [2.0, 3.0, pytest.approx(2e-9)]


def test_errors_beyond_a_guess_count_logarithmically():
    error = torch.tensor([0.5, 2.0, 2.0 * math.e, 2.0 * math.e**10])
    assert capped(error, torch.tensor([2.0])).tolist() == pytest.approx([0.5, 2.0, 4.0, 22.0])
    slope = torch.tensor([1e8], requires_grad=True)
    capped(slope, torch.tensor([2.0])).backward()
    assert 0 < float(slope.grad) < 1e-7


@pytest.mark.parametrize("trained", [False, True])
def test_long_forecasts_stay_finite_and_within_three_times_the_range(trained):
    tasks = simulate("charged", 12, entities=4, frames=30, seed=0)
    model = RelationalInference(epochs=20, threads=1).fit(tasks).model_
    if not trained:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.forecaster.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    path = predict(model, tasks, 500)
    low, high = np.array(model.scaling.low), np.array(model.scaling.high)
    assert np.isfinite(path).all()
    assert (np.abs(path - (low + high) / 2) <= 1.5 * (high - low) * (1 + 1e-5)).all()


def test_forecasts_that_stay_inside_are_those_without_bounds():
    tasks = simulate("springs", 40, entities=3, frames=30, seed=0)
    model = RelationalInference(epochs=150, threads=1).fit(tasks).model_
    wide = replace(model.scaling, low=(-1e9,) * 4, high=(1e9,) * 4)
    np.testing.assert_array_equal(predict(model, tasks, 3), predict(replace(model, scaling=wide), tasks, 3))


def test_values_inside_keep_their_bits_and_gradients_beside_others_that_are_changed():
    """Whether another state is far outside must not matter."""
    region, most = Region(torch.tensor([-1.0]), torch.tensor([1.0])), torch.tensor([1.0])
    for change in (region.confined, lambda x: limited(x, most), lambda x: capped(x, most)):
        alone = torch.linspace(0.0, 0.99, 50)[None, None, :, None].requires_grad_()
        beside = torch.cat([alone.detach(), torch.full((1, 1, 1, 1), 9.0)], 2).requires_grad_()
        one, other = change(alone), change(beside)
        assert torch.equal(one, alone)
        assert torch.equal(other[:, :, :-1], alone)
        assert float(other.detach()[0, 0, -1]) < 9.0
        gradients = [torch.autograd.grad(found.sum(), x)[0] for found, x in ((one, alone), (other, beside))]
        assert torch.equal(gradients[0], gradients[1][:, :, :-1])
