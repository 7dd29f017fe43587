"""The machine that figures are measured on."""

from __future__ import annotations

import os
import platform

import torch

from bouncegrad import __version__


def machine() -> dict[str, object]:
    """Returns processor, cores, threads and versions."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "bouncegrad": __version__,
    }
