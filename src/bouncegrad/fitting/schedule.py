"""How long a run is, and where it stands: by passes (reproducible to the bit) or by minutes (fits the machine)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from statistics import fmean

from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.seams import Clock
from bouncegrad.settings.config import FEW, Config

ENOUGH = 10
LONGEST_SHARE, LATEST_START = 0.7, 0.4
FORMED = 0.9  # of the cooling
JUDGED = 1.5  # coolings after which names are looked at
PATIENCE, REST = 40, 200  # passes without a lower loss that are borne, and that are not looked at after a halving
LOWEST = 1e-5


class Schedule:
    """Clocks of a run from where it stands to its end.

    This is the first stage of a run; what `forecast` gives to the second does not count. By epochs, progress is the
    share of the gradient steps that `epochs` passes have. By minutes, every pass moves progress on by its share of what
    is left, `progress += (1 - progress) * mean pass / time left`, so the schedule ends on time on a machine of any
    speed. The mean is over the last passes, so that a stall of the machine is spread over many and skips no
    temperatures. Where structures cool, a run is done before its time after ten times the steps of the cooling.

    The cooling takes `config.cooling` gradient steps however long the run is, for slower cooling finds nothing
    better; where that would be more than 70 % of the run, it takes these. A pass of the cooling is over at most
    1,024 tasks, so that each is visited often.

    A pass is cut short when the run is stopped, and goes on there when the run does; and when its time is over, which
    ends the run.

    Args:
        config: resolved settings.
        tasks: M.
        stop: asked before every batch; true ends the run early.
        processes: stop together, and go by the clock of the first.

    Attributes:
        within: seconds of the pass under way.
        halted: whether it was cut short by a stop.
    """

    def __init__(
        self,
        config: Config,
        tasks: int = 1,
        stop: Callable[[], bool] = lambda: False,
        processes: Processes = ALONE,
    ) -> None:
        self.config, self.tasks, self.processes = config, tasks, processes
        self.stop, self.halted, self.start, self.within = stop, False, 0.0, 0.0
        self.epoch, self.steps, self.progress, self.cooled, self.seconds = 0, 0, 0.0, 0.0, 0.0
        self.recent: deque[float] = deque(maxlen=50)
        self.best, self.waited, self.resting, self.halvings = math.inf, 0, 0, 0

    def clocks(self) -> Iterator[Clock]:
        """One clock per pass; after each the position (epoch, steps, progress ...) stands between passes."""
        cooling = self.config.cooling
        assert cooling is not None
        while self.progress < 1.0 and not self.processes.total([self.stop()])[0]:
            self.start, before = time.perf_counter() - self.within, self.progress
            yield Clock(self.epoch, self.progress, min(self.cooled, 1.0))
            if self.halted:
                return
            (took,), self.within = self.processes.total([self.elapsed]), 0.0
            batches = self.batches
            self.epoch += 1
            self.steps += batches
            if self.config.epochs is not None:
                self.progress = min(self.steps / (self.config.epochs * -(-self.tasks // self.config.batch)), 1.0)
            else:
                # Only where structures cool is it known how many steps are enough.
                enough = ENOUGH * cooling - self.steps if self.config.annealer == "geometric" else math.inf
                left = self.seconds_left
                self.recent.append(took)
                share = fmean(self.recent) / left if took < left else 1.0
                share = max(share, batches / (enough + batches)) if enough > 0 else 1.0
                self.progress += (1 - self.progress) * min(share, 1.0)
            self.seconds += took
            pace = max(batches / cooling, (self.progress - before) / LONGEST_SHARE)
            self.cooled = min(self.cooled + pace, JUDGED)

    @property
    def elapsed(self) -> float:
        """Seconds of the pass under way; in other processes than the first, whose clock counts, 0."""
        return (time.perf_counter() - self.start) * self.processes.first

    def cut_short(self) -> bool:
        """Whether the pass under way ends here, asked between two batches."""
        stopped, self.within = self.processes.total([self.stop(), self.elapsed])
        self.halted = stopped > 0
        return self.halted or (self.config.epochs is None and self.within >= self.seconds_left)

    def note(self, loss: float) -> None:
        """Takes in the mean loss of a pass; on a plateau the rate is halved, and a while of rest follows."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > PATIENCE:
            self.halvings, self.resting, self.waited = self.halvings + 1, REST, 0

    def start_again(self) -> None:
        """Cools once more, from the start; what is behind counts."""
        self.cooled = 0.0

    @property
    def may_start_again(self) -> bool:
        """Whether there is room for another start: it is early, and this cooling was as long as it should be."""
        assert self.config.cooling is not None
        return self.steps >= self.config.cooling and self.progress < LATEST_START

    @property
    def to_be_judged(self) -> bool:
        """Whether structures have cooled and settled, so that they tell right from wrong."""
        return self.config.annealer == "geometric" and self.cooled >= JUDGED

    @property
    def batches(self) -> int:
        """Gradient steps of the next pass."""
        return -(-(min(self.tasks, FEW) if self.cooling else self.tasks) // self.config.batch)

    @property
    def learning_rate(self) -> float:
        """Cosine from the first rate to 2 % of it, or halved on each plateau so far."""
        assert self.config.learning_rate is not None
        if self.config.rate == "plateau":
            return max(self.config.learning_rate * 0.5**self.halvings, min(LOWEST, self.config.learning_rate))
        return self.config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    @property
    def cooling(self) -> bool:
        """Whether structures are still being found."""
        return self.config.annealer == "geometric" and self.cooled < 1

    @property
    def formed(self) -> bool:
        """Whether names have formed: the last tenth of the cooling is sharp enough."""
        return self.config.annealer != "geometric" or self.cooled >= FORMED

    @property
    def opening(self) -> float:
        """How much of the states, beside their differences, the edge modules see: 0, then 1 as names have settled.

        Rises from 0.4 to 0.7 of the cooling: springs find one law the later it does, oscillators the earlier. Always 1
        where nothing cools.
        """
        if self.config.annealer != "geometric":
            return 1.0
        hot = self.config.hot
        return min(max(((self.cooled - hot) / (1 - hot) - 0.4) / 0.3, 0.0), 1.0)

    @property
    def seconds_left(self) -> float:
        """An estimate, from the progress so far."""
        if self.config.epochs is None:
            minutes = (1 - self.config.forecast) * (self.config.minutes or 0.0)
            return max(60 * minutes - self.seconds, 0.0)
        return self.seconds / self.progress * (1 - self.progress) if self.progress else math.inf

    def state_dict(self) -> dict[str, float]:
        names = ("epoch", "steps", "progress", "cooled", "seconds", "within", "best", "waited", "resting", "halvings")
        return {name: getattr(self, name) for name in names}
