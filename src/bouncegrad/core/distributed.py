"""Several processes train one model: each has a fixed shard of the tasks, and all take the same gradient steps.

    tasks of process p of P     [p M / P, (p + 1) M / P), with their structures and evidence
    gradient                    Σ_p Σ_{b of p} ∇ loss_b / B,  one all-reduce per step

Every process draws all random numbers of a batch and uses those of its own tasks. So a run does not depend on the
number of processes, up to the order of floating-point sums.

The gradients are summed here rather than by `DistributedDataParallel`, because a batch may leave a process without a
task, the shards of a batch differ in size, and the guard has to see the sum before the optimizer does. Modules have
about 10^4 weights, so it would not help to send gradients while others are still computed.
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
    """The processes of a run, as seen by one of them; by default there is only one.

    Args:
        rank: number of this process, from 0. Process 0, the first one, writes and reports.
        count: number of processes.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def shard(self, tasks: int, rank: int | None = None) -> tuple[int, int]:
        """Returns the first task of a process and the task after its last; by default of this process."""
        rank = self.rank if rank is None else rank
        return rank * tasks // self.count, (rank + 1) * tasks // self.count

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Returns the sums over all processes."""
        if self.count == 1:
            return list(numbers)
        # On the default device: numbers have none, and both backends can sum there.
        return self._summed(torch.tensor(numbers, dtype=torch.float64)).tolist()

    def as_first(self, value: Tensor) -> Tensor:
        """Returns the value of the first process; the shape must be the same in all processes."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        received = value.contiguous()
        self._exchange(partial(dist.broadcast, received, 0))
        return received

    def add_gradients(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        """Replaces the gradients by their sum over all processes; returns the sum of the losses."""
        if self.count == 1:
            return loss
        learned = [p for group in optimizer.param_groups for p in group["params"]]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        has_gradient = loss.new_tensor([p.grad is not None for p in learned])
        total = self._summed(torch.cat([*(part.flatten() for part in parts), has_gradient, loss.detach().view(1)]))
        *parts, has_gradient, loss = total.split([*(p.numel() for p in learned), len(learned), 1])
        for p, part, exists in zip(learned, parts, has_gradient.tolist(), strict=True):
            p.grad = part.view_as(p) if exists else None
        return loss[0]

    def gather(self, rows: Tensor) -> None:
        """Copies the rows of all shards to their places in the first process's tensor, `[M, ...]`."""
        if self.count == 1:
            return
        import torch.distributed as dist

        if not self.first:
            low, high = self.shard(len(rows))
            self._exchange(partial(dist.send, rows[low:high], 0))
            return
        for other in range(1, self.count):
            low, high = self.shard(len(rows), other)
            self._exchange(partial(dist.recv, rows[low:high], other))

    def by_first(self, action: Callable[[], None]) -> None:
        """Runs the action in the first process only, while the others wait.

        Raises:
            InputError: the action raised it; it is raised in every process.
        """
        refused: InputError | None = None
        if self.first:
            try:
                action()
            except InputError as error:
                refused = error
        if self.total([refused is not None])[0]:
            raise refused or InputError("the first process refused this")

    def _summed(self, values: Tensor) -> Tensor:
        import torch.distributed as dist

        self._exchange(partial(dist.all_reduce, values))
        return values

    def _exchange(self, operation: Callable[[], Any]) -> None:
        try:
            operation()
        except RuntimeError as error:
            time.sleep(0.5)  # gloo's thread releases its tensors; if the interpreter ended first, it would abort
            raise LostProcess("another process has ended") from error


ALONE = Processes()


@contextmanager
def joined(rank: int, count: int) -> Iterator[Processes]:
    """Yields the processes of a run after they have connected as set by torchrun; a single process does not wait.

    Raises:
        InputError: the processes cannot connect.
    """
    if count == 1:
        yield ALONE
        return
    import torch.distributed as dist

    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        line = str(error).splitlines()[0]
        raise InputError(f"process {rank} of {count} could not connect ({line}); start all with torchrun") from None
    try:
        yield Processes(rank, count)
    finally:
        dist.destroy_process_group()
