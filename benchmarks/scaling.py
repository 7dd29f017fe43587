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

import matplotlib.pyplot as plt
import numpy as np
import torch

from bouncegrad.app.config import Config
from bouncegrad.app.memory import inference_bytes, training_bytes
from bouncegrad.app.training import train
from bouncegrad.data.trajectories import Trajectories

ENTITIES, FRAMES, TASKS = (5, 10, 20, 50, 100, 200, 400), (50, 150, 500, 1500, 5000), (10, 100, 1000, 10_000, 100_000)
BATCH, VISITS, NEAREST, ALL_PAIRS_UP_TO = 8, 6, 8, 10
SMALL, FEW = (5, 50, 8), 8
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
    model, loop, _ = train(config, data, stop=stop)
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
    """Three panels of time, and memory below each; grey lines grow in proportion."""
    by_pairs = [row for row in rows if row["frames"] == 50 and row["tasks"] == FEW]
    by_tasks = [row for row in rows if row["entities"] == 5 and row["frames"] == 50]
    panels = [
        ("pairs", "visit_ms", "ms per task visited", by_pairs),
        ("frames", "infer_ms", "ms to infer one task", [r for r in rows if r["entities"] == 5 and r["tasks"] == FEW]),
        ("tasks", "start_s", "seconds to the first step", by_tasks),
    ]
    canvas, axes = plt.subplots(2, 3, figsize=(9, 5), sharex="col", layout="constrained")
    for column, (name, key, label, some) in zip(axes.T, panels, strict=True):
        for axis, what, text in zip(column, (key, "peak_mb"), (label, "peak memory, MB"), strict=True):
            chosen = sorted(some, key=lambda row: row[name])
            x, y = np.array([row[name] for row in chosen]), np.array([row[what] for row in chosen])
            axis.loglog(x, y[-1] * x / x[-1], color="0.8", zorder=0)
            axis.loglog(x, y, "o-", color="#3b6ea8", markersize=4)
            axis.set_ylim(y.min() / 2, y.max() * 2)
            axis.set_ylabel(text)
        column[1].set_xlabel(name)
    canvas.savefig(figure)


if __name__ == "__main__":
    main(sys.argv[1])
