"""The schedule: the length of a run, in epochs (reproducible to the bit) or in minutes, and its progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.core.pace import Pace, advanced, cosine
from bouncegrad.core.seams import Clock
from bouncegrad.settings.resolved import ResolvedConfig

ENOUGH = 10  # a run of ten times the steps of its cooling is long enough; more steps hardly help
ENOUGH_JOINTLY = 50  # the same for joint draws, whose cooling is short, since it visits few tasks
LONGEST_COOLING = 0.7  # of a run; modules need the rest at temperature 1
LATEST_RESTART = 0.4  # of a run; a later restart would not have enough time to cool
SETTLED = 0.9  # of the cooling; type labels have settled then
JUDGED_JOINTLY = 5.0  # the same for joint draws: with many entities labels settle later
NARROW_JOINTLY = 2.0  # coolings after which joint draws visit all tasks; few tasks do not teach the whole law
JUDGED = 1.5  # times the cooling; type labels are judged then
PATIENCE, REST = 40, 200  # passes without a lower loss before a halving, and passes after a halving that do not count
LOWEST = 1e-5  # learning rate (as published)
LAST = 0.02  # the last learning rate, as a share of the first one
REMEMBERED = 50  # passes in the mean time of a pass


class Schedule:
    """Makes the clocks of a run, from its present state to its end.

    The forecasting stage, with its share `forecast` of the run, does not count here. If epochs are given, progress is
    the share of the gradient steps of all epochs. If minutes are given, each pass takes its share of the time left, see
    `core/pace.py`, so the run ends on time on any machine. If structures cool, such a run also ends after ten times the
    steps of the cooling, or fifty times with joint draws.

    The cooling takes `config.cooling` gradient steps, but at most 70 % of the run. During the cooling, a pass visits at
    most `config.cooling_tasks` tasks, so that each of them is visited often; with joint draws for twice as long.

    If the run is stopped within a pass, a resumed run continues there. If the time is over within a pass, the run ends
    there.

    Args:
        config: resolved settings.
        tasks: M.
        stop: called before every batch; if it returns true, the run ends early.
        processes: they stop together, and use the clock of the first process.
        spent: seconds of the limit of time that were needed before the first pass.

    Attributes:
        within: seconds of the present pass.
        halted: whether the run was stopped within the present pass.
    """

    def __init__(
        self,
        config: ResolvedConfig,
        tasks: int = 1,
        stop: Callable[[], bool] = lambda: False,
        processes: Processes = ALONE,
        spent: float = 0.0,
    ) -> None:
        self.config, self.tasks, self.processes, self.spent = config, tasks, processes, spent
        self.stop, self.halted, self.start, self.within = stop, False, 0.0, 0.0
        self.epoch, self.steps, self.progress, self.cooled, self.seconds = 0, 0, 0.0, 0.0, 0.0
        self.pace = Pace(REMEMBERED)
        self.best, self.waited, self.resting, self.halvings = math.inf, 0, 0, 0

    def clocks(self) -> Iterator[Clock]:
        """Yields one clock per pass; after each pass it updates epoch, steps, progress and the other counters."""
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
                # Without a cooling, it is not known how many steps are enough.
                coolings = ENOUGH_JOINTLY if self.config.search == "joint-draws" else ENOUGH
                enough = coolings * cooling - self.steps if self.config.annealer == "geometric" else math.inf
                share = self.pace.share(took, self.seconds_left)
                share = max(share, batches / (enough + batches)) if enough > 0 else 1.0
                self.progress = advanced(self.progress, share)
            self.seconds += took
            pace = max(batches / cooling, (self.progress - before) / LONGEST_COOLING)
            self.cooled = min(self.cooled + pace, self.judged)

    @property
    def elapsed(self) -> float:
        """Seconds of the present pass; only the clock of the first process counts, so the others return 0."""
        return (time.perf_counter() - self.start) * self.processes.first

    def cut_short(self) -> bool:
        """Returns whether the present pass ends here; it is called between two batches."""
        stopped, self.within = self.processes.total([self.stop(), self.elapsed])
        self.halted = stopped > 0
        return self.halted or (self.config.epochs is None and self.within >= self.seconds_left)

    def note(self, loss: float) -> None:
        """Records the mean loss of a pass; on a plateau the rate is halved, and the next `REST` passes do not count."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > PATIENCE:
            self.halvings, self.resting, self.waited = self.halvings + 1, REST, 0

    @property
    def judged(self) -> float:
        """When type labels are judged, in coolings."""
        return JUDGED_JOINTLY if self.config.search == "joint-draws" else JUDGED

    def restart(self) -> None:
        """Begins the cooling again; steps and time go on."""
        self.cooled = 0.0

    @property
    def may_restart(self) -> bool:
        """Whether there is time for a restart: the run is at its beginning, and the cooling was not shortened."""
        return self.steps >= self.config.cooling and self.progress < LATEST_RESTART

    @property
    def to_be_judged(self) -> bool:
        """Whether structures have cooled long enough to judge the type labels."""
        return self.config.annealer == "geometric" and self.cooled >= self.judged

    @property
    def batches(self) -> int:
        """The number of gradient steps of the next pass."""
        return -(-(min(self.tasks, self.config.cooling_tasks) if self.narrow else self.tasks) // self.config.batch)

    @property
    def learning_rate(self) -> float:
        """The learning rate: a cosine from the first rate to 2 % of it, or halved on each plateau so far."""
        if self.config.rate == "plateau":
            return max(self.config.learning_rate * 0.5**self.halvings, min(LOWEST, self.config.learning_rate))
        return self.config.learning_rate * cosine(self.progress, LAST)

    @property
    def cooling(self) -> bool:
        """Whether structures still cool."""
        return self.config.annealer == "geometric" and self.cooled < 1

    @property
    def narrow(self) -> bool:
        """Whether only some tasks are visited: while structures cool; with joint draws for twice as long."""
        settling = self.cooled < NARROW_JOINTLY and self.progress < LONGEST_COOLING
        return self.cooling or (
            settling and self.config.search == "joint-draws" and self.config.annealer == "geometric"
        )

    @property
    def labels_settled(self) -> bool:
        """Whether type labels have settled; this is so in the last tenth of the cooling, and after it."""
        return self.config.annealer != "geometric" or self.cooled >= SETTLED

    @property
    def opening(self) -> float:
        """How much of the states edge modules see beside their differences; it rises from 0 to 1 as labels settle.

        It rises between 0.4 and 0.7 of the cooling that follows the hot share. A later rise helps springs to find one
        law; an earlier rise helps oscillators. It is always 1 if structures do not cool.
        """
        if self.config.annealer != "geometric":
            return 1.0
        hot = self.config.hot
        return min(max(((self.cooled - hot) / (1 - hot) - 0.4) / 0.3, 0.0), 1.0)

    @property
    def seconds_left(self) -> float:
        """The time left in seconds; if epochs are given, it is estimated from the progress so far."""
        if self.config.epochs is None:
            minutes = (1 - self.config.forecast) * (self.config.minutes or 0.0)
            return max(60 * minutes - self.spent - self.seconds, 0.0)
        return self.seconds / self.progress * (1 - self.progress) if self.progress else math.inf

    def state_dict(self) -> dict[str, float]:
        names = ("epoch", "steps", "progress", "cooled", "seconds", "within", "best", "waited", "resting", "halvings")
        return {name: getattr(self, name) for name in names}
