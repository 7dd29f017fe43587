"""Descent on a quadratic form ends where no change of one variable lowers it, and finds the least of convex cases."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bouncegrad.core.form_descent import descended_form
from bouncegrad.core.seams import Quadratic


def random_form(choices: int, variables: int = 5) -> tuple[Quadratic, torch.Tensor]:
    generator, size = torch.Generator().manual_seed(choices), variables * (choices - 1)
    x = torch.randn(3, 2, size, 2 * size, generator=generator, dtype=torch.float64)
    h = 4 * torch.randn(3, 2, size, generator=generator, dtype=torch.float64)
    prior = torch.randn(1, 2, variables, choices, generator=generator, dtype=torch.float64).log_softmax(-1)
    return Quadratic(x @ x.mT, h, torch.zeros(3, 2)), prior


def value(form: Quadratic, types: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    w = F.one_hot(types, prior.shape[-1])[..., 1:].flatten(2).double()
    square = torch.einsum("bui,buij,buj->bu", w, form.g, w)
    known = prior.expand(len(types), -1, -1, -1).gather(3, types[..., None])[..., 0].sum(-1)
    return square / 2 - (form.h * w).sum(-1) - known


@pytest.mark.parametrize("choices", [2, 3, 4])
def test_no_change_of_one_variable_lowers_the_form(choices: int) -> None:
    form, prior = random_form(choices)
    start = torch.randint(choices, (3, 2, 5), generator=torch.Generator().manual_seed(0))
    types = descended_form(form, start, prior)
    found = value(form, types, prior)
    assert (found <= value(form, start, prior)).all()
    for variable in range(5):
        for other in range(choices):
            changed = types.clone()
            changed[..., variable] = other
            assert (value(form, changed, prior) >= found - 1e-9).all()


def test_variables_that_do_not_hold_each_other_reach_the_least_value() -> None:
    """G is diagonal: each variable takes type 1 where h > G / 2; an excluded type is never taken."""
    h = torch.tensor([[[3.0, 0.2, 3.0]]], dtype=torch.float64)
    form = Quadratic(torch.eye(3, dtype=torch.float64)[None, None], h, torch.zeros(1, 1))
    prior = torch.zeros(1, 1, 3, 2, dtype=torch.float64)
    prior[..., 2, 1] = -torch.inf
    types = descended_form(form, torch.zeros(1, 1, 3, dtype=torch.long), prior)
    assert types.tolist() == [[[1, 0, 0]]]
