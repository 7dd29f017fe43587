"""What surrounds a run: who can stop it, who listens to it, and which processes share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bouncegrad.core.distributed import ALONE, Processes

Row = dict[str, Any]


@dataclass(frozen=True)
class Environment:
    """What surrounds a run; by default nobody stops it, nobody listens, and it is alone.

    Args:
        stop: asked before every batch; if true, the run saves a checkpoint and ends.
        report: called with each new row of metrics and the share of the run that is done.
        print_line: called with a line for the user, if a run will take long or its time is too short for one pass.
        processes: that share the tasks; the first one writes and reports, and learns to forecast alone.
    """

    stop: Callable[[], bool] = lambda: False
    report: Callable[[Row, float], None] = lambda row, progress: None
    print_line: Callable[[str], None] = lambda line: None
    processes: Processes = ALONE
