"""The parts of a run that change while it trains, and how they are assembled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.seams import Relational
from bouncegrad.fitting.delayed_coupling import DelayedCoupling
from bouncegrad.fitting.environment import Environment
from bouncegrad.fitting.prepare import Prepared
from bouncegrad.fitting.restarts import Restarts
from bouncegrad.fitting.schedule import Schedule
from bouncegrad.settings.build import build
from bouncegrad.settings.resolved import ResolvedConfig


@dataclass(frozen=True)
class Parts:
    """The parts of a run.

    Args:
        composition: the modules that are trained.
        loop: the BounceGrad loop; it holds the composition, the structures of all tasks and the random generator.
        frames: draws batches of random frames.
        batches: the same batches; they are mirrored if the setting `mirror` is on.
        cooled: tasks that are visited while structures cool; None: all.
        schedule: the length of the run, and its progress.
        restarts: judges the type labels, and restarts from other first weights if they may be wrong.
        coupling: sets when the coupling of edges begins to act.
    """

    composition: Relational
    loop: BounceGrad
    frames: RandomFrames
    batches: Callable[[torch.Generator], Iterator[Batch]]
    cooled: Int[Tensor, " few"] | None
    schedule: Schedule
    restarts: Restarts
    coupling: DelayedCoupling

    @property
    def visited(self) -> Int[Tensor, " some"] | None:
        """Tasks with structures that fit the present modules; None: all.

        The other tasks were not visited yet, or not since the cooling.
        """
        so_far = self.frames.visited
        if self.frames.few is not None or self.cooled is None or so_far is None:
            return self.frames.few
        return torch.cat([self.cooled, so_far]).unique()


def assemble(prepared: Prepared, environment: Environment) -> Parts:
    """Assembles the parts of a new run."""
    config, data, processes = prepared.config, prepared.data, environment.processes
    truth = data.edges if config.proposal == "truth" else None

    def built(seed: int) -> tuple[BounceGrad, RandomFrames | Mirrored]:
        settings = replace(config, seed=seed % 2**63)
        known, first = prepared.known, prepared.first
        return build(settings, data.without_edges(), prepared.scaling, prepared.pairs, known, truth, first)

    loop, batches = built(config.seed)
    assert isinstance(loop.composition, Relational)
    loop.processes = processes
    frames = batches.batches if isinstance(batches, Mirrored) else batches
    frames.shard = processes.shard(len(data.tasks)) if processes.count > 1 else None
    cooled = cooling_tasks(len(data.tasks), config)
    some = torch.arange(len(data.tasks)) if cooled is None else cooled
    tracks = frames.tracks[some]
    return Parts(
        loop.composition,
        loop,
        frames,
        batches,
        cooled,
        Schedule(config, len(data.tasks), environment.stop, processes, prepared.spent),
        Restarts(loop, loop.composition, tracks, some, lambda start: built(config.seed + start)[0]),
        DelayedCoupling(loop, loop.composition, tracks, some),
    )


def cooling_tasks(tasks: int, config: ResolvedConfig) -> Int[Tensor, " few"] | None:
    """Returns the tasks that are visited while structures cool, few enough to visit each of them often; None: all."""
    if tasks <= config.cooling_tasks:
        return None
    order = torch.randperm(tasks, generator=torch.Generator().manual_seed(config.seed), device="cpu")
    return order[: config.cooling_tasks].to(torch.get_default_device())
