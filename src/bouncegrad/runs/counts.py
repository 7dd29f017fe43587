"""Sums over batches, from which rows of metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Sums over the batches since the last row of metrics, or since the present pass began."""

    visits: int = 0
    tasks: int = 0
    loss: float = 0.0
    acceptance: float = 0.0
    since: float = 0.0
