"""The time estimate of a run: a line is printed after its first steps if it will be long, or its time is too short."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from bouncegrad.fitting.schedule import LONGEST_COOLING, Schedule

TIMED = 5  # steps that are timed; the step before them is slow, because much is loaded in it
LONG = 1800.0  # seconds; a line is printed for longer runs


class TimeEstimate:
    """Times the first steps of a run, and prints one line if the user should know.

    Args:
        schedule: of the run.
        print_line: prints the line.
    """

    def __init__(self, schedule: Schedule, print_line: Callable[[str], None]) -> None:
        self.schedule, self.print_line = schedule, print_line
        self.ends: list[float] = []

    def __call__(self) -> None:
        """Records the time; it is called after every step."""
        if len(self.ends) > TIMED:
            return
        self.ends.append(time.perf_counter())
        if len(self.ends) > TIMED and (line := estimate(self.schedule, (self.ends[-1] - self.ends[0]) / TIMED)):
            self.print_line(line)


def estimate(schedule: Schedule, step: float) -> str:
    """Returns the time estimate as a line, from the seconds of a step; empty if the run is short with enough time."""
    config, tasks = schedule.config, schedule.tasks
    share = 1 - config.forecast
    whole = -(-tasks // config.batch) * step
    if config.epochs is not None:
        left = (config.epochs * whole - schedule.steps * step) / share
        return f"about {spoken(left)} left, {spoken(whole)} a pass" if left > LONG else ""
    # If there are many tasks, the passes of the cooling visit only some of them.
    cooling = config.cooling * step if config.annealer == "geometric" and tasks > config.cooling_tasks else 0.0
    limit = share * config.seconds
    if whole <= limit - min(cooling, LONGEST_COOLING * limit):
        return ""
    enough = math.ceil((cooling + whole) / share / 60)
    return (
        f"a pass over all {tasks:,} tasks takes about {spoken(whole)}, for which --minutes {config.minutes:g} leaves "
        f"no time: some tasks will not be visited; give {enough:,} minutes, fewer tasks or narrower modules"
    )


def spoken(seconds: float) -> str:
    """Returns a time with a suitable unit.

    Example:
        >>> [spoken(seconds) for seconds in (0.25, 40.0, 150.0, 9000.0)]
        ['0.25 s', '40 s', '2.5 min', '2.5 h']
    """
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
