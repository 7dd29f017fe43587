"""Adaptation: an example with one weight, first and second order, slots that share a module, and constant memory."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import pytest
import torch

from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.compositions.sum import Sum
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.points import RegressionBatch

from .functions import OneWeight, a_point, random_points, small

NO_CHOICE = torch.zeros(1, 1, dtype=torch.long)
FITTED, JUDGED = a_point(0.0), a_point(2.0)
BATCH = RegressionBatch(torch.zeros(1, dtype=torch.long), FITTED, JUDGED)


@pytest.mark.parametrize(("second_order", "gradient"), [(False, -2.40), (True, -1.92)])
def test_one_step_on_one_weight_gives_values_computed_by_hand(second_order, gradient):
    """Users reported wrong gradients; w = 1, inner loss (w - 0)², step 0.1, outer loss (w' - 2)²."""
    model = OneWeight(1.0)
    adapted = Adapted(model, steps=1, rate=0.1, second_order=second_order)
    assert adapted.weights(FITTED, NO_CHOICE)["w"].item() == pytest.approx(0.8, abs=1e-15)
    loss = adapted.loss(BATCH, NO_CHOICE)
    assert loss.item() == pytest.approx(1.44, abs=1e-14)
    loss.sum().backward()
    assert model.w.grad.item() == pytest.approx(gradient, abs=1e-14)


def test_steps_and_rate_may_differ_at_test():
    """Users reported that the number of inner steps differed between training and test."""
    model = OneWeight(1.0)
    adapted = Adapted(model, steps=1, rate=0.1)
    adapted.steps, adapted.rate = 3, 0.25
    assert adapted.weights(FITTED, NO_CHOICE)["w"].item() == 0.125
    adapted.steps = 0
    assert adapted.loss(BATCH, NO_CHOICE).item() == 1.0


def test_the_second_order_gradient_equals_finite_differences():
    """The reference is a finite difference of the loss after three inner steps, in double precision."""
    composition = small("chain").double()
    adapted, z = Adapted(composition, 3, 0.05), torch.tensor([[0, 4], [3, 3], [1, 0]])
    fitted, judged = (type(side)(*(v[:3].double() for v in side)) for side in random_points()[1:])
    batch = RegressionBatch(torch.arange(3), fitted, judged)
    adapted.loss(batch, z).sum().backward()
    for parameter in composition.parameters():
        for index in (0, parameter.numel() - 1):
            flat, slope = parameter.data.view(-1), parameter.grad.view(-1)[index].item()
            ends = []
            for step in (1e-6, -2e-6):
                flat[index] += step
                ends.append(adapted.loss(batch, z).sum().item())
            flat[index] += 1e-6
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_first_order_is_the_gradient_at_the_adapted_weights():
    composition, batch, z = small("sum"), random_points(1), torch.tensor([[1, 3]])
    adapted = Adapted(composition, 2, 0.05, second_order=False)
    weights = {name: weight.detach().requires_grad_() for name, weight in adapted.weights(batch.fitted, z).items()}
    (composition(batch.judged.x, z, weights) - batch.judged.y).square().mean().backward()
    adapted.loss(batch, z).sum().backward()
    first, second = composition.module_library.pools
    torch.testing.assert_close(first.weights[0].grad[1], weights["pools.0.weights.0"].grad[0, 0])
    torch.testing.assert_close(second.weights[0].grad[0], weights["pools.1.weights.0"].grad[0, 1])


@pytest.mark.parametrize("order", [True, False])
def test_a_module_in_two_slots_adapts_as_one(order):
    """Two slots with module m compute 2 m, and its weights get the gradients of both slots."""
    pool = ModulePool(2, (1, 1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        pool.weights[0].fill_(1.0)
        pool.biases[0].zero_()
    adapted = Adapted(Sum([pool], 2), steps=1, rate=0.1, second_order=order)
    zero = type(FITTED)(torch.ones(2, 1, 1), torch.zeros(2, 1, 1))
    batch, z = RegressionBatch(torch.arange(2), zero, zero), torch.tensor([[0, 0], [0, 1]])
    # The loss is (2 w + 2 b)². Its slope is 8 for w and b; with two modules it is 4 for each of w0, b0, w1, b1.
    torch.testing.assert_close(
        adapted.loss(batch, z), torch.tensor([(2 * 0.2 - 2 * 0.8) ** 2, (2 * 0.6 - 2 * 0.4) ** 2])
    )


def test_the_loss_can_be_computed_without_gradient():
    adapted, batch = Adapted(small("sum"), 2, 0.05), random_points()
    z = torch.zeros(6, 2, dtype=torch.long)
    with torch.no_grad():
        found = adapted.loss(batch, z)
    assert not found.requires_grad
    torch.testing.assert_close(found, adapted.loss(batch, z).detach())


def test_a_state_holds_the_weights_of_the_modules():
    one, other = (Adapted(small("chain", seed=seed), 1, 0.05) for seed in (0, 1))
    batch, z = random_points(), torch.zeros(6, 2, dtype=torch.long)
    assert not torch.allclose(one.loss(batch, z), other.loss(batch, z))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.loss(batch, z), other.loss(batch, z))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_memory_does_not_grow():
    """Users reported memory that grows with each step; the graph of a step holds about a megabyte."""
    composition, batch = small("sum"), random_points(40)
    adapted, z = Adapted(composition, 1, 0.05), torch.zeros(40, 2, dtype=torch.long)
    optimizer, megabytes = torch.optim.Adam(composition.parameters()), []
    for step in range(100):
        optimizer.zero_grad()
        adapted.loss(batch, z).mean().backward()
        optimizer.step()
        if step in (20, 99):
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            megabytes.append(pages * resource.getpagesize() / 2**20)
    assert megabytes[1] - megabytes[0] < 20
