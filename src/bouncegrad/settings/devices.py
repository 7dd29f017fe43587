"""Where a run computes: on which device, and with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from bouncegrad.data.errors import InputError

DEVICES = ("auto", "cpu", "cuda")
LARGEST_KEPT = 2**25 - 2**13  # bytes: the largest block that glibc learns from


def device_named(name: str) -> torch.device:
    """`cpu`, `cuda`, or the one that `auto` stands for: a graphics card where there is one.

    Raises:
        InputError: `cuda` where none can be used, or another name.
    """
    if name not in DEVICES:
        raise InputError(f"option device: {name!r} is not known; choose {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("setting device: 'cuda' cannot be used, PyTorch sees no graphics card; give cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


@contextmanager
def computing(device: str, threads: int | None) -> Iterator[torch.device]:
    """New tensors are made on this device, and matrix products of the CPU run with so many threads; then as before."""
    where, before = device_named(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    # glibc returns what is freed to the system past twice the largest block it was ever given back, and wide networks
    # then fault every page of their activations in anew, a quarter of a step. So it is given a large one.
    torch.empty(LARGEST_KEPT, dtype=torch.uint8, device="cpu")
    try:
        with nullcontext() if where.type == "cpu" else where:
            yield where
    finally:
        torch.set_num_threads(before)
