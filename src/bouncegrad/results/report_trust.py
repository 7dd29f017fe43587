"""Reliability of a result in a report: confusion table, calibration, and undetermined edges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import report_figures as figures
from bouncegrad.results.metrics import calibration, confusion, known_edges, off_diagonal
from bouncegrad.results.result import DETERMINED, Result

BOUNDS = (0.0, DETERMINED, 0.9, 0.99, 1.0)  # ranges of probability that users ask for
LISTED = 12  # undetermined edges that are listed; edges.csv has all of them


class Share(NamedTuple):
    """Edges whose most probable type has a probability between two bounds.

    Args:
        low: lower bound.
        high: upper bound.
        edges: number of edges.
        correct: number of edges with the correct type; None if the truth is unknown.
        known: number of edges whose true type is known.
    """

    low: float
    high: float
    edges: int
    correct: int | None
    known: int


class Open(NamedTuple):
    """An edge that the data did not determine, and the probability of each type."""

    task: str
    source: str
    target: str
    probability: tuple[float, ...]


class Undetermined(NamedTuple):
    """Edges by probability, and some of the undetermined edges.

    Args:
        shares: number of edges in each range of probability.
        edges: number of all edges.
        listed: undetermined edges, the least probable first.
        type_names: names of the edge types.
    """

    shares: tuple[Share, ...]
    edges: int
    listed: tuple[Open, ...]
    type_names: tuple[str, ...]


def trust(data: Trajectories | None, result: Result | None, perm: Sequence[int] | None) -> dict[str, Any]:
    """Returns the confusion table and the calibration figure; they are None if the truth is unknown."""
    if data is None or result is None or data.edges is None or perm is None:
        return {"table": None, "reliability": None, "expected_error": None}
    counts = confusion(data.edges, result.edges, len(perm))
    calibrated = calibration(data.edges, result.probability, perm)
    assert counts is not None
    assert calibrated is not None
    order = np.argsort(perm)
    rows = [
        {
            "name": str(true),
            "cells": [{"count": int(counts[true, k]), "correct": perm[k] == true} for k in order],
            "total": int(counts[true].sum()),
        }
        for true in range(len(counts))
    ]
    heads = [{"name": result.type_names[k], "true": perm[k] if perm[k] < len(counts) else None} for k in order]
    return {
        "table": {"heads": heads, "rows": rows},
        "reliability": figures.reliability_figure(calibrated),
        "expected_error": calibrated.expected_error,
    }


def undetermined(data: Trajectories | None, result: Result | None, perm: Sequence[int] | None) -> Undetermined | None:
    """Counts edges by probability and lists undetermined ones. Entities that are not in a task have no edges there."""
    if result is None:
        return None
    edges = np.broadcast_to(off_diagonal(result.edges.shape[1]), result.edges.shape)
    if data is not None and data.mask is not None:
        here = data.mask.max(1)
        edges = edges & here[:, :, None] & here[:, None, :]
    highest = result.probability.max(-1)
    truth = None if data is None or perm is None else data.edges
    known = np.zeros_like(edges) if truth is None else known_edges(truth) & edges
    correct = known.copy()
    if truth is not None:
        correct &= np.asarray(perm)[result.edges] == truth
    shares = []
    for low, high in pairwise(BOUNDS):
        within = edges & (highest >= low) & ((highest < high) | (high == 1))
        count = None if truth is None else int((correct & within).sum())
        shares.append(Share(low, high, int(within.sum()), count, int((known & within).sum())))
    at = np.argwhere(result.undetermined & edges)
    at = at[np.argsort(highest[tuple(at.T)], kind="stable")][:LISTED]
    listed = [
        Open(result.tasks[m], result.entities[s], result.entities[t], tuple(map(float, result.probability[m, s, t])))
        for m, s, t in at
    ]
    return Undetermined(tuple(shares), int(edges.sum()), tuple(listed), result.type_names)
