"""Several processes that train one model: each has a fixed shard of the tasks, and all take the same gradient steps.

    tasks of process p of P     [p M / P, (p + 1) M / P), with their structures and evidence
    gradient                    Σ_p Σ_{b of p} ∇ loss_b / B,  one all-reduce a step

Every process draws all random numbers of a batch and uses those of its own tasks, so a run does not depend on how many
processes share it, up to the order of floating-point sums.

The gradients are summed here rather than by `DistributedDataParallel`: a batch may leave a process without a task, the
shards of a batch are not of one size, and the guard has to see the sum before the optimizer does. Modules have some
10^4 weights, so that there is nothing to overlap the one small message with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bouncegrad.data.errors import InputError


class LostProcess(Exception):
    """Another process of the run has ended."""


class Processes:
    """The processes of a run, as one of them sees them; alone by default.

    Args:
        rank: number of this process, from 0; the first one writes.
        count: how many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this one writes and reports."""
        return self.rank == 0

    def shard(self, tasks: int, rank: int | None = None) -> tuple[int, int]:
        """First task of a process, by default of this one, and the one after its last."""
        rank = self.rank if rank is None else rank
        return rank * tasks // self.count, (rank + 1) * tasks // self.count

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Sums over processes."""
        if self.count == 1:
            return list(numbers)
        return self._summed(torch.tensor(numbers, dtype=torch.float64)).tolist()

    def as_first(self, value: Tensor) -> Tensor:
        """The first process's value, of the same shape in all."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        told = value.contiguous()
        self._met(partial(dist.broadcast, told, 0))
        return told

    def add_gradients(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        """Puts the sum of all processes' gradients in the place of each; returns the sum of their losses."""
        if self.count == 1:
            return loss
        learned = [p for group in optimizer.param_groups for p in group["params"]]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        there = loss.new_tensor([p.grad is not None for p in learned])
        total = self._summed(torch.cat([*(part.flatten() for part in parts), there, loss.detach().view(1)]))
        *parts, there, loss = total.split([*(p.numel() for p in learned), len(learned), 1])
        for p, part, somewhere in zip(learned, parts, there.tolist(), strict=True):
            p.grad = part.view_as(p) if somewhere else None
        return loss[0]

    def gather(self, rows: Tensor) -> None:
        """Puts the rows of all shards in their places in the first process's tensor, `[M, ...]`."""
        if self.count == 1:
            return
        import torch.distributed as dist

        if not self.first:
            low, high = self.shard(len(rows))
            self._met(partial(dist.send, rows[low:high], 0))
            return
        for other in range(1, self.count):
            low, high = self.shard(len(rows), other)
            self._met(partial(dist.recv, rows[low:high], other))

    def by_first(self, action: Callable[[], None]) -> None:
        """Done by the first process alone, while the others wait.

        Raises:
            InputError: it was refused.
        """
        refused: InputError | None = None
        if self.first:
            try:
                action()
            except InputError as error:
                refused = error
        if self.total([refused is not None])[0]:
            raise refused or InputError("refused by the first process")

    def _summed(self, values: Tensor) -> Tensor:
        import torch.distributed as dist

        self._met(partial(dist.all_reduce, values))
        return values

    def _met(self, exchange: Callable[[], Any]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            time.sleep(0.5)  # gloo's thread lets go of its tensors; once the interpreter ends it would abort instead
            raise LostProcess("another process has ended") from error


ALONE = Processes()


@contextmanager
def joined(rank: int, count: int) -> Iterator[Processes]:
    """The processes of a run, once all have met where torchrun's environment says; nobody waits for one alone.

    Raises:
        InputError: they do not find each other.
    """
    if count == 1:
        yield ALONE
        return
    import torch.distributed as dist

    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        line = str(error).splitlines()[0]
        raise InputError(f"process {rank} of {count} did not meet the others ({line}); start with torchrun") from None
    try:
        yield Processes(rank, count)
    finally:
        dist.destroy_process_group()
