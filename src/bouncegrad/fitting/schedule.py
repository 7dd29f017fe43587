"""How long a run is, and where it stands: by epochs (reproducible to the bit) or by minutes (fits the machine)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.pace import Pace, advanced, cosine
from bouncegrad.core.seams import Clock
from bouncegrad.settings.resolved import COOLING_TASKS, ResolvedConfig

ENOUGH = 10  # coolings whose gradient steps are enough: more bring hardly anything
LONGEST_COOLING = 0.7  # share of a run: modules need the rest at temperature 1
LATEST_RESTART = 0.4  # share of a run after which a restart would not have time to cool
SETTLED = 0.9  # share of the cooling after which type labels have settled
JUDGED = 1.5  # coolings after which type labels are judged
PATIENCE, REST = 40, 200  # passes without a lower loss before a halving, and passes after one that do not count
LOWEST = 1e-5  # learning rate (as published)
LAST = 0.02  # share of the learning rate at the end
REMEMBERED = 50  # passes whose mean time is taken


class Schedule:
    """Clocks of a run from where it stands to its end.

    The share of a run that `forecast` gives to the forecasting stage does not count here. By epochs, progress is the
    share of the gradient steps that `epochs` passes have. By minutes, each pass takes its share of the time left, see
    `core/pace.py`, so the schedule ends on time on a machine of any speed. If structures cool, a run ends earlier after
    ten times the steps of the cooling.

    The cooling takes `config.cooling` gradient steps, however long the run is, but at most 70 % of the run. A pass of
    the cooling is over at most 1,024 tasks, so that each of them is visited often.

    A pass is cut short when the run is stopped, and a resumed run continues there. It is also cut short when the time
    is over, which ends the run.

    Args:
        config: resolved settings.
        tasks: M.
        stop: asked before every batch; true ends the run early.
        processes: stop together, and go by the clock of the first.

    Attributes:
        within: seconds of the present pass.
        halted: whether the present pass was cut short by a stop.
    """

    def __init__(
        self,
        config: ResolvedConfig,
        tasks: int = 1,
        stop: Callable[[], bool] = lambda: False,
        processes: Processes = ALONE,
    ) -> None:
        self.config, self.tasks, self.processes = config, tasks, processes
        self.stop, self.halted, self.start, self.within = stop, False, 0.0, 0.0
        self.epoch, self.steps, self.progress, self.cooled, self.seconds = 0, 0, 0.0, 0.0, 0.0
        self.pace = Pace(REMEMBERED)
        self.best, self.waited, self.resting, self.halvings = math.inf, 0, 0, 0

    def clocks(self) -> Iterator[Clock]:
        """One clock per pass; after each the position (epoch, steps, progress ...) stands between passes."""
        cooling = self.config.cooling
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
                # Only a cooling says how many steps are enough.
                enough = ENOUGH * cooling - self.steps if self.config.annealer == "geometric" else math.inf
                share = self.pace.share(took, self.seconds_left)
                share = max(share, batches / (enough + batches)) if enough > 0 else 1.0
                self.progress = advanced(self.progress, share)
            self.seconds += took
            pace = max(batches / cooling, (self.progress - before) / LONGEST_COOLING)
            self.cooled = min(self.cooled + pace, JUDGED)

    @property
    def elapsed(self) -> float:
        """Seconds of the present pass; 0 in other processes than the first one, whose clock counts."""
        return (time.perf_counter() - self.start) * self.processes.first

    def cut_short(self) -> bool:
        """Whether the present pass ends here; asked between two batches."""
        stopped, self.within = self.processes.total([self.stop(), self.elapsed])
        self.halted = stopped > 0
        return self.halted or (self.config.epochs is None and self.within >= self.seconds_left)

    def note(self, loss: float) -> None:
        """Takes in the mean loss of a pass; on a plateau the rate is halved, and no pass counts for a while."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > PATIENCE:
            self.halvings, self.resting, self.waited = self.halvings + 1, REST, 0

    def restart(self) -> None:
        """Cools again from the start of the cooling; the steps and the time so far count."""
        self.cooled = 0.0

    @property
    def may_restart(self) -> bool:
        """Whether there is time for a restart: it is early, and this cooling was as long as it should be."""
        return self.steps >= self.config.cooling and self.progress < LATEST_RESTART

    @property
    def to_be_judged(self) -> bool:
        """Whether structures have cooled long enough to judge the type labels."""
        return self.config.annealer == "geometric" and self.cooled >= JUDGED

    @property
    def batches(self) -> int:
        """Number of gradient steps of the next pass."""
        return -(-(min(self.tasks, COOLING_TASKS) if self.cooling else self.tasks) // self.config.batch)

    @property
    def learning_rate(self) -> float:
        """Cosine from the first rate to 2 % of it, or halved on each plateau so far."""
        if self.config.rate == "plateau":
            return max(self.config.learning_rate * 0.5**self.halvings, min(LOWEST, self.config.learning_rate))
        return self.config.learning_rate * cosine(self.progress, LAST)

    @property
    def cooling(self) -> bool:
        """Whether structures are still being found."""
        return self.config.annealer == "geometric" and self.cooled < 1

    @property
    def labels_settled(self) -> bool:
        """Whether type labels have settled: in the last tenth of the cooling structures are sharp enough."""
        return self.config.annealer != "geometric" or self.cooled >= SETTLED

    @property
    def opening(self) -> float:
        """How much of the states, beside their differences, the edge modules see: from 0 to 1 as type labels settle.

        It rises between 0.4 and 0.7 of the cooling after the hot share. A later rise helps springs to find one law, an
        earlier one helps oscillators. It is always 1 if structures do not cool.
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
