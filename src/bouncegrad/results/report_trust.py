"""How far a result can be trusted: types taken for others, probabilities against frequencies, what stayed open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results import report_figures as figures
from bouncegrad.results.metrics import calibration, confusion, known_edges, off_diagonal
from bouncegrad.results.result import DETERMINED, Result

BOUNDS = (0.0, DETERMINED, 0.9, 0.99, 1.0)
LISTED = 12


class Share(NamedTuple):
    """Edges whose most probable type has a probability between two bounds, and how many of them are right."""

    low: float
    high: float
    edges: int
    right: int | None
    known: int


class Open(NamedTuple):
    """An edge that the data did not tell, and the probability of each type."""

    task: str
    source: str
    target: str
    probability: tuple[float, ...]


class Undetermined(NamedTuple):
    """Edges by how sure they are, and some of those that were not determined, the least sure first."""

    shares: tuple[Share, ...]
    edges: int
    listed: tuple[Open, ...]
    type_names: tuple[str, ...]


def trust(data: Trajectories | None, result: Result | None, perm: Sequence[int] | None) -> dict[str, Any]:
    """The confusion table and the reliability figure, None without a truth to compare with."""
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
            "cells": [{"count": int(counts[true, k]), "right": perm[k] == true} for k in order],
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
    """How many edges are how sure, and which are open; entities that are not in a task have no edges there."""
    if result is None:
        return None
    edges = np.broadcast_to(off_diagonal(result.edges.shape[1]), result.edges.shape)
    if data is not None and data.mask is not None:
        here = data.mask.max(1)
        edges = edges & here[:, :, None] & here[:, None, :]
    sure = result.probability.max(-1)
    truth = None if data is None or perm is None else data.edges
    known = np.zeros_like(edges) if truth is None else known_edges(truth) & edges
    right = known.copy()
    if truth is not None:
        right &= np.asarray(perm)[result.edges] == truth
    shares = []
    for low, high in pairwise(BOUNDS):
        within = edges & (sure >= low) & ((sure < high) | (high == 1))
        correct = None if truth is None else int((right & within).sum())
        shares.append(Share(low, high, int(within.sum()), correct, int((known & within).sum())))
    at = np.argwhere(result.undetermined & edges)
    at = at[np.argsort(sure[tuple(at.T)], kind="stable")][:LISTED]
    listed = [
        Open(result.tasks[m], result.entities[s], result.entities[t], tuple(map(float, result.probability[m, s, t])))
        for m, s, t in at
    ]
    return Undetermined(tuple(shares), int(edges.sum()), tuple(listed), result.type_names)
