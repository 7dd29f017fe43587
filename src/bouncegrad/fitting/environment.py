"""The environment of a run: how it is stopped, where it reports to, and which processes share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bouncegrad.core.distributed import ALONE, Processes

Row = dict[str, Any]


@dataclass(frozen=True)
class Environment:
    """The environment of a run; by default it is never stopped, reports nothing, and has one process.

    Args:
        stop: called before every batch; if it returns true, the run saves a checkpoint and ends.
        report: called with each new row of metrics and the share of the run that is done.
        print_line: prints a line for the user, if a run will take long or its time is too short for one pass.
        processes: the processes that share the tasks. Only the first one writes files, reports, and trains the
            forecasting modules.
        visits_a_row: batches between two rows of metrics; None: the usual number, see `Recording`.
    """

    stop: Callable[[], bool] = lambda: False
    report: Callable[[Row, float], None] = lambda row, progress: None
    print_line: Callable[[str], None] = lambda line: None
    processes: Processes = ALONE
    visits_a_row: int | None = None
