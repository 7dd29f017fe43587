"""What inference gives, how much work it does, and how it is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.priors import Prior


@dataclass(frozen=True)
class InferenceEffort:
    """How much work inference does.

    Args:
        cooling_sweeps: sweeps over random blocks while the temperature falls.
        averaged_sweeps: sweeps after them; their conditional probabilities are averaged.
        start: the first temperature.
        enumerated: if the edges into one entity have at most so many fillings, all are enumerated; this is 11 entities
            with two types. Otherwise there are joint draws, which are faster, or else sweeps over blocks.
        largest, smallest: the range for the number of fillings of one block.
        work: fillings of a block times states (frames times entities) of the tasks that share a graph, at most; blocks
            get smaller for it, down to `smallest`.
        joint_sweeps: of joint draws, while the temperature falls, where fillings are too many to enumerate.
        joint_start: the first temperature of joint draws.
        samples: joint draws of the edges into one entity, of which one is chosen.
        descents: sweeps after joint draws that lower the quadratic form, and again as many that change edges one by one
            where that lowers the exact loss; at most.
        final_rounds: times that probabilities are averaged, at most; again as long as a better structure is met.
        final_samples: joint draws that they are averaged over.
        first: log-probabilities `[groups, S, K]` that joint draws of shared graphs begin from, see `JointDraws`.
        tasks_at_once, numbers_at_once: tasks, and entries of their tables of fillings, that fit into memory together.
    """

    cooling_sweeps: int = 40
    averaged_sweeps: int = 20
    start: float = 100.0
    enumerated: int = 1024
    largest: int = 1024
    smallest: int = 64
    work: int = 2**19
    joint_sweeps: int = 16
    joint_start: float = 300.0
    samples: int = 16
    descents: int = 6
    final_rounds: int = 3
    final_samples: int = 64
    first: Prior | None = None
    tasks_at_once: int = 64
    numbers_at_once: int = 2**20

    @property
    def sweeps(self) -> int:
        """The number of all sweeps over random blocks."""
        return self.cooling_sweeps + self.averaged_sweeps


class Inference(NamedTuple):
    """Structures of new tasks.

    `z` is the arg-max of `probability`; `loss` is the mean loss per observed number under `z`, as in training.
    """

    z: Int[Tensor, "M E"]
    probability: Float[Tensor, "M E K"]
    loss: Float[Tensor, " M"]


class Watched:
    """A `stop` for inference that never stops it, and reports how much of the work is done.

    Args:
        report: called with a share from 0 to 1; None: nothing is reported.
        expected: calls that are expected until the end.
    """

    def __init__(self, report: Callable[[float], object] | None, expected: int) -> None:
        self.report, self.expected, self.calls = report, expected, 0

    def __call__(self) -> bool:
        if self.report is not None:
            self.report(min(self.calls / self.expected, 1.0))
        self.calls += 1
        return False


class Interrupted(Exception):
    """Inference was stopped before it had a result."""
