"""Structures that the forecasting stage learns from: the most probable ones given all frames, found part by part.

Many tasks take long, so inference can be left between two sweeps; the parts that were found are kept. By minutes it has
at most half of the time of the stage, which then learns from the tasks that were reached. Parts come in random order,
for recordings often lie in that of their conditions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.inference import Interrupted, infer, portions
from bouncegrad.core.priors import of_tasks
from bouncegrad.fitting.schedule import Schedule

LONGEST_SHARE = 0.5  # of the time of the stage


class MostProbable:
    """Finds the structures of the training tasks; the paper's search, which knows no probabilities, has its last ones.

    Args:
        loop: of the first stage, at its end.
        schedule: of the first stage, at its end.
        tracks: scaled states of the training tasks.
        stop: asked between sweeps; true leaves the part that is being inferred.
        state: where it stood, if it had begun.

    Attributes:
        z: `Int[M, E]`, in parts not reached those of training.
        done: parts so far.
        seconds: so far.
    """

    def __init__(
        self,
        loop: BounceGrad,
        schedule: Schedule,
        tracks: Float[Tensor, "M T N D"],
        stop: Callable[[], bool],
        state: dict[str, Any] | None = None,
    ) -> None:
        assert isinstance(loop.composition, GraphComposition)
        self.composition, self.search, self.schedule, self.tracks = loop.composition, loop.search, schedule, tracks
        self.stop, self.stopped, self.start = stop, False, 0.0  # of the part under way, in seconds
        self.z, self.done, self.seconds = loop.z.clone(), 0, 0.0
        self.shared, parts = None, []
        if isinstance(loop.search, HeatBath):
            self.shared = loop.search.group_of(torch.arange(len(tracks)))
            parts = portions(self.composition, len(tracks), self.shared is not None)
        generator = torch.Generator().manual_seed(schedule.config.seed)
        order = torch.randperm(len(parts), generator=generator, device="cpu").tolist()
        self.parts = [parts[i] for i in order]
        if state is not None:
            self.z.copy_(state["z"])
            self.done, self.seconds = min(state["done"], len(self.parts)), state["seconds"]

    def find(self, save: Callable[[], None]) -> bool:
        """Infers part by part, `save` is called after each; false where it was stopped before its end."""
        while self.done < len(self.parts) and not self.late:
            self.start = time.perf_counter()
            try:
                self.find_part(self.parts[self.done])
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
        """The structures of some tasks."""
        assert isinstance(self.search, HeatBath)
        tasks = part if self.shared is None else self.shared  # of shared graphs there is a row for each group
        prior, seed = of_tasks(self.search.prior, tasks), self.schedule.config.seed
        found = infer(self.composition, self.tracks[part], seed, self.search.coupling, prior, self.shared, self.leave)
        self.z[part] = found.z

    def leave(self) -> bool:
        """Whether inference ends here, asked before every sweep."""
        self.stopped = self.stop()
        return self.stopped or self.late

    @property
    def late(self) -> bool:
        """Whether the share of the time is over, or would be with one more part, where something was found by then."""
        config = self.schedule.config
        if config.minutes is None or not self.done:
            return False
        took = self.seconds + (time.perf_counter() - self.start if self.start else self.seconds / self.done)
        return took >= LONGEST_SHARE * (60 * config.minutes - self.schedule.seconds)

    @property
    def reached(self) -> tuple[Float[Tensor, "some T N D"], Int[Tensor, "some E"]]:
        """Tracks and structures of the tasks that inference came to, or of all."""
        if self.done == len(self.parts):
            return self.tracks, self.z
        tasks = torch.cat([torch.arange(part.start, part.stop) for part in self.parts[: self.done]]).sort().values
        return self.tracks[tasks], self.z[tasks]

    def state_dict(self) -> dict[str, Any]:
        """All that changes; holds the tensors themselves."""
        return {"z": self.z, "done": self.done, "seconds": self.seconds}
