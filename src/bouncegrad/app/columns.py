"""Text in columns, and the table of edge baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EDGE_BASELINES = {
    "least_squares": "least squares per task",
    "lagged_regression": "lagged regression",
    "correlation": "correlation",
    "partial_correlation": "partial correlation",
    "distance": "distance",
}
MEASURES = {
    "edge_accuracy": "edge accuracy",
    "auroc": "AUROC",
    "auroc_undirected": "undirected",
    "pooled_auroc": "pooled AUROC",
    "pooled_auroc_undirected": "pooled, undirected",
}


def columns(cells: Sequence[Sequence[str]]) -> str:
    """Returns rows of cells as text. Every column is as wide as its widest cell."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def baseline_table(found: Mapping[str, Mapping[str, float | None]], model: Mapping[str, Any] | None = None) -> str:
    """Returns a table with one row per edge baseline. The first row is that of the model, if there is one.

    Args:
        found: metrics by name of the baseline, as `edge_baselines` returns them; other baselines are ignored.
        model: the numbers of the model, as `evaluate` returns them.
    """
    from bouncegrad.results.numbers import written  # imported here, so that help does not load numpy

    shown = [key for key in MEASURES if "pooled" not in key or any(row.get(key) is not None for row in found.values())]
    rows = [] if model is None else [["model", *(written(model[key]) if key in model else "" for key in shown)]]
    rows += [[label, *(written(found[name][key]) for key in shown)] for name, label in EDGE_BASELINES.items()]
    return columns([["", *(MEASURES[key] for key in shown)], *rows])
