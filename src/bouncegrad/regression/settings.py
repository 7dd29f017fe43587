"""Settings of a run on regression tasks, their ranges and the defaults of each algorithm and data set."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

from bouncegrad.settings.checks import from_mapping, require, require_kinds, require_positive, require_whole, to_mapping

Algorithm = Literal["pooled", "maml", "bouncegrad", "moma"]
DATA_SETS, FILES = ("sines", "functions"), (".hdf5", ".h5")
MODULAR, ADAPTIVE = ("bouncegrad", "moma"), ("maml", "moma")


@dataclass(frozen=True)
class RegressionConfig:
    """Settings of one run. None means: chosen from `data` and `algorithm` by `resolve`, and then written down.

    Args:
        data: sines, functions (sums of two out of 16), or an HDF5 file of the published layout.
        algorithm: pooled and maml have one module; bouncegrad and moma search which modules fill the slots; maml and
            moma adapt the weights of each task by gradient steps.
        composition: sum (the outputs of the slots are added) or chain (each slot takes the output of the one before).
        slots: S; by default 1 where there is one module, else 2.
        modules: how many modules there are of each type; K is the sum over all types.
        hidden: widths of the hidden layers of each type, such as 64-64, or 64 for a single hidden layer.
        activation: function between layers.
        tasks: number of tasks, training and new ones together (sines; functions are always 120).
        new: share of the tasks that are new; modules do not learn from new tasks.
        fitted: points of each task that its structure and its adapted weights are fitted to.
        held_out: points of each task that measure the error; on training tasks the modules learn from them.
        inner_steps: gradient steps of each task on its fitted points.
        inner_rate: learning rate of these steps.
        test_inner_steps: inner steps when errors are measured; by default as in training.
        test_inner_rate: learning rate of these steps; by default as in training.
        first_order: the gradient of the modules does not pass through the inner steps.
        temperature: the first temperature of the search, for mean squared errors in units of the variance of the
            training outputs; it falls geometrically.
        coldest: the last temperature.
        search_steps: passes of the search over the new tasks, modules fixed; 0 where there is one module.
        batch: tasks per meta-step.
        learning_rate: first rate of Adam, falling on a cosine to 2 % of it.
        clip: gradients are scaled down to this norm.
        meta_steps: gradient steps of the modules; with them a run is reproducible to the bit.
        minutes: a limit of time, used where meta-steps are not given; 2 by default.
        seed: seed of the tasks, the first weights and every other random draw.
    """

    data: str = "functions"
    algorithm: Algorithm = "bouncegrad"
    composition: Literal["sum", "chain"] = "sum"
    slots: int | None = None
    modules: tuple[int, ...] | None = None
    hidden: tuple[str | int, ...] = ("64-64",)
    activation: Literal["silu", "relu"] = "relu"
    tasks: int = 1000
    new: float = 0.25
    fitted: int | None = None
    held_out: int | None = None
    inner_steps: int | None = None
    inner_rate: float | None = None
    test_inner_steps: int | None = None
    test_inner_rate: float | None = None
    first_order: bool = False
    temperature: float = 0.1
    coldest: float = 1e-4
    search_steps: int | None = None
    batch: int = 32
    learning_rate: float = 0.003
    clip: float = 10.0
    meta_steps: int | None = None
    minutes: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check = partial(require, self)
        require_kinds(self)
        require_whole(self, 1, "slots", "tasks", "fitted", "held_out", "batch", "meta_steps")
        require_whole(self, 0, "inner_steps", "test_inner_steps", "search_steps")
        require_positive(self, "inner_rate", "test_inner_rate", "temperature", "coldest")
        require_positive(self, "learning_rate", "clip", "minutes")
        known = self.data in DATA_SETS or self.data.endswith(FILES)
        check("data", known, f"give {', '.join(DATA_SETS)} or a file that ends in {' or '.join(FILES)}")
        check("coldest", self.coldest <= self.temperature, "give at most the first temperature")
        check("new", 0 < self.new < 1, "give a share above 0, below 1")
        check("seed", 0 <= self.seed < 2**63, "give a whole number from 0, below 2^63")
        for word in self.hidden:
            good = all(part.isdecimal() and int(part) > 0 for part in str(word).split("-"))
            check("hidden", good, "give widths divided by -, such as 64-64, for each type")
        if self.modules is not None:
            good = len(self.modules) == len(self.hidden) and min(self.modules, default=0) >= 1
            check("modules", good, "give a whole number from 1 for each type that hidden names")
        one = self.modules is None or sum(self.modules) == 1
        check("modules", self.modular or one, f"{self.algorithm} has one; bouncegrad and moma have more")

    @classmethod
    def from_mapping(cls, values: dict[str, Any], source: str) -> RegressionConfig:
        """Returns settings from a mapping that was read from `source`.

        Raises:
            InputError: a setting is unknown, or its value cannot be used.
        """
        return from_mapping(cls, values, source)

    def to_mapping(self) -> dict[str, Any]:
        """Returns plain values, as `from_mapping` takes them."""
        return to_mapping(self)

    @property
    def modular(self) -> bool:
        """Whether structures are searched."""
        return self.algorithm in MODULAR

    @property
    def adaptive(self) -> bool:
        """Whether each task adapts the weights."""
        return self.algorithm in ADAPTIVE

    def resolve(self) -> Resolved:
        """Returns the same settings with every None filled in; of `meta_steps` and `minutes` exactly one stays None."""
        sines = self.data == "sines"
        inner_steps = (1 if self.inner_steps is None else self.inner_steps) if self.adaptive else 0
        inner_rate = self.inner_rate or (0.01 if sines else 0.1)
        test_steps = inner_steps if self.test_inner_steps is None else self.test_inner_steps
        passes = 1000 if self.search_steps is None else self.search_steps
        spread = len(self.hidden)
        modules = tuple(20 // spread + (i < 20 % spread) for i in range(spread)) if self.modular else (1,)
        chosen: dict[str, Any] = {
            "slots": self.slots or (2 if self.modular else 1),
            "modules": self.modules or modules,
            "fitted": self.fitted or (10 if sines else 16),
            "held_out": self.held_out or (10 if sines else 16),
            "inner_steps": inner_steps,
            "inner_rate": inner_rate,
            "test_inner_steps": test_steps if self.adaptive else 0,
            "test_inner_rate": self.test_inner_rate or inner_rate,
            "search_steps": passes if self.modular else 0,
            "minutes": None if self.meta_steps else self.minutes or 2.0,
        }
        return Resolved(**{f.name: getattr(self, f.name) for f in fields(self)} | chosen)


@dataclass(frozen=True, kw_only=True)
class Resolved(RegressionConfig):
    """Settings whose defaults are filled in; `RegressionConfig.resolve` makes them."""

    slots: int
    modules: tuple[int, ...]
    fitted: int
    held_out: int
    inner_steps: int
    inner_rate: float
    test_inner_steps: int
    test_inner_rate: float
    search_steps: int

    @property
    def seconds(self) -> float:
        """The limit of time of the training; infinite if meta-steps are given."""
        return math.inf if self.minutes is None else 60 * self.minutes
