"""Training that fails on the command line: a line names the tensor, a checkpoint stays, skipped steps are counted."""

from __future__ import annotations

import math

import pytest
import torch

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.runs.folder import Run

TRAIN = ["train", "--data", "springs.npz", "--out", "new", "--epochs", "6", "--batch", "6", "--threads", "1"]


def spoilt(monkeypatch: pytest.MonkeyPatch, factor: float, at: int, tensor: str | None = None) -> None:
    """Multiplies the loss of the second task of the batch, or the gradient of a tensor, in one visit."""
    loss, visits = GraphComposition.loss, iter(range(10**6))

    def spoil(self, batch, z):
        losses = loss(self, batch, z)
        if not torch.is_grad_enabled() or next(visits) != at:
            return losses
        if tensor is None:
            return losses * torch.where(torch.arange(len(losses)) == 1, factor, 1.0)
        self.get_parameter(tensor).register_hook(lambda gradient: gradient * factor)
        return losses

    monkeypatch.setattr(GraphComposition, "loss", spoil)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, "training: the loss of task "),
        ("node.weights.1", "training: the gradient of node.weights.1 is not a number"),
    ],
)
def test_nan_stops_the_run_with_one_line_and_keeps_the_checkpoint(command, work, monkeypatch, tensor, message):
    spoilt(monkeypatch, math.nan, 4, tensor)
    found = command(*TRAIN)
    assert found.status == 2
    lines = found.err.splitlines()
    assert [line for line in lines if line.startswith("bouncegrad: ")] == lines[-1:]
    assert message in lines[-1]
    assert "is not a number after 4 gradient steps; give a lower --learning_rate" in lines[-1]
    assert "Traceback" not in found.err
    assert Run("new").state()["guard"]["steps"] == 0  # the checkpoint was written before the first step
    monkeypatch.undo()
    monkeypatch.chdir(work)
    assert command("train", "--resume", "--data", "springs.npz", "--out", "new").status == 0


def test_an_outlier_is_counted_and_printed(command, work, monkeypatch):
    spoilt(monkeypatch, math.inf, 3)
    found = command(*TRAIN)
    assert found.status == 0
    assert "1 gradient steps were outliers or not finite, and were skipped" in found.out
    assert Run("new").rows()[-1]["skipped_steps"] == 1
