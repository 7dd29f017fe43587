"""Muon: polar factors, stacked modules, and resuming from a checkpoint."""

from __future__ import annotations

import copy

import torch
from torch import nn

from bouncegrad.core.optimizers import Muon, polar


def weights(*shape: int, seed: int = 0) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


def test_all_singular_values_of_a_polar_factor_are_near_one_and_its_directions_stay() -> None:
    for shape in ((3, 12, 64), (2, 64, 16), (1, 20, 20)):
        matrix = weights(*shape).detach()
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        along = torch.einsum("kri,krc,kic->ki", u, polar(matrix), v)
        assert along.min() > 0.6
        assert along.max() < 1.3


def test_the_scale_of_a_matrix_does_not_matter_and_zero_stays_zero() -> None:
    matrix = weights(2, 8, 5).detach()
    torch.testing.assert_close(polar(1e6 * matrix), polar(matrix), rtol=1e-4, atol=1e-5)
    for nothing in (0.0, 1e-25, 1e-40):
        assert not polar(torch.full((1, 4, 4), nothing)).any()


def test_stacked_modules_are_updated_like_single_ones() -> None:
    together = weights(3, 6, 4)
    alone = [nn.Parameter(together.detach()[k : k + 1].clone()) for k in range(3)]
    for parameters in ([together], alone):
        optimizer = Muon(parameters)
        for _ in range(3):
            optimizer.zero_grad()
            sum((w.sin() * w).sum() for w in parameters).backward()
            optimizer.step()
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_a_module_that_was_not_used_does_not_change() -> None:
    weight, bias = weights(2, 4, 4), weights(2, 1, 4)
    before = weight.detach().clone(), bias.detach().clone()
    optimizer = Muon([weight, bias])
    (weight[0].sum() + bias[0].sum()).backward()
    optimizer.step()
    for now, then in zip((weight, bias), before, strict=True):
        assert torch.equal(now[1], then[1])
        assert not torch.equal(now[0], then[0])


def test_resumes_from_its_state_bit_for_bit() -> None:
    def steps(parameters: list[nn.Parameter], optimizer: Muon, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            sum((p - 1).square().sum() for p in parameters).backward()
            optimizer.step()

    unbroken = [weights(2, 5, 3), weights(2, 1, 3, seed=1)]
    optimizer = Muon(unbroken)
    steps(unbroken, optimizer, 2)
    resumed = [nn.Parameter(p.detach().clone()) for p in unbroken]
    again = Muon(resumed)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(unbroken, optimizer, 2)
    steps(resumed, again, 2)
    assert all(torch.equal(a, b) for a, b in zip(unbroken, resumed, strict=True))
