"""The guard of gradient steps: no single step undoes what many have learned, and nothing that is no number goes on.

    norm > 100 typical, or not finite     the step is left out and counted
    norm > clip                           the gradient is scaled down to `clip`
    NaN in a loss or in a gradient        the run stops and names the first tensor that has one

`typical` is the running geometric mean of the gradient's norm. A structure that was accepted by accident can have a
loss of a million times the others': the momenta of Adam would carry such a gradient, clipped or not, for dozens of
steps in its direction, so it is left out altogether. What has changed for good is followed after a hundred steps.
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

OUTLIER = 100.0
Named = tuple[str, Tensor]
WARMING, MEMORY = 20, 100  # steps before any counts as an outlier, and that the typical norm is the mean of


@dataclass
class Guard:
    """Lets gradient steps through, or not.

    Args:
        clip: gradients are scaled down to this norm.
        skipped: steps left out so far.
        steps: steps whose norm was finite, and not 0.
        typical: logarithm of the typical norm.
    """

    clip: float = 10.0
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
        """One step of the optimizer, unless it is an outlier.

        Args:
            optimizer: holds what is learned.
            loss: differentiable, or a constant where this process has no task.
            named: names of learned tensors, for the message.
            processes: whose gradients and losses are summed.

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
        if self.is_outlier(float(total)):
            self.skipped += 1
        else:
            nn.utils.clip_grads_with_norm_(learned, self.clip, total)
            optimizer.step()

    def is_outlier(self, norm: float) -> bool:
        """Whether this norm is far above the typical one, which is then moved towards it."""
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
        """The error that ends the run."""
        return InputError(
            f"training: {what} is not a number after {self.steps} gradient steps; give a lower --learning_rate or "
            "--clip, or look for outliers in the data with bouncegrad inspect"
        )

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            setattr(self, key, value)
