"""Final structures: the most probable structures given all frames; the forecasting stage learns from them.

Inference of many tasks takes long. So tasks are inferred in parts, inference can be stopped between two sweeps, and
finished parts are kept. If the run has a limit in minutes, inference takes at most half of the time of the forecasting
stage, which then learns from the finished tasks only. Parts come in random order, because recordings are often stored
in the order of their conditions. The stage learns from at most 32,768 tasks, which are kept in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.inference import Interrupted, infer, portions
from bouncegrad.core.priors import of_tasks
from bouncegrad.core.seams import ConditionalSearch
from bouncegrad.fitting.parts import Parts

TIME_SHARE = 0.5  # of the time of the forecasting stage; the other half is left for learning
MOST = 2**15  # tasks that the stage learns from


class FinalStructures:
    """Finds the final structures of the training tasks; a search without probabilities keeps its last structures.

    Args:
        parts: the parts of the run, after the calibration.
        tracks: scaled states of the training tasks, or of those in `tasks`.
        stop: called between sweeps; if it returns true, the present part is given up.
        state: the state from a checkpoint; None: inference begins.
        tasks: the numbers of the tasks; None: all training tasks.

    Attributes:
        z: `Int[M, E]`, final structures; unfinished tasks have the structures of training.
        done: the number of finished parts.
        seconds: the time spent so far.
    """

    def __init__(
        self,
        parts: Parts,
        tracks: Float[Tensor, "M T N D"],
        stop: Callable[[], bool],
        state: dict[str, Any] | None = None,
        tasks: Int[Tensor, " M"] | None = None,
    ) -> None:
        loop, self.schedule, self.composition, self.tracks = parts.loop, parts.schedule, parts.composition, tracks
        self.search = loop.search if isinstance(loop.search, ConditionalSearch) else None
        self.stop, self.stopped = stop, False
        self.start = 0.0  # when the present part began
        self.tasks = torch.arange(len(tracks), device=loop.z.device) if tasks is None else tasks.to(loop.z.device)
        self.z, self.done, self.seconds = loop.z[self.tasks], 0, 0.0
        self.shared, slices = None, []
        if self.search is not None:
            self.shared = self.search.group_of(self.tasks)
            slices = portions(self.composition, len(tracks), self.shared is not None)
        generator = torch.Generator().manual_seed(self.schedule.config.seed)
        order = torch.randperm(len(slices), generator=generator, device="cpu").tolist()
        self.slices = [slices[i] for i in order]
        if state is not None:
            self.z.copy_(state["z"])
            self.done, self.seconds = min(state["done"], len(self.slices)), state["seconds"]

    def find(self, save: Callable[[], None]) -> bool:
        """Infers part by part, and calls `save` after each part; returns false if it was stopped before its end."""
        while self.done < len(self.slices) and not self.late:
            self.start = time.perf_counter()
            try:
                self.find_part(self.slices[self.done])
            except Interrupted:
                if self.stopped:
                    return False
                break
            finally:
                self.seconds, self.start = self.seconds + time.perf_counter() - self.start, 0.0
            self.done += 1
            save()
        return True

    def find_part(self, part: slice) -> None:
        """Finds the structures of some tasks."""
        assert self.search is not None
        # The prior of shared graphs has a row for each group.
        tasks = self.tasks[part] if self.shared is None else self.shared
        prior, seed = of_tasks(self.search.prior, tasks), self.schedule.config.seed
        found = infer(self.composition, self.tracks[part], seed, self.search.coupling, prior, self.shared, self.leave)
        self.z[part] = found.z

    def leave(self) -> bool:
        """Returns whether inference stops here; it is called before every sweep."""
        self.stopped = self.stop()
        return self.stopped or self.late

    @property
    def late(self) -> bool:
        """Whether the time is over, or would be over after one more part; the first part is always inferred."""
        config = self.schedule.config
        if config.minutes is None or not self.done:
            return False
        took = self.seconds + (time.perf_counter() - self.start if self.start else self.seconds / self.done)
        return took >= TIME_SHARE * (config.seconds - self.schedule.seconds)

    @property
    def reached(self) -> tuple[Float[Tensor, "some T N D"], Int[Tensor, "some E"]]:
        """Tracks and structures of the finished tasks."""
        if self.done == len(self.slices):
            return self.tracks, self.z
        tasks = torch.cat([torch.arange(part.start, part.stop) for part in self.slices[: self.done]]).sort().values
        return self.tracks[tasks], self.z[tasks]

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that changes; tensors are shared, not copied."""
        return {"z": self.z, "done": self.done, "seconds": self.seconds}


def learned_from(count: int) -> Int[Tensor, " some"] | slice:
    """Returns the tasks that the stage learns from: all, or at most 32,768, evenly spaced.

    Example:
        >>> learned_from(5), len(learned_from(100_000))
        (slice(None, None, None), 25000)
    """
    return slice(None) if count <= MOST else torch.arange(0, count, -(-count // MOST))
