"""Mirroring: mirrored tracks follow the same law."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bouncegrad.core.batches import RandomFrames, scaled_tracks
from bouncegrad.core.mirroring import Mirrored, symmetries
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

SCALING = Scaling((1.0, -2.0, 0.5, 3.0, 7.0), (2.0, 3.0, 0.1, 5.0, 1.0), (1.0,) * 5, (1.0,) * 5, (0.0,) * 5, (1.0,) * 5)
FEATURES = ("x", "y", "vx", "mass", "vy")


def raw(scaled: torch.Tensor) -> np.ndarray:
    return scaled.numpy() * np.array(SCALING.scale) + np.array(SCALING.shift)


def test_the_eight_symmetries_of_the_square() -> None:
    matrices, shifts = symmetries(FEATURES, SCALING)
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    seen = set()
    for matrix, shift in zip(matrices, shifts, strict=True):
        before, after = raw(x), raw(x @ matrix.T + shift)
        centre = np.array(SCALING.shift)[:2]
        turn = np.linalg.lstsq(before[:, :2] - centre, after[:, :2] - centre, rcond=None)[0]
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-5)
        np.testing.assert_allclose(after[:, [2, 4]], before[:, [2, 4]] @ turn, atol=1e-4)
        np.testing.assert_allclose(after[:, 3], before[:, 3], atol=1e-5)
        seen.add(tuple(turn.round().ravel()))
    assert len(seen) == 8


def test_tracks_and_segments_are_mirrored_alike_and_tasks_differ() -> None:
    data = simulate("springs", 30, entities=3, frames=10, seed=0)
    scaling = Scaling.fit(data)
    plain = RandomFrames(scaled_tracks(data, scaling), 30, 4)
    (batch,) = Mirrored(plain, data.features, scaling)(torch.Generator().manual_seed(0))
    same = (batch.tracks == plain.tracks[batch.tasks]).flatten(1).all(1)
    assert 0 < same.sum() < 15
    firsts = batch.segments[:, :, 0]
    nearest = (batch.tracks[:, None] - firsts[:, :, None]).abs().amax((-1, -2)).amin(-1)
    assert nearest.max() < 1e-5

    # Mirroring does not change the kinetic energy.
    def size(x: torch.Tensor) -> torch.Tensor:
        return ((x * torch.tensor(scaling.scale) + torch.tensor(scaling.shift))[..., 2:] ** 2).sum((1, 2, 3))

    torch.testing.assert_close(size(batch.tracks), size(plain.tracks[batch.tasks]), rtol=1e-4, atol=1e-6)


def test_features_that_cannot_be_mirrored_are_refused() -> None:
    data = Trajectories(np.random.default_rng(0).normal(size=(2, 5, 3, 2)), features=("rate", "phase"))
    with pytest.raises(InputError, match="mirror: features rate, phase have no positions"):
        symmetries(data.features, Scaling.fit(data))
