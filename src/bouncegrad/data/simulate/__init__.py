"""Simulates data with known edges: springs, charged particles and phase oscillators.

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
from bouncegrad.data.simulate.systems import SYSTEMS, Start, Streams, System
from bouncegrad.data.trajectories import Trajectories

__all__ = ["SYSTEMS", "System", "simulate"]

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


def simulate(
    system: str,
    tasks: int,
    *,
    entities: int = 5,
    frames: int = 49,
    seed: int = 0,
    noise: float = 0.0,
    directed: bool = False,
    **running: Unpack[Running],
) -> Trajectories:
    """Returns simulated tasks of one system with their true edges, `x: Float[M, T, N, D]` in float64.

    The same arguments give the same arrays, to the last bit, for any number of threads. The first tasks do not depend
    on `tasks`, and without noise the first frames do not depend on `frames`. Frame t is at time `(t + 1) * dt`, as in
    the published data: the initial state is not a frame. The settings are those of the published data sets. `springs`
    and `charged` follow the published generator step by step (`particles.py`); `kuramoto` is in `oscillators.py`.

    Args:
        system: one of `SYSTEMS`: springs, springs3, charged or kuramoto.
        tasks: M >= 1.
        entities: N >= 2.
        frames: T >= 2; the time between two frames is 0.1.
        seed: an integer >= 0. Different seeds give different tasks.
        noise: standard deviation of the Gaussian noise that is added to every observed number, in the feature's units.
        directed: whether each ordered pair is drawn independently. By default both directions of a pair have one type.
        running: how the simulation runs, see `Running`: `threads`, the number of threads, by default all cores;
            `progress`, a function that is called as `progress(done, tasks)`.

    Raises:
        InputError: the system is unknown, a value is out of its range, `directed` is given for charges, or the data
            would need more than 16 GB.
        TypeError: an argument is not known.

    Example:
        >>> data = simulate("springs", tasks=3)
        >>> print(data.summary())
        3 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth for 20 edges
    """
    require_keywords("simulate", running, Running.__annotations__)
    if system not in SYSTEMS:
        raise InputError(f"simulate: unknown system {system!r}; choose one of {', '.join(SYSTEMS)}")
    chosen, where = SYSTEMS[system], f"simulate {system}"
    require_whole(where, tasks=(tasks, 1), entities=(entities, 2), frames=(frames, 2), seed=(seed, 0))
    if (threads := running.get("threads")) is not None:
        require_whole(where, threads=(threads, 1))
    if not 0 <= noise < np.inf:
        raise InputError(f"{where}: noise is {noise}; give a standard deviation of 0 or more")
    if directed and not chosen.directed:
        raise InputError(f"{where}: directed edges are impossible, a force between charges acts both ways; drop it")
    shape = (int(tasks), int(frames), int(entities), len(chosen.features))
    refuse_if_too_large(where, shape)

    streams = Streams.of(int(seed))
    start = chosen.start(streams, shape[0], shape[2], directed)
    x = np.empty(shape)
    follow_all(chosen, start, x, running)
    if noise:
        for task in x:  # one task at a time, since the noise of all tasks would double the memory
            task += noise * streams.noise.standard_normal(task.shape)
    return Trajectories(x, edges=start.edges, dt=chosen.dt, features=chosen.features, source=where)


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
