"""Limited gradients: states do not change, and no segment dominates the others."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.compositions.tamed import tamed


def test_the_gradient_of_a_chaotic_segment_is_limited_to_twice_the_median() -> None:
    x = torch.randn(5, 1, 2, 3, requires_grad=True)
    moved = 1.0 * x
    assert tamed(moved) is moved
    slope = torch.tensor([1.0, 2.0, 3.0, 1e9, 0.0]).view(5, 1, 1, 1)
    (slope * moved).sum().backward()
    size = x.grad.flatten(1).norm(dim=1) / 6**0.5
    assert size.tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0, 0.0])
    assert (x.grad[3] == x.grad[3, 0, 0, 0]).all()  # its direction does not change


def test_nothing_happens_without_gradients() -> None:
    x = torch.zeros(2, 1, 1, 1)
    assert tamed(x) is x
