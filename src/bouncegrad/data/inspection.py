"""Describes what is in a set of recordings and what looks wrong. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bouncegrad.data.formats.chosen import first_missing
from bouncegrad.data.observed import location, not_finite, observed_values
from bouncegrad.data.suspicions import suspicions
from bouncegrad.data.trajectories import Trajectories


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect`.

    Args:
        summary: the line of `Trajectories.summary`.
        facts: (name, value) rows.
        warnings: one line each, with the place and a remedy; empty if nothing looks wrong.
    """

    summary: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Returns everything as plain text lines, with the values of the facts in one column."""
        width = max(len(name) for name, _ in self.facts)
        rows = (f"{name:<{width}}  {value}" for name, value in self.facts)
        return (self.summary, *rows, *(f"warning: {line}" for line in self.warnings))


def inspect(
    data: Trajectories, *, format: str | None = None, parts: Mapping[str, Trajectories] | None = None
) -> Inspection:
    """Returns facts and warnings about recordings, whatever values they hold.

    Args:
        data: the recordings to describe.
        format: the name of their format, if they were read from disk.
        parts: all parts of their data set by name, including `data`. They are counted and compared with each other.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(3, 49, 5, 2))
        >>> inspect(Trajectories(x)).summary
        '3 tasks, 49 frames, 5 entities, 2 features (x0, x1), truth unknown'
    """
    parts = parts or {}
    facts = [("source", data.source)]
    facts += [("format", format)] if format else []
    facts += [row for row in data.origin if row[0] != "assumed"]
    facts += [(f"part {name}", part.summary()) for name, part in parts.items()]
    with np.errstate(all="ignore"):  # squares of very large numbers are infinite, and are shown like that
        facts += [*_sizes(data), *_features(data), *_gaps(data), *_truth(data)]
        return Inspection(data.summary(), tuple(facts), (*data.assumed, *suspicions(data, parts)))


def _sizes(data: Trajectories) -> Iterator[tuple[str, str]]:
    m, t, n, _ = data.shape
    yield "tasks", f"{m:,}"
    yield "frames", f"{t:,}"
    yield "dt", f"{data.dt:g} ({(t - 1) * data.dt:g} from first to last frame)"
    if data.resampling:
        yield "frames are", data.resampling
    yield "entities", f"{n:,} ({', '.join(data.entities[:8])}{', ...' if n > 8 else ''})"


def _features(data: Trajectories) -> Iterator[tuple[str, str]]:
    for i, (name, unit) in enumerate(zip(data.features, data.units, strict=True)):
        values = observed_values(data, i)
        values = values[np.isfinite(values)]
        spread = "no finite value"
        if values.size:
            spread = f"min {values.min():.4g}, max {values.max():.4g}, mean {values.mean():.4g}, sd {values.std():.4g}"
        yield f"feature {name}", spread + (f" {unit}" if unit else "")


def _gaps(data: Trajectories) -> Iterator[tuple[str, str]]:
    m, t, n, _ = data.shape
    missing = 0 if data.mask is None else int((~data.mask).sum())
    holes, where = first_missing(data)
    ends = f"; {missing - holes:,} of them before or after a recording" if missing > holes else ""
    first = f", first at {where}" if where else ""
    yield "missing", f"{missing / (m * t * n):.1%} ({missing:,} of {m * t * n:,} observations){ends}{first}"
    bad = not_finite(data)
    yield "not finite", f"{bad.sum():,}" + (f", first at {location(data, *np.argwhere(bad)[0])}" if bad.any() else "")


def _truth(data: Trajectories) -> Iterator[tuple[str, str]]:
    if data.edges is None:
        yield "truth", "unknown"
        return
    known = (data.edges >= 0) & ~np.eye(len(data.entities), dtype=bool)
    if not known.any():
        yield "truth", "unknown"
        return
    count = np.bincount(data.edges[known])
    yield "edge types", f"{len(count)} in the truth"
    for kind, number in enumerate(count):
        yield f"type {kind}", f"{number / count.sum():.1%} ({number:,} of {count.sum():,} edges)"
    differ = ((data.edges != data.edges.transpose(0, 2, 1)) & known).sum() / count.sum()
    yield "symmetric", f"no, {differ:.1%} of the edges differ from their reverse" if differ else "yes"
