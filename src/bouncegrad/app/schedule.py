"""How long a run is, and where it stands: by passes (reproducible to the bit) or by minutes (fits the machine)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from statistics import fmean

from bouncegrad.app.config import Config
from bouncegrad.core.annealing import Clock

LONGEST_COOLING = 0.7


class Schedule:
    """Clocks of a run from where it stands to its end.

    By epochs, progress is epoch / epochs. By minutes, every pass moves progress on by its share of what is left,
    `progress += (1 - progress) * mean pass / time left`, so the schedule ends on time on a machine of any speed. The
    mean is over the last passes, so that a stall of the machine is spread over many and skips no temperatures.

    The cooling takes `config.cooling` gradient steps however long the run is, for what is known after it does not get
    better by cooling more slowly; where that would be more than 70 % of the run, it takes these.

    Args:
        config: resolved settings.
        batches: gradient steps of one pass.
        stop: asked between passes; true ends the run early.
    """

    def __init__(
        self,
        config: Config,
        batches: int = 1,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config, self.batches, self.stop = config, batches, stop
        self.epoch, self.progress, self.cooled, self.seconds = 0, 0.0, 0.0, 0.0
        self.recent: deque[float] = deque(maxlen=50)

    def clocks(self) -> Iterator[Clock]:
        """One clock per pass; after each the position (epoch, progress, cooled, seconds) stands between passes."""
        while self.progress < 1.0 and not self.stop():
            start, before = time.perf_counter(), self.progress
            yield Clock(self.epoch, self.progress, self.cooled)
            took = time.perf_counter() - start
            self.epoch += 1
            if self.config.epochs is not None:
                self.progress = self.epoch / self.config.epochs
            else:
                left = self.seconds_left
                self.recent.append(took)
                share = fmean(self.recent) / left if took < left else 1.0
                self.progress += (1 - self.progress) * min(share, 1.0)
            self.seconds += took
            pace = max(self.batches / self.config.cooling, (self.progress - before) / LONGEST_COOLING)
            self.cooled = min(self.cooled + pace, 1.0)

    @property
    def learning_rate(self) -> float:
        """Cosine from the first rate to 2 % of it."""
        assert self.config.learning_rate is not None
        return self.config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    @property
    def cooling(self) -> bool:
        """Whether structures are still being found."""
        return self.config.annealer == "geometric" and self.cooled < 1

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
            return max(60 * (self.config.minutes or 0.0) - self.seconds, 0.0)
        return self.seconds / self.progress * (1 - self.progress) if self.progress else math.inf
