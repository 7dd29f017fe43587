"""Simulated data with known edges: springs, charged particles and phase oscillators.

The laws are compiled and tasks run side by side on threads. Importing this loads neither the compiler nor torch.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate.systems import SYSTEMS, Start, Streams, System
from bouncegrad.data.trajectories import Trajectories

__all__ = ["SYSTEMS", "System", "simulate"]

LARGEST_GB = 16.0


def simulate(
    system: str,
    tasks: int,
    *,
    entities: int = 5,
    frames: int = 49,
    seed: int = 0,
    noise: float = 0.0,
    directed: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Trajectories:
    """Tasks of one system with their true edges, `x: Float[M, T, N, D]` in float64.

    The same arguments give the same arrays, element by element, for any number of threads. The first tasks do not
    depend on `tasks`, and without noise the first frames do not depend on `frames`. Frame t is at time
    `(t + 1) * dt`, as published: the start itself is not a frame. The settings are those of the published data sets;
    `springs` and `charged` follow their generator step by step (`particles.py`), `kuramoto` is in `oscillators.py`.

    Args:
        system: one of `SYSTEMS`: springs, springs3, charged or kuramoto.
        tasks: M >= 1.
        entities: N >= 2.
        frames: T >= 2, each 0.1 after the one before.
        seed: >= 0; each seed draws other tasks, and 0 is a seed like any other.
        noise: standard deviation of the Gaussian noise added to every observed number, in that feature's units.
        directed: draw each ordered pair on its own, so that edges act one way; by default both ways are alike.
        threads: how many run side by side; by default as many as this process has cores (`NUMBA_NUM_THREADS`).
        progress: called as `progress(done, tasks)` whenever some tasks are done.

    Raises:
        InputError: an unknown system, a value out of its range, `directed` charges, or more than 16 GB of data.

    Example:
        >>> data = simulate("springs", tasks=3)
        >>> print(data.summary())
        3 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth for 20 edges
    """
    if system not in SYSTEMS:
        raise InputError(f"simulate: unknown system {system!r}; choose one of {', '.join(SYSTEMS)}")
    chosen, where = SYSTEMS[system], f"simulate {system}"
    for name, value, least in (
        ("tasks", tasks, 1),
        ("entities", entities, 2),
        ("frames", frames, 2),
        ("seed", seed, 0),
        ("threads", 1 if threads is None else threads, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{where}: {name} is {value!r}; give a whole number of {least} or more")
    if not 0 <= noise < np.inf:
        raise InputError(f"{where}: noise is {noise}; give a standard deviation of 0 or more")
    if directed and not chosen.directed:
        raise InputError(f"{where}: directed edges are impossible, a force between charges acts both ways; drop it")
    shape = (int(tasks), int(frames), int(entities), len(chosen.features))
    refuse_if_too_large(where, shape)

    streams = Streams.of(int(seed))
    start = chosen.start(streams, shape[0], shape[2], directed)
    x = np.empty(shape)
    follow_all(chosen, start, x, threads, progress)
    if noise:
        for task in x:  # one at a time: the noise of all would double the memory
            task += noise * streams.noise.standard_normal(task.shape)
    return Trajectories(x, edges=start.edges, dt=chosen.dt, features=chosen.features, source=where)


def refuse_if_too_large(where: str, shape: tuple[int, int, int, int]) -> None:
    """Raise `InputError` if states, edges and couplings would not fit in 16 GB."""
    m, t, n, d = shape
    size = 8 * m * (t * n * d + 3 * n * n) / 1e9
    if size > LARGEST_GB:
        raise InputError(
            f"{where}: {m} tasks, {t} frames, {n} entities and {d} features need about {size:.1f} GB, more than "
            f"{LARGEST_GB:g} GB; simulate fewer tasks, and more of them under another seed"
        )


def follow_all(
    system: System, start: Start, x: np.ndarray, threads: int | None, progress: Callable[[int, int], object] | None
) -> None:
    """Fill `x` block by block on threads; which thread takes a block does not matter to its tasks."""
    tasks = len(x)
    if threads is None:
        from numba import config

        threads = int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # numba sets it on import
    size = min(64, max(1, tasks // (8 * threads)))
    blocks = [slice(first, min(first + size, tasks)) for first in range(0, tasks, size)]
    pool = ThreadPoolExecutor(threads)
    try:
        running = {pool.submit(system.follow, start.state[b], start.coupling[b], x[b]): b for b in blocks}
        done = 0
        for future in as_completed(running):
            future.result()
            done += running[future].stop - running[future].start
            if progress is not None:
                progress(done, tasks)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C only the blocks already begun are finished
