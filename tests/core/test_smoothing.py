"""Smoothing over windows: the exact posterior of a chain, and the probability that an edge keeps its type."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from bouncegrad.core import smoothing
from bouncegrad.core.smoothing import smoothed

PRIOR = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)


def chains(tasks: int, windows: int, stay: float, seed: int = 0) -> torch.Tensor:
    """Returns types of edges that are kept from window to window with this probability."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.multinomial(PRIOR.expand(tasks, -1), windows, replacement=True, generator=generator)
    for w in range(1, windows):
        kept = torch.rand(tasks, generator=generator) < stay
        z[:, w] = torch.where(kept, z[:, w - 1], z[:, w])
    return z


def alone(z: torch.Tensor, likelihood: float, seed: int = 1) -> torch.Tensor:
    """Returns probabilities from each window alone; one type has a larger likelihood, sometimes a wrong one."""
    noisy = torch.rand(z.shape, generator=torch.Generator().manual_seed(seed)) < 1 / (1 + 2 / likelihood)
    shown = torch.where(noisy, z, (z + 1) % 3)
    weight = torch.ones(*z.shape, 3, dtype=torch.float64).scatter(-1, shown[..., None], likelihood) * PRIOR
    return (weight / weight.sum(-1, keepdim=True))[:, :, None]


def test_probabilities_are_the_exact_posterior_of_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "STEPS", 0)
    probability = alone(chains(4, 3, 0.5), 5.0)
    found = smoothed(probability, PRIOR).probability[:, :, 0]
    expected = torch.zeros(4, 3, 3, dtype=torch.float64)
    for path in product(range(3), repeat=3):
        weight = torch.ones(4, dtype=torch.float64) * PRIOR[path[0]]
        for w, k in enumerate(path):
            weight = weight * probability[:, w, 0, k] / PRIOR[k]
            if w:
                weight = weight * (0.9 * (k == path[w - 1]) + 0.1 * PRIOR[k])
        for w, k in enumerate(path):
            expected[:, w, k] += weight
    assert torch.allclose(found, expected / expected.sum(-1, keepdim=True), atol=1e-9)


@pytest.mark.parametrize("stay", [0.0, 0.5, 0.95])
def test_the_probability_to_stay_is_found(stay: float) -> None:
    found = smoothed(alone(chains(4000, 6, stay), 30.0), PRIOR)
    assert found.stay == pytest.approx(stay, abs=0.05)


def test_edges_that_never_change_use_the_evidence_of_all_windows() -> None:
    z = chains(500, 12, 1.0)
    probability = alone(z, 4.0)
    right = (probability.argmax(-1)[:, :, 0] == z).double().mean()
    better = (smoothed(probability, PRIOR).probability.argmax(-1)[:, :, 0] == z).double().mean()
    assert right < 0.8 < 0.9 < better


def test_a_single_window_is_not_changed() -> None:
    probability = alone(chains(5, 1, 0.5), 3.0)
    assert torch.allclose(smoothed(probability, PRIOR).probability, probability)


def test_known_types_stay_known() -> None:
    probability = torch.tensor([[[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]]], dtype=torch.float64)
    assert torch.equal(smoothed(probability, PRIOR).probability, probability)
