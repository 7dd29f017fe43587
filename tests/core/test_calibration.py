"""The temperature of edge probabilities, found from far frames without labels."""

from __future__ import annotations

import pytest
import torch

from bouncegrad.core.calibration import TEMPERATURES, calibrated_temperature
from bouncegrad.core.inference import infer

from .conftest import make_known


def of(known, tracks, seed: int = 0) -> float:
    generator = torch.Generator().manual_seed(seed)
    return calibrated_temperature(known.composition, tracks, known.z, generator)


def noisy(every: int, frames: int = 40):
    """Tracks that follow the law but for noise of the size that the modules expect: drawn anew so often."""
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


def test_where_the_model_is_right_every_frame_counts() -> None:
    assert of(*noisy(1)) <= 1.5


def test_errors_that_last_count_for_less() -> None:
    assert of(*noisy(10)) >= 2.5


def test_too_short_a_track_is_taken_at_its_word() -> None:
    known, tracks = noisy(10)
    assert of(known, tracks[:, :7]) == 1.0


@pytest.mark.parametrize("largest", [1024, 1])
def test_the_same_answer_for_the_same_generator(monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    monkeypatch.setattr("bouncegrad.core.calibration.ENUMERATED", largest)
    monkeypatch.setattr("bouncegrad.core.calibration.BLOCK", 2)
    known, tracks = noisy(10)
    found = of(known, tracks, seed=1)
    assert found == of(known, tracks, seed=1)
    assert found in TEMPERATURES


def test_inference_is_less_sure_at_a_higher_temperature(known) -> None:
    known.composition.variance.fill_(1.0)
    cold = infer(known.composition, known.tracks).probability
    known.composition.temperature.fill_(3.0)
    warm = infer(known.composition, known.tracks).probability
    assert torch.equal(cold.argmax(-1), warm.argmax(-1))
    assert (warm.amax(-1) <= cold.amax(-1) + 1e-6).all()
    assert warm.amax(-1).mean() < cold.amax(-1).mean()
