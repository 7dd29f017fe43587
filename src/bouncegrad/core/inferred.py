"""What inference gives, how much work it does, and how it is interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class InferenceEffort:
    """How much work inference does.

    Args:
        cooling_sweeps: sweeps over random blocks while the temperature falls.
        averaged_sweeps: sweeps after them; their conditional probabilities are averaged.
        start: the first temperature.
        enumerated: if the edges into one entity have at most so many fillings, all are enumerated; this is 16 entities
            with two types. Sweeps over blocks get stuck if messages are similar, so enumerating is worth some seconds.
        largest, smallest: the range for the number of fillings of one block.
        work: fillings of a block times states (frames times entities) of the tasks that share a graph, at most; blocks
            get smaller for it, down to `smallest`.
        joint_sweeps: of joint draws, while the temperature falls, where fillings are too many to enumerate.
        joint_start: the first temperature of joint draws.
        samples: joint draws of the edges into one entity, of which one is chosen.
        final_sweeps: of random blocks, from the best structure of all joint draws; their probabilities are averaged.
        tasks_at_once, numbers_at_once: tasks, and entries of their tables of fillings, that fit into memory together.
    """

    cooling_sweeps: int = 40
    averaged_sweeps: int = 20
    start: float = 100.0
    enumerated: int = 2**15
    largest: int = 1024
    smallest: int = 64
    work: int = 2**19
    joint_sweeps: int = 10
    joint_start: float = 300.0
    samples: int = 16
    final_sweeps: int = 3
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


class Interrupted(Exception):
    """Inference was stopped before it had a result."""
