"""The device and the number of threads of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from bouncegrad.data.errors import InputError

DEVICES = ("auto", "cpu", "cuda")
LARGEST_KEPT = 2**25 - 2**13  # bytes: a block just below the largest size that glibc adapts its threshold to


def device_named(name: str) -> torch.device:
    """Returns the device of this name; `auto` is a graphics card if there is one, else the CPU.

    Raises:
        InputError: there is no graphics card for `cuda`, or the name is unknown.
    """
    if name not in DEVICES:
        raise InputError(f"option device: {name!r} is not known; choose {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("setting device: 'cuda' cannot be used, PyTorch sees no graphics card; give cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


@contextmanager
def computing(device: str, threads: int | None) -> Iterator[torch.device]:
    """Sets the device of new tensors and the number of threads of matrix products on the CPU, while the block runs."""
    where, before = device_named(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    # glibc returns freed memory to the system if it exceeds twice the largest block that was ever freed. Wide networks
    # then cause a page fault for every page of their activations in each step, which costs a quarter of its time.
    # Freeing one large block beforehand avoids this.
    torch.empty(LARGEST_KEPT, dtype=torch.uint8, device="cpu")
    try:
        with nullcontext() if where.type == "cpu" else where:
            yield where
    finally:
        torch.set_num_threads(before)
