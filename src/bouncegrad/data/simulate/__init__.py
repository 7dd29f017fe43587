"""Simulates data with known edges: particles, oscillators, and networks of levels, opinions or activities.

The laws of motion are compiled, and tasks run in parallel on threads. Importing this module loads neither the compiler
nor torch.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypedDict, Unpack

import numpy as np

from bouncegrad.data.arguments import require_keywords, require_whole
from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate.graphs import GRAPHS, Graph
from bouncegrad.data.simulate.starts import Start, Streams
from bouncegrad.data.simulate.systems import SYSTEMS, System
from bouncegrad.data.trajectories import Trajectories

__all__ = ["GRAPHS", "SYSTEMS", "System", "simulate"]

LARGEST_GB = 16.0  # larger requests are usually mistakes, and would fill the memory of most machines


class Running(TypedDict, total=False):
    """How a simulation runs. The simulated numbers do not depend on it.

    Args:
        threads: the number of threads. By default, or if it is None, there are as many as this process has cores
            (`NUMBA_NUM_THREADS`).
        progress: a function, called as `progress(done, tasks)` after each block of tasks.
    """

    threads: int | None
    progress: Callable[[int, int], object] | None


class Drawing(TypedDict, total=False):
    """How a simulation draws its graphs.

    Args:
        graph: one of `GRAPHS`: random (all edge types equally likely; the default), er (Erdos-Renyi), ba
            (Barabasi-Albert, 2 links of each new entity) or ws (Newman-Watts-Strogatz, a ring with shortcuts).
        density: the probability of a link in er, above 0, at most 1. By default, or if it is None, it is 0.1.
        shared: whether all tasks have one graph, instead of one for each task.
    """

    graph: str
    density: float | None
    shared: bool


class Options(Drawing, Running):
    """How a simulation draws its graphs, and how it runs; see `Drawing` and `Running`."""


def simulate(
    system: str,
    tasks: int,
    *,
    entities: int = 5,
    frames: int = 49,
    seed: int = 0,
    noise: float = 0.0,
    directed: bool = False,
    **options: Unpack[Options],
) -> Trajectories:
    """Returns simulated tasks of one system with their true edges, `x: Float[M, T, N, D]` in float64.

    The same arguments give the same arrays, to the last bit, for any number of threads. The first tasks do not depend
    on `tasks`, and without noise the first frames do not depend on `frames`. The settings are those of the published
    data sets, and so is the time of the first frame. In `michaelis-menten`, `diffusion` and `friedkin-johnsen` frame t
    is at time `t * dt`. In `coupled-maps` frame 0 is two steps after the start. In all other systems frame t is at time
    `(t + 1) * dt`, so that the start is not a frame.

    `springs` and `charged` follow the published generator step by step (`particles.py`). The equations of the other
    systems are in `oscillators.py`, `flows.py` and `maps.py`. Where a sum over sources is divided by their number, the
    sum of an entity without sources is 0.

    Args:
        system: one of `SYSTEMS`: springs, springs3, charged, kuramoto, kuramoto-phase, michaelis-menten, diffusion,
            coupled-maps, friedkin-johnsen or netsims.
        tasks: M >= 1.
        entities: N >= 2; 3 or more for the graphs ba and ws.
        frames: T >= 2; the time between two frames is `SYSTEMS[system].dt`.
        seed: an integer >= 0. Different seeds give different tasks.
        noise: standard deviation of the Gaussian noise that is added to every observed number, in the feature's units.
        directed: whether the two directions of a pair may differ. With random and er each ordered pair is drawn
            independently; with ba and ws each link acts in one direction, drawn at random. By default both directions
            of a pair have one type.
        options: how graphs are drawn, see `Drawing`: `graph`, `density`, `shared`; and how the simulation runs, see
            `Running`: `threads`, the number of threads, by default all cores; `progress`, a function that is called as
            `progress(done, tasks)`.

    Raises:
        InputError: the system or the graph is unknown, a value is out of its range, a graph or `directed` is given for
            charges, or the data would need more than 16 GB.
        TypeError: an argument is not known.

    Example:
        >>> data = simulate("springs", tasks=3)
        >>> print(data.summary())
        3 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth for 20 edges
        >>> data = simulate("michaelis-menten", tasks=60, entities=50, frames=5, graph="ba", shared=True)
        >>> int(data.edges[0].sum()) // 2, bool((data.edges == data.edges[0]).all())
        (96, True)
    """
    require_keywords("simulate", options, Options.__annotations__)
    if system not in SYSTEMS:
        raise InputError(f"simulate: unknown system {system!r}; choose one of {', '.join(SYSTEMS)}")
    chosen, where = SYSTEMS[system], f"simulate {system}"
    require_whole(where, tasks=(tasks, 1), entities=(entities, 2), frames=(frames, 2), seed=(seed, 0))
    if (threads := options.get("threads")) is not None:
        require_whole(where, threads=(threads, 1))
    if not 0 <= noise < np.inf:
        raise InputError(f"{where}: noise is {noise}; give a standard deviation of 0 or more")
    graph = Graph(options.get("graph", "random"), options.get("density"), options.get("shared", False), directed)
    graph.check(where, entities)
    if not chosen.any_graph:
        refuse_graph(where, graph)
    shape = (int(tasks), int(frames), int(entities), len(chosen.features))
    refuse_if_too_large(where, shape)

    streams = Streams.of(int(seed))
    start = chosen.start(streams, shape[0], shape[2], graph)
    x = np.empty(shape)
    follow_all(chosen, start, x, options)
    if noise:
        for task in x:  # one task at a time, since the noise of all tasks would double the memory
            task += noise * streams.noise.standard_normal(task.shape)
    return Trajectories(x, edges=start.edges, dt=chosen.dt, features=chosen.features, source=where)


def refuse_graph(where: str, graph: Graph) -> None:
    """Refuses kinds of graphs, and directed ones, where edges follow from charges."""
    if graph.directed:
        raise InputError(f"{where}: directed edges are impossible, a force between charges acts both ways; drop it")
    if graph.kind != "random":
        raise InputError(f"{where}: a graph {graph.kind} is impossible, edges follow from the charges; drop it")


def refuse_if_too_large(where: str, shape: tuple[int, int, int, int]) -> None:
    """Refuses states, edges and couplings that do not fit in `LARGEST_GB`."""
    m, t, n, d = shape
    size = 8 * m * (t * n * d + 3 * n * n) / 1e9
    if size > LARGEST_GB:
        raise InputError(
            f"{where}: {m} tasks, {t} frames, {n} entities and {d} features need about {size:.1f} GB, more than "
            f"{LARGEST_GB:g} GB; simulate fewer tasks, and others with another seed"
        )


def follow_all(system: System, start: Start, x: np.ndarray, running: Running) -> None:
    """Fills `x` block by block on threads; the numbers do not depend on which thread computes a block."""
    tasks, threads, progress = len(x), running.get("threads"), running.get("progress")
    if threads is None:
        from numba import config

        threads = int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # numba sets it on import
    size = min(64, max(1, tasks // (8 * threads)))
    blocks = [slice(first, min(first + size, tasks)) for first in range(0, tasks, size)]
    pool = ThreadPoolExecutor(threads)
    try:
        submitted = {pool.submit(system.follow, start.state[b], start.coupling[b], x[b]): b for b in blocks}
        done = 0
        for future in as_completed(submitted):
            future.result()
            done += submitted[future].stop - submitted[future].start
            if progress is not None:
                progress(done, tasks)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C only the blocks that have begun are finished
