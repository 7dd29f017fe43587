"""Metrics as plain text tables for terminals and pipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bouncegrad.app.columns import baseline_table, columns
from bouncegrad.app.measures import edge_numbers, energy_numbers, forecast_numbers, interval_numbers
from bouncegrad.models.protocols import MODEL
from bouncegrad.results.numbers import Number, written


def evaluation_tables(found: dict[str, Any]) -> str:
    """Returns the numbers of `evaluate` in tables: edges, their baselines, forecast errors, intervals and energy."""
    intervals, energies = interval_numbers(found), energy_numbers(found)
    more = (
        f"\n\nintervals and sampled futures, {intervals[0].scope}\n{number_table(intervals, MODEL)}"
        if intervals
        else ""
    )
    if energies:
        more += f"\n\nenergy, {energies[0].unit}\n{number_table(energies, 'forecast')}"
    return (
        f"{number_table([number._replace(baselines={}) for number in edge_numbers(found)])}\n\n"
        f"{baseline_table(found['baselines'], found)}\n\n"
        f"mean squared errors, {found['forecast']}\n{number_table(forecast_numbers(found), MODEL)}{more}"
    )


def number_table(rows: Sequence[Number], value: str = "value") -> str:
    """Returns a table with one row per number.

    Args:
        rows: the numbers.
        value: heading of the column of their values; each baseline has a column of its own.

    Example:
        >>> print(number_table([Number("edge accuracy", 0.97, "", {"correlation": 0.5})]))
                       value   correlation
        edge accuracy  0.9700  0.5000
    """
    names = list(dict.fromkeys(name for row in rows for name in row.baselines))
    cells = [["", value, *names]]
    for row in rows:
        beside = [written(row.baselines[name]) if name in row.baselines else "" for name in names]
        cells.append([row.name, written(row.value), *beside])
    return columns(cells)
