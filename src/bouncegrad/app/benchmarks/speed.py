"""Speed: time to reach an accuracy, arithmetic rate of a training step, tasks per second of inference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from bouncegrad.app.benchmarks.accuracy import NEW_SEED
from bouncegrad.app.benchmarks.machine import machine
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.stages import train
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.settings.build import build
from bouncegrad.settings.config import Config, preset
from bouncegrad.settings.devices import computing
from bouncegrad.settings.resolved import resolve

WANTED = (0.892, 0.95, 0.98)
LIMITS = (0.15, 0.25, 0.35, 0.5, 1.0, 2.0, 5.0)  # minutes
TASKS, NEW_TASKS, MANY = 1000, 200, 2000
WIDE = {"edge_hidden": (256, 256), "node_hidden": (256, 256, 256), "message": 256, "activation": "relu", "batch": 128}
REPEATS, LONGEST = 12, 8.0  # calls at most; seconds at most


def run(seeds: Sequence[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the name and the figures of each part; the first part is measured for every seed, the others for one."""
    every = []
    for seed in seeds:
        data = simulate("charged", TASKS, seed=seed)
        model, reached = time_to(data, simulate("charged", NEW_TASKS, seed=seed + NEW_SEED), seed)
        every.append(reached)
        yield f"seconds of training to an edge accuracy, charged5, seed {seed}", reached
    if len(seeds) > 1:
        yield (
            f"the same, mean of {len(seeds)} seeds",
            {key: mean_of([found[key] for found in every]) for key in every[0]},
        )
    steps = {"default": {}, "published 256-wide networks": WIDE, "published networks, search and rollouts": published()}
    for name, settings in steps.items():
        for count in (1, None):
            rate = step_rate(data, settings | {"threads": count})
            yield f"training step, {name}, {'all threads' if count is None else 'one thread'}", rate
    yield "inference, charged5", inference_rate(model, simulate("charged", MANY, seed=seeds[0] + NEW_SEED))
    yield "machine", machine()


def time_to(data: Trajectories, new: Trajectories, seed: int) -> tuple[Model, dict[str, float | None]]:
    """Returns a model, and for each accuracy on new tasks the seconds of the shortest training that reaches it."""
    reached: dict[str, float | None] = {str(wanted): None for wanted in WANTED}
    for limit in LIMITS:
        start = time.perf_counter()
        model, _, _ = train(Config(minutes=limit, seed=seed, forecast=0.0), data)
        seconds = time.perf_counter() - start
        edges = model.infer(new).edges
        accuracy = edge_accuracy(new.edges, edges, relabelling(new.edges, edges, 2)) or 0.0
        for wanted in WANTED:
            if accuracy >= wanted and reached[str(wanted)] is None:
                reached[str(wanted)] = round(seconds, 1)
        if accuracy >= WANTED[-1]:
            break
    return model, reached


def mean_of(seconds: Sequence[float | None]) -> float | None:
    """Returns the mean, or None if one accuracy was not reached."""
    known = [found for found in seconds if found is not None]
    return round(fmean(known), 1) if len(known) == len(seconds) else None


def published() -> dict[str, Any]:
    """Returns the settings of the preset charged5-paper."""
    settings = yaml.safe_load(preset("charged5-paper").read_text())
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def step_rate(data: Trajectories, settings: dict[str, Any]) -> dict[str, float]:
    """Returns GFLOP/s of the search, of the gradient step, and of a matrix product of the same width."""
    config = resolve(Config(**settings), data.shape)
    with computing(config.device, config.threads):
        loop, batches = build(config, data, Scaling.fit(data), torch.as_tensor(candidate_pairs(None, data)))
        batch = next(iter(batches(loop.generator)))
        z = loop.z[batch.tasks]

        def search() -> object:
            return loop.search(loop.composition, loop.proposal, batch, z, 1.0, loop.generator)

        def step() -> object:
            assert loop.optimizer is not None
            return BounceGrad.step(loop, loop.optimizer, batch, z)

        width = config.edge_hidden[-1]
        rows = torch.randn(batch.segments[:, :, :-1, :, 0].numel() * (data.shape[2] - 1), width)
        square, out = torch.randn(width, width), torch.empty_like(rows)
        peak = 2 * rows.numel() * width / seconds_of(lambda: torch.mm(rows, square, out=out)) / 1e9
        found = {"matrix_gflops": peak}
        for name, work in (("search", search), ("gradient", step)):
            with FlopCounterMode(display=False) as counter:
                work()
            took = seconds_of(work)
            found[f"{name}_ms"] = 1e3 * took
            found[f"{name}_gflops"] = counter.get_total_flops() / took / 1e9
        both = found["search_ms"] + found["gradient_ms"]
        found["share_of_matrix_rate"] = (
            sum(found[f"{name}_gflops"] * found[f"{name}_ms"] for name in ("search", "gradient")) / both / peak
        )
    return {name: round(value, 3) for name, value in found.items()}


def inference_rate(model: Model, new: Trajectories) -> dict[str, float]:
    """Returns tasks per second, with 49 frames each."""
    model.infer(new.select(slice(64)))
    start = time.perf_counter()
    model.infer(new)
    seconds = time.perf_counter() - start
    return {"tasks": len(new.tasks), "seconds": round(seconds, 2), "tasks_per_second": round(len(new.tasks) / seconds)}


def seconds_of(work: Callable[[], object]) -> float:
    """Returns the median time of a call, after two calls to warm up."""
    took: list[float] = []
    while len(took) < REPEATS + 2 and (len(took) < 5 or sum(took) < LONGEST):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return median(took[2:])
