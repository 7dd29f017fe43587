"""Annealers: they set the temperature at which structures are accepted or drawn.

    geometric   T = ∞ while cooled < hot, then start (end / start)^((cooled - hot) / (1 - hot)), finally end
    tracked     once a pass, T is divided or multiplied by 1.1, so that worse moves are accepted at the rate
                exp(-1 - 5 pass / 800)
    residual    T = 2 mean square / (numbers (1 - ρ²)) of the residuals of the previous pass, see `residual.py`
    fixed       T is constant

No temperature falls below its floor.
"""

from __future__ import annotations

import math
from typing import Any

from bouncegrad.core.seams import Clock, Move

FLOOR = 1e-12  # above 0, so that 0 / T is 0 if a proposal changes nothing


class Geometric:
    """The temperature is infinite at first, then falls by a constant factor per step, then stays at `end`.

    At an infinite temperature structures are uniform, so all modules learn the mean law. Otherwise the random
    differences of the first weights would decide the types of the edges.

    Args:
        start: the first finite temperature, on the summed log-likelihood of a task's track (nats).
        end: the last temperature; at 1 structures are drawn from their conditional probabilities.
        hot: the share of the cooling during which the temperature is infinite, in [0, 1).
        floor: the temperature never falls below it.
    """

    def __init__(self, start: float = 100.0, end: float = 1.0, hot: float = 0.0, floor: float = FLOOR) -> None:
        self.start, self.end, self.hot, self.floor = start, end, hot, floor
        self.temperature = math.inf if hot else max(start, floor)

    def update(self, clock: Clock, move: Move) -> None:
        if clock.cooled < self.hot:
            self.temperature = math.inf
            return
        share = min((clock.cooled - self.hot) / (1 - self.hot), 1.0)
        self.temperature = max(self.start * (self.end / self.start) ** share, self.floor)

    def state_dict(self) -> dict[str, Any]:
        return {"temperature": self.temperature}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.temperature = state["temperature"]


class Fixed:
    """The temperature is constant, and not below the floor."""

    def __init__(self, temperature: float = 1.0, floor: float = FLOOR) -> None:
        self.temperature = max(temperature, floor)

    def update(self, clock: Clock, move: Move) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Tracked:
    """Keeps the rate at which worse moves are accepted on a falling curve (the paper).

    Once a pass, the rate of the previous pass is compared with `exp(-1 - 5 pass / horizon)`. If the rate is higher, the
    temperature is divided by 1.1; otherwise it is multiplied by 1.1.

    Args:
        start: the first temperature, on the mean squared error; exp(-9.8) in the published code.
        horizon: passes over which the target rate falls from exp(-1) to exp(-6).
        floor: the temperature never falls below it.

    Source: Alet et al. 2019, released code; figures in its README.
    """

    def __init__(self, start: float = math.exp(-9.8), horizon: float = 800.0, floor: float = FLOOR) -> None:
        self.temperature, self.horizon, self.floor = max(start, floor), horizon, floor
        self.epoch, self.worse, self.accepted = 0, 0, 0

    def update(self, clock: Clock, move: Move) -> None:
        if clock.epoch != self.epoch:
            self._adjust()
            self.epoch = clock.epoch
        worse = move.loss_proposed > move.loss_before
        self.worse += int(worse.sum())
        self.accepted += int((worse & move.accepted).sum())

    def _adjust(self) -> None:
        if self.worse:
            target = math.exp(-1 - 5 * self.epoch / self.horizon)
            factor = 1 / 1.1 if self.accepted / self.worse > target else 1.1
            self.temperature = max(self.temperature * factor, self.floor)
        self.worse, self.accepted = 0, 0

    def state_dict(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in ("temperature", "epoch", "worse", "accepted")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            setattr(self, key, value)
