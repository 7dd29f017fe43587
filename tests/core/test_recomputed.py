"""Gradients of a batch in parts are those of the whole batch."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.compositions import graph as module
from bouncegrad.core.compositions.recomputed import in_parts

from .conftest import random_batch, small_graph


@pytest.mark.parametrize("at_once", [0, 1, 2, 3, 7])
def test_values_and_gradients_of_parts_are_those_of_the_whole(at_once: int) -> None:
    weight = torch.arange(1.0, 4.0, requires_grad=True)
    x, z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)), torch.arange(14).view(7, 2)
    calls = []

    def function(states: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        calls.append(len(states))
        return (states * weight).sin().sum(-1) * types[:, 0]

    found = in_parts(function, x, z, at_once)
    expected = function(x, z)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), weight)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), weight)[0])
    assert max(calls[:-1] if at_once < 7 else calls) <= 7


def test_without_gradients_nothing_is_divided() -> None:
    calls = []
    with torch.no_grad():
        in_parts(lambda x, z: calls.append(len(x)) or x, torch.zeros(5, 1), torch.zeros(5, 1, dtype=torch.long), 1)
    assert calls == [5]


def test_the_loss_of_many_pairs_is_that_of_few(monkeypatch) -> None:
    composition, batch = small_graph(4), random_batch(6, 5, 4)
    z = torch.randint(2, (6, 12), generator=torch.Generator().manual_seed(1))

    def gradients() -> list[torch.Tensor]:
        return list(torch.autograd.grad(composition.loss(batch, z).sum(), list(composition.parameters())))

    whole = gradients()
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 100)
    for one, other in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
