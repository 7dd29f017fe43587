"""Memory of long runs: it does not grow in 2,000 steps of training, nor in 2,000 sweeps of inference."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.recorder import Recording
from bouncegrad.fitting.stages import train
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config

STATM = Path("/proc/self/statm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc"),
]
STEPS, FLAT = 2000, 20e6  # bytes


def resident() -> float:
    """Returns the bytes of this process in memory."""
    return 4096.0 * int(STATM.read_text().split()[1])


@pytest.fixture(scope="module")
def small():
    tasks = simulate("springs", 64, entities=5, frames=20, seed=0)
    config = Config(epochs=STEPS // 4, batch=16, threads=1, edge_hidden=(16,), node_hidden=(16,), holdout=0.0)
    return config, tasks


def test_training_does_not_take_more_and_more_memory(small, tmp_path, monkeypatch):
    """Rows of metrics and checkpoints are written as often as in a much longer run."""
    monkeypatch.setattr("bouncegrad.fitting.recorder.RECORDING", Recording(seconds_a_checkpoint=1.0))
    config, tasks = small
    seen: list[float] = []
    train(
        config,
        tasks,
        Run(tmp_path / "run"),
        environment=Environment(report=lambda row, progress: seen.append(resident())),
    )
    settled = seen[len(seen) // 10 :]
    assert len(settled) > 20
    assert max(settled) - settled[0] < FLAT


def test_inference_does_not_take_more_and_more_memory(small):
    config, tasks = small
    model, _, _ = train(Config(**(vars(config) | {"epochs": 2})), tasks)
    one = tasks.select([0])
    seen = []
    for _ in range(STEPS // 20):
        model.infer(one)  # more than twenty sweeps over the structure
        seen.append(resident())
    assert max(seen[10:]) - seen[9] < FLAT
    assert torch.is_grad_enabled()
