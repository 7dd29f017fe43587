"""Numbers as a plain table for terminals and pipes."""

from __future__ import annotations

from collections.abc import Sequence

from bouncegrad.results.report import Number, written


def number_table(rows: Sequence[Number]) -> str:
    """Name, value and every baseline, in columns.

    Example:
        >>> print(number_table([Number("edge accuracy", 0.97, "", {"correlation": 0.5})]))
        name           value   correlation
        edge accuracy  0.97    0.5
    """
    names = list(dict.fromkeys(name for row in rows for name in row.baselines))
    cells = [["", "value", *names]]
    for row in rows:
        beside = [written(row.baselines[name]) if name in row.baselines else "" for name in names]
        cells.append([row.name, written(row.value), *beside])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)
