"""Settings of a run on regression tasks, their ranges and the defaults of each algorithm and data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_type_hints

from bouncegrad.data.errors import InputError
from bouncegrad.settings.values import fits, in_words

Algorithm = Literal["pooled", "maml", "bouncegrad", "moma"]
DATA_SETS, FILES = ("sines", "functions"), (".hdf5", ".h5")
MODULAR, ADAPTIVE = ("bouncegrad", "moma"), ("maml", "moma")


@dataclass(frozen=True)
class RegressionConfig:
    """Settings of one run. None means: chosen from `data` and `algorithm`, and written down when resolved.

    Args:
        data: sines, functions (sums of two out of 16), or an HDF5 file of the published layout.
        algorithm: pooled and maml have one module, bouncegrad and moma search which modules fill the slots; maml and
            moma adapt the weights of each task by gradient.
        composition: sum (outputs of the slots add up) or chain (one after the other).
        slots: S; 1 by default where there is one module, else 2.
        modules: how many modules there are of each type; the numbers of all types together are K.
        hidden: for each type the widths of its hidden layers, such as 64-64, or 64 for a single one.
        activation: function between layers.
        tasks: tasks in all, training and new ones (sines; functions are always 120).
        new: share of them that are new: no gradient comes from them.
        fitted: points of each task that structures and adapted weights come from.
        held_out: points of each task that judge; on training tasks the modules learn from them.
        inner_steps: gradient steps of each task on its fitted points.
        inner_rate: their rate.
        test_inner_steps: the same when errors are measured; by default as in training.
        test_inner_rate: the same when errors are measured; by default as in training.
        first_order: modules do not learn through the inner gradients.
        temperature: the first temperature of the search, on the mean squared error in units of the variance of the
            training outputs; it falls geometrically.
        coldest: the last one.
        search_steps: passes of the search over new tasks, modules fixed; none where there is one module.
        batch: tasks per meta-step.
        learning_rate: first rate of Adam, falling on a cosine to 2 % of it.
        clip: gradients are scaled down to this norm.
        meta_steps: gradient steps of the modules; reproducible to the bit.
        minutes: a limit of time, used where meta-steps are not given; 2 by default.
        seed: seed of tasks, first weights and every other draw.
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
        def check(name: str, good: bool, remedy: str) -> None:
            if not good:
                raise InputError(f"setting {name}: {getattr(self, name)!r} cannot be used; {remedy}")

        for name, hint in get_type_hints(type(self)).items():
            check(name, fits(getattr(self, name), hint), f"give {in_words(hint)}")
        for name in ("slots", "tasks", "fitted", "held_out", "batch", "meta_steps"):
            check(name, getattr(self, name) is None or getattr(self, name) >= 1, "give a whole number from 1")
        for name in ("inner_steps", "test_inner_steps", "search_steps"):
            check(name, getattr(self, name) is None or getattr(self, name) >= 0, "give a whole number from 0")
        for name in ("inner_rate", "test_inner_rate", "temperature", "coldest", "learning_rate", "clip", "minutes"):
            value = getattr(self, name)
            check(name, value is None or 0 < value <= 1e30, "give a number above 0, at most 1e30")
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
        """From a mapping read from `source`; unknown keys are refused."""
        known = {f.name for f in fields(cls)}
        if unknown := [name for name in values if name not in known]:
            raise InputError(f"{source}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**settings)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as `from_mapping` takes them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @property
    def modular(self) -> bool:
        """Whether structures are searched."""
        return self.algorithm in MODULAR

    @property
    def adaptive(self) -> bool:
        """Whether tasks adapt weights."""
        return self.algorithm in ADAPTIVE

    def resolve(self) -> RegressionConfig:
        """The same settings, every None filled in."""
        sines = self.data == "sines"
        inner_steps = (1 if self.inner_steps is None else self.inner_steps) if self.adaptive else 0
        inner_rate = self.inner_rate or (0.01 if sines else 0.1)
        test_steps = inner_steps if self.test_inner_steps is None else self.test_inner_steps
        passes = 1000 if self.search_steps is None else self.search_steps
        spread = len(self.hidden)
        modules = tuple(20 // spread + (i < 20 % spread) for i in range(spread)) if self.modular else (1,)
        return replace(
            self,
            slots=self.slots or (2 if self.modular else 1),
            modules=self.modules or modules,
            fitted=self.fitted or (10 if sines else 16),
            held_out=self.held_out or (10 if sines else 16),
            inner_steps=inner_steps,
            inner_rate=inner_rate,
            test_inner_steps=test_steps if self.adaptive else 0,
            test_inner_rate=self.test_inner_rate or inner_rate,
            search_steps=passes if self.modular else 0,
            minutes=None if self.meta_steps else self.minutes or 2.0,
        )
