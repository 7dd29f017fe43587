"""How long a run takes, said where that is long or the time too short, as soon as its first steps have been timed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from bouncegrad.fitting.schedule import LONGEST_SHARE, Schedule
from bouncegrad.settings.config import FEW

TIMED = 5  # steps, after a first one in which much is loaded
LONG = 1800.0  # seconds


class Foretelling:
    """Times the first steps, and says one line where it matters.

    Args:
        schedule: of the run.
        say: takes the line.
    """

    def __init__(self, schedule: Schedule, say: Callable[[str], None]) -> None:
        self.schedule, self.say = schedule, say
        self.ends: list[float] = []

    def __call__(self) -> None:
        """A step has ended."""
        if len(self.ends) > TIMED:
            return
        self.ends.append(time.perf_counter())
        if len(self.ends) > TIMED and (line := foretold(self.schedule, (self.ends[-1] - self.ends[0]) / TIMED)):
            self.say(line)


def foretold(schedule: Schedule, step: float) -> str:
    """What is to be expected of a run in which a step takes so many seconds; nothing where it is as anybody would."""
    config, tasks = schedule.config, schedule.tasks
    share = 1 - config.forecast
    whole = -(-tasks // config.batch) * step
    if config.epochs is not None:
        left = (config.epochs * whole - schedule.steps * step) / share
        return f"about {spoken(left)} to come, {spoken(whole)} a pass" if left > LONG else ""
    assert config.minutes is not None
    assert config.cooling is not None
    # A pass of the cooling is over a few tasks alone, where there are more.
    cooling = config.cooling * step if config.annealer == "geometric" and tasks > FEW else 0.0
    if whole <= 60 * share * config.minutes - min(cooling, LONGEST_SHARE * 60 * share * config.minutes):
        return ""
    enough = math.ceil((cooling + whole) / share / 60)
    return (
        f"a pass over all {tasks:,} tasks takes about {spoken(whole)}, for which --minutes {config.minutes:g} leaves "
        f"no time: some tasks will not be visited; give {enough:,} minutes, fewer tasks or narrower modules"
    )


def spoken(seconds: float) -> str:
    """A time for people.

    Example:
        >>> [spoken(seconds) for seconds in (0.25, 40.0, 150.0, 9000.0)]
        ['0.25 s', '40 s', '2.5 min', '2.5 h']
    """
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
