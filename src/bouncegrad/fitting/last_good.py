"""The last good weights: a training that goes wrong goes on from the weights before.

    usual    the least median so far of the losses of 20 passes of the same horizon
    wrong    the mean loss of a pass is not finite, or 5 times the usual loss
    then     modules and optimizer get their state of the last good checkpoint, and the horizon's passes count anew

A single wrong pass is enough, since rollouts of damaged modules give gradients that do not lead back. The median is the
least one so far, so that losses which grow slowly are found, too.
"""

from __future__ import annotations

import copy
import math
from statistics import median
from typing import Any

import torch
from torch import nn

WRONG = 5.0  # times the usual loss
REMEMBERED, FEWEST = 20, 5  # passes in the median, at most and at least


class LastGood:
    """Keeps the state of modules and optimizer, and restores it after a wrong pass.

    Args:
        modules: that learn.
        optimizer: of their weights.

    Attributes:
        restored: how often the state was restored.
    """

    def __init__(self, modules: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.modules, self.optimizer = modules, optimizer
        self.losses: list[float] = []
        self.usual = math.inf
        self.horizon, self.restored = 0, 0
        self.kept: dict[str, Any] | None = None

    def after_a_pass(self, loss: float, horizon: int) -> bool:
        """Judges a pass by its mean loss; returns whether the state was restored."""
        if horizon != self.horizon:
            self.horizon, self.losses, self.usual = horizon, [], math.inf
        if math.isfinite(loss) and loss <= WRONG * self.usual:
            self.losses = [*self.losses, loss][-REMEMBERED:]
            if len(self.losses) >= FEWEST:
                self.usual = min(self.usual, median(self.losses))
            return False
        self.losses, self.usual = [], math.inf
        if self.kept is None:
            return False
        self.modules.load_state_dict(self.kept["modules"])
        self.optimizer.load_state_dict(copy.deepcopy(self.kept["optimizer"]))
        self.restored += 1
        return True

    def keep(self) -> None:
        """Keeps the present state, unless the last pass was wrong."""
        if self.losses:
            state = {"modules": self.modules.state_dict(), "optimizer": self.optimizer.state_dict()}
            self.kept = copy.deepcopy(state)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that changes; tensors are shared, not copied."""
        return {name: getattr(self, name) for name in ("losses", "usual", "horizon", "restored", "kept")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        for name, value in state.items():
            setattr(self, name, value)
