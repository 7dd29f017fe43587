"""Calibration: the temperature of edge probabilities is found from held-out frames, without true edges."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.calibration import TEMPERATURES, CalibrationEffort, calibrated_temperature
from bouncegrad.core.heat_bath import Enumeration
from bouncegrad.core.inference import infer

from .conftest import make_known


def of(known, tracks, seed: int = 0, **options) -> float:
    generator = torch.Generator().manual_seed(seed)
    return calibrated_temperature(known.composition, tracks, known.z, generator, **options)


def noisy(every: int, frames: int = 40):
    """Returns tracks of a law with noise of the size that the modules expect; the noise is the same for some frames."""
    known = make_known(entities=3, tasks=200, frames=frames)
    generator = torch.Generator().manual_seed(4)
    size = 0.1
    known.composition.variance.fill_(size**2)
    x, tracks = known.tracks[:, :1], [known.tracks[:, 0]]
    with torch.no_grad():
        for t in range(frames - 1):
            if t % every == 0:
                noise = size * torch.randn(x[:, 0].shape, generator=generator)
            x = known.composition(x, known.z) + noise[:, None]
            tracks.append(x[:, 0])
    return known, torch.stack(tracks, 1)


def test_the_temperature_is_about_1_if_errors_are_independent() -> None:
    assert of(*noisy(1)) <= 1.5


def test_the_temperature_is_higher_if_errors_last_for_many_frames() -> None:
    assert of(*noisy(10)) >= 2.5


def test_a_track_that_is_too_short_keeps_temperature_1() -> None:
    known, tracks = noisy(10)
    assert of(known, tracks[:, :7]) == 1.0


@pytest.mark.parametrize("largest", [1024, 1])
def test_the_same_generator_gives_the_same_temperature(largest: int) -> None:
    effort = CalibrationEffort(limits=Enumeration(largest, smallest=2))
    known, tracks = noisy(10)
    found = of(known, tracks, seed=1, effort=effort)
    assert found == of(known, tracks, seed=1, effort=effort)
    assert found in TEMPERATURES


def test_probabilities_are_less_extreme_at_a_higher_temperature(known) -> None:
    known.composition.variance.fill_(1.0)
    cold = infer(known.composition, known.tracks).probability
    known.composition.temperature.fill_(3.0)
    warm = infer(known.composition, known.tracks).probability
    assert torch.equal(cold.argmax(-1), warm.argmax(-1))
    assert (warm.amax(-1) <= cold.amax(-1) + 1e-6).all()
    assert warm.amax(-1).mean() < cold.amax(-1).mean()
