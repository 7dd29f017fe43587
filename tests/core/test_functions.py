"""Sums and chains: exact values of known modules, gradients, several module types, and training in the loop."""

from __future__ import annotations

import copy

import pytest
import torch

from bouncegrad.core.adaptation import Adapted
from bouncegrad.core.annealing import Fixed, Tracked
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.chain import Chain
from bouncegrad.core.compositions.sum import Sum
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.points import OnFitted, RandomTasks, RegressionBatch
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Clock
from bouncegrad.core.search import Metropolis
from bouncegrad.core.structures import random_structure

from .functions import known_pool, part, points, random_points, small

CASES = [(Chain, [2, 0], 10.0), (Chain, [0, 2], 16.0), (Sum, [0, 2], 13.0)]


@pytest.mark.parametrize("adapted", [False, True], ids=["shared weights", "weights of its own"])
@pytest.mark.parametrize(("kind", "structure", "expected"), CASES)
def test_known_modules_give_known_values(kind, structure, expected, adapted):
    """Users reported that a chain ran all modules instead of those that the structure selects."""
    composition = kind([known_pool()], 2)
    x, z = torch.full((1, 1, 1), 3.0), torch.tensor([structure])
    y = composition(x, z, composition.weights(z) if adapted else None)
    assert y.item() == expected
    y.sum().backward()
    for parameter in composition.parameters():
        assert torch.count_nonzero(parameter.grad[1]) == 0
    assert all(torch.count_nonzero(composition.module_library.pools[0].weights[1].grad[k]) > 0 for k in (0, 2))


def test_tasks_with_their_own_weights_do_not_mix():
    composition, x, z = Sum([known_pool()], 2), torch.full((2, 1, 1), 3.0), torch.tensor([[0, 2], [0, 2]])
    weights = {name: weight.clone() for name, weight in composition.weights(z).items()}
    weights["pools.0.biases.1"][1] += 1.0
    assert composition(x, z, weights).flatten().tolist() == [13.0, 15.0]


@pytest.mark.parametrize("kind", ["sum", "chain"])
def test_modules_of_several_types_are_numbered_consecutively(kind):
    composition, x = small(kind), points(25, 3).x
    z = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    assert composition.choices == 5
    y = composition(x, z)
    first, second = composition.module_library.pools

    def module(k, x):
        return first.one(x, k) if k < 3 else second.one(x, k - 3)

    for task, (a, b) in enumerate(z.tolist()):
        wanted = module(b, module(a, x[task])) if kind == "chain" else module(a, x[task]) + module(b, x[task])
        torch.testing.assert_close(y[task], wanted)


def test_pools_that_cannot_be_wired_are_refused():
    wide, narrow = (ModulePool(2, (1, 3, width), torch.Generator().manual_seed(0)) for width in (2, 1))
    with pytest.raises(ValueError, match="must be alike"):
        Sum([wide, narrow], 2)
    with pytest.raises(ValueError, match="1 inputs, 2 outputs"):
        Chain([wide], 2)
    assert Chain([wide], 1)(torch.zeros(1, 4, 1), torch.zeros(1, 1, dtype=torch.long)).shape == (1, 4, 2)


def test_only_a_chain_depends_on_the_order_of_slots():
    x, z = points(6, 4).x, random_structure(6, 3, 5, torch.Generator().manual_seed(3))
    torch.testing.assert_close(small("sum", 3)(x, z), small("sum", 3)(x, z.flip(1)))
    assert not torch.allclose(small("chain", 3)(x, z), small("chain", 3)(x, z.flip(1)))


def models():
    return [(kind, steps) for kind in ("sum", "chain") for steps in (None, 2)]


def model(kind, steps):
    return small(kind) if steps is None else Adapted(small(kind), steps, 0.05)


@pytest.mark.parametrize(("kind", "steps"), models())
def test_a_task_has_the_same_loss_alone_and_in_any_batch(kind, steps):
    composition, batch = model(kind, steps), random_points()
    z = random_structure(6, 2, 5, torch.Generator().manual_seed(1))
    losses, order = composition.loss(batch, z), torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(composition.loss(part(batch, order), z[order]), losses[order])
    for task in range(6):
        alone = composition.loss(part(batch, slice(task, task + 1)), z[task : task + 1])
        torch.testing.assert_close(alone, losses[task : task + 1])


def loop_of(composition, tasks):
    generator = torch.Generator().manual_seed(0)
    return BounceGrad(
        composition,
        OnFitted(Metropolis()),
        Uniform(composition.groups, composition.choices),
        Tracked(1.0),
        random_structure(tasks, composition.slots, composition.choices, generator),
        generator,
        torch.optim.Adam([weight for _, weight in composition.named_parameters()], lr=1e-2),
    )


@pytest.mark.parametrize(("kind", "steps"), models())
def test_a_resumed_loop_equals_an_unbroken_one(kind, steps):
    """It also checks that all random draws come from the generator, and that states can be saved."""
    batches, quiet = RandomTasks(random_points(), 4), lambda *_: None
    unbroken, first, second = (loop_of(model(kind, steps), 6) for _ in range(3))
    torch.manual_seed(1)
    unbroken.run((Clock(e, e / 6) for e in range(6)), batches, quiet)
    torch.manual_seed(2)
    first.run((Clock(e, e / 6) for e in range(2)), batches, quiet)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.run((Clock(e, e / 6) for e in range(2, 6)), batches, quiet)
    assert torch.equal(second.z, unbroken.z)
    for key, value in unbroken.composition.state_dict().items():
        assert torch.equal(second.composition.state_dict()[key], value), key


def test_an_epoch_visits_every_task_once():
    visits = list(RandomTasks(random_points(7), 3)(torch.Generator().manual_seed(0)))
    assert [len(visit.tasks) for visit in visits] == [3, 2, 2]
    assert sorted(torch.cat([visit.tasks for visit in visits]).tolist()) == list(range(7))
    whole = random_points(7)
    for visit in visits:
        for side in (1, 2):
            assert all(torch.equal(a, b[visit.tasks]) for a, b in zip(visit[side], whole[side], strict=True))


def test_search_never_sees_held_out_points():
    composition, batch = small("sum"), random_points(40)
    z, broken = torch.zeros(40, 2, dtype=torch.long), points(40, 3, seed=7)
    moves = [
        OnFitted(Metropolis())(composition, Uniform(composition.groups, 5), b, z, 0.1, torch.Generator().manual_seed(0))
        for b in (batch, RegressionBatch(batch.tasks, batch.fitted, broken))
    ]
    assert torch.equal(moves[0].z, moves[1].z)
    assert torch.equal(moves[0].loss_before, composition.loss(batch.seen, z))
    assert 0 < moves[0].accepted.sum() < 40


def test_the_structures_of_known_functions_are_found():
    """Chains of all ordered pairs of x + 1, 10 x and x² are found from four points, if both slots change together."""
    composition, z = Chain([known_pool()], 2), torch.cartesian_prod(torch.arange(3), torch.arange(3))
    x = torch.tensor([-2.0, -1.0, 1.0, 3.0])[:, None].expand(9, 4, 1)
    side = points(9, 4, 1)._replace(x=x, y=composition(x, z).detach())
    loop = loop_of(composition, 9)
    loop.optimizer, loop.annealer, loop.proposal = None, Fixed(1e-3), Uniform(torch.tensor([[0, 1]]), 3)
    batches = RandomTasks(RegressionBatch(torch.arange(9), side, side), 9)
    loop.run((Clock(e, e / 100) for e in range(100)), batches, lambda *_: None)
    assert torch.equal(composition(x, loop.z), side.y)
