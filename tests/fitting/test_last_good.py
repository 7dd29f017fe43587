"""The last good weights: what counts as wrong, and what is restored."""

from __future__ import annotations

import math

import pytest
import torch

from bouncegrad.fitting.last_good import FEWEST, LastGood


@pytest.fixture
def kept() -> LastGood:
    """Weights of 1, kept after some good passes; then they become 2."""
    modules = torch.nn.Linear(2, 2, bias=False)
    modules.weight.data.fill_(1.0)
    last = LastGood(modules, torch.optim.Adam(modules.parameters()))
    for _ in range(FEWEST):
        assert not last.after_a_pass(1.0, 3)
    last.keep()
    modules.weight.data.fill_(2.0)
    return last


@pytest.mark.parametrize("loss", [math.inf, math.nan, 5.1])
def test_a_wrong_pass_restores_the_last_good_weights(kept, loss) -> None:
    assert kept.after_a_pass(loss, 3)
    assert (kept.modules.weight == 1.0).all()
    assert kept.restored == 1


def test_a_larger_loss_of_a_longer_horizon_is_not_wrong(kept) -> None:
    assert not kept.after_a_pass(4.9, 3)
    assert not kept.after_a_pass(1e6, 4)
    assert (kept.modules.weight == 2.0).all()


def test_losses_that_grow_slowly_become_wrong(kept) -> None:
    passes = [loss for loss in (1.5, 2.0, 3.0, 4.0) for _ in range(30)]
    assert not any(kept.after_a_pass(loss, 3) for loss in passes)
    assert kept.after_a_pass(5.1, 3)


def test_weights_after_a_wrong_pass_are_not_kept(kept) -> None:
    kept.after_a_pass(math.inf, 3)
    kept.modules.weight.data.fill_(7.0)
    kept.keep()
    kept.after_a_pass(math.inf, 3)
    assert (kept.modules.weight == 1.0).all()


def test_without_good_weights_nothing_is_restored() -> None:
    modules = torch.nn.Linear(1, 1)
    last = LastGood(modules, torch.optim.Adam(modules.parameters()))
    assert not last.after_a_pass(math.inf, 1)


def test_what_is_kept_does_not_change_with_the_modules_and_survives_a_round_trip(kept) -> None:
    other = LastGood(torch.nn.Linear(2, 2, bias=False), torch.optim.SGD(kept.modules.parameters()))
    other.optimizer = kept.optimizer
    other.load_state_dict(kept.state_dict())
    assert other.after_a_pass(math.inf, 3)
    assert (other.modules.weight == 1.0).all()
