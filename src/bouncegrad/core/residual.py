"""The residual-based annealer: it computes the temperature from the size and autocorrelation of the residuals.

    T = 2 s / (n (1 - ρ²))

s: mean square of the training residuals, n: numbers of one task, ρ: autocorrelation of residuals from frame to frame.
If errors are independent and normal with variance s, the log-likelihood of a task is -n loss / (2 s). At this
temperature the Metropolis test on the mean squared error is then the test for the posterior. Autocorrelated errors
count as fewer numbers.

Source: Alet et al. 2019, released code.
"""

from __future__ import annotations

import math
from typing import Any

from bouncegrad.core.annealing import FLOOR
from bouncegrad.core.seams import Clock, Move


class Residual:
    """Sets the temperature once a pass, from the residuals of the previous pass.

    Args:
        start: the temperature of the first pass, on the mean squared error.
        floor: the temperature never falls below it.
    """

    def __init__(self, start: float, floor: float = FLOOR) -> None:
        self.temperature, self.floor = max(start, floor), floor
        self.epoch, self.tasks, self.square, self.alike, self.numbers = 0, 0, 0.0, 0.0, 0

    def update(self, clock: Clock, move: Move) -> None:
        """Adds the residuals of a move, which must have them. Residuals that are not finite are ignored."""
        assert move.unexplained is not None
        if clock.epoch != self.epoch:
            self._adjust()
            self.epoch = clock.epoch
        tasks, residuals = len(move.z), move.unexplained
        if not math.isfinite(residuals.mean_square):
            return
        self.tasks += tasks
        self.square += tasks * residuals.mean_square
        self.alike += tasks * residuals.autocorrelation
        self.numbers = residuals.numbers

    def _adjust(self) -> None:
        if self.tasks:
            independent = self.numbers * (1 - (self.alike / self.tasks) ** 2)
            # Fully correlated errors still count as one number.
            self.temperature = max(2 * self.square / self.tasks / max(independent, 1.0), self.floor)
        self.tasks, self.square, self.alike = 0, 0.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        names = ("temperature", "epoch", "tasks", "square", "alike", "numbers")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            setattr(self, key, value)
