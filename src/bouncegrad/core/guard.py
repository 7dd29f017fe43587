"""The guard of gradient steps: it leaves out steps that are outliers, and stops the run at NaN.

    norm > 100 typical, or not finite     the step is left out and counted
    norm > clip                           the gradient is scaled down to `clip`
    NaN in a loss or in a gradient        the run stops; the message names the first tensor that has one

`typical` is the running geometric mean of the gradient's norm. A structure that was accepted by accident can have a
loss a million times as large as the others. The momenta of Adam would keep such a gradient, clipped or not, for dozens
of steps, so the step is left out. If gradients stay large, the typical norm follows within a few hundred steps.

Where structures do not change, an outlier is no accident but a hard task. There it is scaled down to the typical norm
and counts as much as any other step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bouncegrad.core.distributed import ALONE, Processes
from bouncegrad.data.errors import InputError

OUTLIER = 100.0  # in typical norms: far above the usual variation, far below an accident
Named = tuple[str, Tensor]
WARMING, MEMORY = 20, 100  # steps before the first outlier is possible; steps that the typical norm averages


@dataclass
class Guard:
    """Decides whether a gradient step is taken.

    Args:
        clip: gradients are scaled down to this norm.
        leaves_out: outliers are left out; otherwise those of a finite norm are scaled down to the typical norm.
        skipped: steps left out so far.
        steps: steps so far whose norm was finite and not 0.
        typical: logarithm of the typical norm.
    """

    clip: float = 10.0
    leaves_out: bool = True
    skipped: int = 0
    steps: int = 0
    typical: float = 0.0

    def step(
        self,
        optimizer: torch.optim.Optimizer,
        loss: Float[Tensor, ""],
        named: Iterable[Named],
        processes: Processes = ALONE,
    ) -> None:
        """Takes one step of the optimizer, unless it is an outlier.

        Args:
            optimizer: holds what is learned.
            loss: differentiable, or a constant if this process has no task.
            named: learned tensors with their names, for the message.
            processes: their gradients and losses are summed.

        Raises:
            InputError: the loss or a gradient is not a number.
        """
        optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()
        loss = processes.add_gradients(optimizer, loss)
        if loss.isnan():
            raise self.stopped("the loss")
        if loss.isinf():
            self.skipped += 1
            return
        learned = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        total = nn.utils.get_total_norm(gradient := [p.grad for p in learned])
        if total.isnan():
            names = {id(tensor): name for name, tensor in named}
            bad = next(i for i, part in enumerate(gradient) if part.isnan().any())
            raise self.stopped(f"the gradient of {names.get(id(learned[bad]), f'learned tensor {bad}')}")
        outlier = self.is_outlier(float(total))
        if outlier and (self.leaves_out or total.isinf()):
            self.skipped += 1
            return
        most = min(self.clip, math.exp(self.typical)) if outlier else self.clip
        nn.utils.clip_grads_with_norm_(learned, most, total)
        optimizer.step()

    def is_outlier(self, norm: float) -> bool:
        """Returns whether this norm is far above the typical norm, then moves the typical norm towards it."""
        if not math.isfinite(norm) or norm == 0:
            return norm > 0
        reach, size = math.log(OUTLIER), math.log(norm)
        warm = self.steps >= WARMING
        outlier = warm and size > self.typical + reach
        if warm:
            size = min(max(size, self.typical - reach), self.typical + reach)
        self.steps += 1
        self.typical += (size - self.typical) / min(self.steps, MEMORY)
        return outlier

    def stopped(self, what: str) -> InputError:
        """Returns the error that ends the run."""
        return InputError(
            f"training: {what} is not a number after {self.steps} gradient steps; give a lower --learning_rate or "
            "--clip, or look for outliers in the data with bouncegrad inspect"
        )

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            setattr(self, key, value)
