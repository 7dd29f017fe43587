"""Memory and time against entities, frames and tasks, each in a process of its own; one thread.

    python benchmarks/scaling.py docs/figures/scaling.svg

Tracks are random walks: what is measured does not depend on what there is to find. Prints the table of docs/scaling.md.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.stages import train
from bouncegrad.results.style import COLOURS, FAINT, plain, save
from bouncegrad.settings.config import Config
from bouncegrad.settings.memory import inference_bytes, training_bytes

ENTITIES, FRAMES, TASKS = (5, 10, 20, 50, 100, 200, 400), (50, 150, 500, 1500, 5000), (10, 100, 1000, 10_000, 100_000)
BATCH, VISITS, NEAREST, ALL_PAIRS_UP_TO = 8, 6, 8, 10
SMALL, FEW = (5, 50, 8), 8
LEAST_MB = 1.0  # what is less drowns in what the allocator keeps
COLUMNS = ("entities", "frames", "tasks", "pairs", "visit_ms", "infer_ms", "start_s", "peak_mb")
Row = dict[str, Any]


def measured(n: int, t: int, m: int, candidates: int | None, first: bool = True) -> Row:
    """One setting: seconds to the first step, per visit of a task and to infer one, and the peak above the start."""
    torch.set_num_threads(1)
    if first:
        measured(*SMALL, None, first=False)  # what is loaded at the first use does not grow
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    x = np.random.default_rng(0).standard_normal((m, t, n, 4), dtype=np.float32).cumsum(1, dtype=np.float32)
    made, times = time.perf_counter() - begin, []

    def stop() -> bool:
        times.append(time.perf_counter())
        return len(times) > VISITS

    config = Config(epochs=10**6, batch=BATCH, segments=4, hot=0.0, candidates=candidates, threads=1)
    data = Trajectories(x)
    model, loop, _ = train(config, data, environment=Environment(stop=stop))
    start = times[0] - begin - made
    inferred = time.perf_counter()
    model.infer(data.select([0]))
    pairs = loop.composition.slots
    return {
        **dict(zip(COLUMNS, (n, t, m, pairs), strict=False)),
        "visit_ms": 1e3 * float(np.diff(times).min()) / BATCH,
        "infer_ms": 1e3 * (time.perf_counter() - inferred),
        "start_s": start,
        "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "estimate_mb": max(
            training_bytes(model.config, data.shape, pairs),
            inference_bytes(model.config, data.shape, pairs),
        )
        / 1e6,
    }


def main(figure: str) -> None:
    """Measures all settings, prints the table and draws the figure."""
    settings = [(5, t, FEW, None) for t in FRAMES] + [(5, 50, m, None) for m in TASKS]
    settings += [(n, 50, FEW, None if n <= ALL_PAIRS_UP_TO else NEAREST) for n in ENTITIES]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    rows = []
    for setting in dict.fromkeys(settings):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row = pool.apply(measured, setting)
        shown = (f"{row[name]:,.3g}" if row[name] < 100 else f"{row[name]:,.0f}" for name in COLUMNS)
        print(f"| {' | '.join(shown)} |", flush=True)
        rows.append(row)
    draw(rows, figure)


def draw(rows: list[Row], figure: str) -> None:
    """Three panels of time, and memory below each; grey lines grow in proportion, from the last point back."""
    few = [row for row in rows if row["tasks"] == FEW]
    panels = [
        ("pairs", "visit_ms", "ms, a visit to a task", [row for row in few if row["frames"] == FRAMES[0]]),
        ("frames", "infer_ms", "ms, to infer a task", [row for row in few if row["entities"] == ENTITIES[0]]),
        ("tasks", "start_s", "s, to the first step", [row for row in rows if row["tasks"] != FEW]),
    ]
    canvas = Figure(figsize=(9, 4.6), layout="constrained")
    axes = canvas.subplots(2, 3, sharex="col")
    for column, (name, key, label, some) in zip(axes.T, panels, strict=True):
        for axis, what, text in zip(column, (key, "peak_mb"), (label, "MB, peak"), strict=True):
            chosen = sorted(some, key=lambda row: row[name])
            x, y = np.array([row[name] for row in chosen]), np.array([row[what] for row in chosen])
            y = np.maximum(y, LEAST_MB) if what == "peak_mb" else y
            axis.loglog(x, y[-1] * x / x[-1], color=FAINT, linewidth=2, zorder=0)
            axis.loglog(x, y, "o-", color=COLOURS[0], markersize=4)
            axis.set_ylim(y.min() / 1.5, y.max() * 1.5)
            axis.set_ylabel(text)
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_formatter(lambda value, _: f"{value:,g}")
                side.set_minor_formatter(NullFormatter())
            plain(axis)
        column[1].set_xlabel(name)
    save(canvas, figure)


if __name__ == "__main__":
    main(sys.argv[1])
