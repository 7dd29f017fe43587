"""Sums over batches, from which rows of metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Sums over the batches since the last row of metrics, or since the present pass began.

    A search that proposes counts its proposals: all, those with a lower loss than before, those with a higher loss, and
    how many of the latter were accepted.
    """

    visits: int = 0
    tasks: int = 0
    loss: float = 0.0
    acceptance: float = 0.0
    proposed: float = 0.0
    better: float = 0.0
    worse: float = 0.0
    worse_accepted: float = 0.0
    since: float = 0.0
