"""Heads: the likelihood of a change, given the output of the node module.

    gaussian    -log p = (log 2π + v + error² exp(-v)) / 2,     v: log-variance

The node module has two outputs for each feature: the mean of its change, and its log-variance v. A head is any object
with the method `loss` of `seams.Head`; `examples/own_head.py` has a head with Student's t distribution.
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
    """Normally distributed errors; every change has its own variance."""

    def loss(self, error: Tensor, log_variance: Tensor) -> Tensor:
        """Returns the negative log-density of each element, in nats."""
        return gaussian_loss(error, log_variance)


def gaussian_loss(error: Tensor, log_variance: Tensor, constant: float = LOG_2PI) -> Tensor:
    """Returns the negative log-density of a normal distribution, `(constant + v + error² exp(-v)) / 2`, in nats.

    With a constant of 0, sums of many terms keep more of their digits.
    """
    return (error.square() * torch.exp(-log_variance) + log_variance + constant) / 2


def bounded(raw: Tensor, low: float, high: float) -> Tensor:
    """Returns a number between `low` and `high`, from a smooth step with slope 1 in the middle."""
    return low + (high - low) * torch.sigmoid((raw - low - (high - low) / 2) * 4 / (high - low))


def widened(log_variance: Tensor, slack: float) -> Tensor:
    """Returns the log-variance after the square of `slack` is added to the variance."""
    return torch.logaddexp(log_variance, log_variance.new_tensor(2 * math.log(slack))) if slack else log_variance
