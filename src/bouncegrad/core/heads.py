"""Heads: the likelihood of a change, given what the node module says of it.

    gaussian    -log p = (log 2π + v + error² exp(-v)) / 2,     v: log-variance

The node module gives two numbers for each feature: the mean of its change, and v, how uncertain the change is. A head
is any object with the method `loss` of `seams.Head`; `examples/own_head.py` has Student's t.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
LOG_VARIANCE = (-16.0, 6.0)  # from a 3,000th of a typical change to 20 times a typical change


@final
class Gaussian:
    """Normally distributed errors, with a variance of their own for every change."""

    def loss(self, error: Tensor, log_variance: Tensor) -> Tensor:
        """Negative log-density in nats, element by element."""
        return gaussian_loss(error, log_variance)


def gaussian_loss(error: Tensor, log_variance: Tensor, constant: float = LOG_2PI) -> Tensor:
    """Negative log-density of a normal distribution, `(constant + v + error² exp(-v)) / 2`, in nats.

    Without the constant (0), sums of many terms keep more of their digits.
    """
    return (error.square() * torch.exp(-log_variance) + log_variance + constant) / 2


def bounded(raw: Tensor, low: float, high: float) -> Tensor:
    """A smooth step from `low` to `high`, with slope 1 in the middle."""
    return low + (high - low) * torch.sigmoid((raw - low - (high - low) / 2) * 4 / (high - low))


def widened(log_variance: Tensor, slack: float) -> Tensor:
    """The log-variance with `slack`² added to the variance."""
    return torch.logaddexp(log_variance, log_variance.new_tensor(2 * math.log(slack))) if slack else log_variance
