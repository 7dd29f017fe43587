"""Holds regression tasks: each is one unknown function, given at points that may be fitted and at held-out points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bouncegrad.data.errors import InputError


@dataclass(frozen=True, eq=False)
class RegressionTasks:
    """M functions, each at P points; the first `fitted` points may be fitted, the others are held out.

    Args:
        x: `Float[M, P, I]`, the inputs of each function.
        y: `Float[M, P, O]`, its outputs.
        fitted: the number of points of each task that may be fitted. The data set fixes the order of points.
        names: one name for each task.
        source: the file or function that the tasks come from, for messages.

    Raises:
        InputError: arrays do not fit together or have values that are not finite, there is no fitted or no held-out
            point, or two tasks have the same name.
    """

    x: Float[np.ndarray, "M P I"]
    y: Float[np.ndarray, "M P O"]
    fitted: int
    names: tuple[str, ...]
    source: str = "regression tasks"

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or self.y.ndim != 3 or self.x.shape[:2] != self.y.shape[:2]:
            raise InputError(
                f"{self.source}: x has shape {self.x.shape} and y {self.y.shape}; give [task, point, input] and "
                "[task, point, output] with the same tasks and points"
            )
        for name, values in (("x", self.x), ("y", self.y)):
            if not np.isfinite(values).all():
                task, point, _ = np.argwhere(~np.isfinite(values))[0]
                raise InputError(
                    f"{self.source}: {name} of task {task}, point {point} is not finite; leave the point out"
                )
        if not 1 <= self.fitted < self.x.shape[1]:
            raise InputError(
                f"{self.source}: {self.fitted} of {self.x.shape[1]} points are fitted; fit at least one and hold out "
                "at least one"
            )
        if len(self.names) != len(self.x):
            raise InputError(f"{self.source}: {len(self.names)} names for {len(self.x)} tasks; give one name each")
        if len(set(self.names)) < len(self.names):
            twice = next(name for name, found in Counter(self.names).items() if found > 1)
            raise InputError(f"{self.source}: two tasks are called {twice!r}; give each its own name")

    @classmethod
    def from_pairs(
        cls,
        pairs: Sequence[tuple[np.ndarray, np.ndarray]],
        *,
        fitted: int,
        held_out: int,
        seed: int = 0,
        names: Sequence[str] | None = None,
        source: str = "pairs",
    ) -> RegressionTasks:
        """Returns one task for each pair (x, y), at `fitted` + `held_out` of its points, drawn at random with the seed.

        Args:
            pairs: `Float[points, inputs]` and `Float[points, outputs]`, or `Float[points]` for single numbers. Pairs
                may have different numbers of points.
            fitted: the number of points of each task that may be fitted.
            held_out: the number of held-out points of each task.
            seed: the seed of the draw.
            names: one name for each pair, by default 0, 1, ...
            source: the file or function that the pairs come from, for messages.

        Raises:
            InputError: an x and its y differ in length, or a pair has too few points, or other numbers of inputs or
                outputs than the first.

        Example:
            >>> x = np.linspace(0, 1, 9)
            >>> RegressionTasks.from_pairs([(x, 2 * x), (x[:5], x[:5] ** 2)], fitted=2, held_out=3).summary()
            '2 tasks, 2 fitted and 3 held-out points, 1 inputs, 1 outputs'
        """
        if not len(pairs):
            raise InputError(f"{source}: there is no pair; give at least one")
        names = tuple(map(str, range(len(pairs)))) if names is None else tuple(names)
        random = np.random.Generator(np.random.PCG64(seed))
        tables = [(rows(x), rows(y)) for x, y in pairs]
        widths = [side.shape[1] for side in tables[0]]
        chosen = []
        for name, (x, y) in zip(names, tables, strict=True):
            if len(x) != len(y):
                raise InputError(
                    f"{source}: task {name} has {len(x)} inputs and {len(y)} outputs; give one output for each input"
                )
            if len(x) < fitted + held_out:
                raise InputError(
                    f"{source}: task {name} has {len(x)} points, {fitted + held_out} points are asked for; add points, "
                    "or leave it out"
                )
            if [x.shape[1], y.shape[1]] != widths:
                raise InputError(f"{source}: task {name} has other widths than {names[0]}; make one set for each")
            drawn = random.permutation(len(x))[: fitted + held_out]
            chosen.append((x[drawn], y[drawn]))
        x, y = (np.stack([pair[side] for pair in chosen]) for side in (0, 1))
        return cls(x, y, fitted, names, source)

    def select(self, tasks: Sequence[int] | np.ndarray) -> RegressionTasks:
        """Returns the tasks of these indices, in this order."""
        index = np.asarray(tasks)
        names = tuple(self.names[i] for i in index)
        return RegressionTasks(self.x[index], self.y[index], self.fitted, names, self.source)

    def split(self, share: float, seed: int) -> tuple[RegressionTasks, RegressionTasks]:
        """Returns training tasks and new tasks, drawn at random with the seed; `share` is the fraction of new tasks.

        Raises:
            InputError: one of the two would be empty.
        """
        new = round(share * len(self.names))
        if not 1 <= new < len(self.names):
            raise InputError(
                f"{self.source}: a share of {share:g} of {len(self.names)} tasks is {new}; keep at least one task for "
                "training and one as new"
            )
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(self.names))
        return self.select(np.sort(order[new:])), self.select(np.sort(order[:new]))

    def summary(self) -> str:
        """Returns one line that describes the tasks."""
        m, p, i = self.x.shape
        return (
            f"{m} tasks, {self.fitted} fitted and {p - self.fitted} held-out points, {i} inputs, "
            f"{self.y.shape[2]} outputs"
        )


def rows(values: np.ndarray) -> np.ndarray:
    """Returns an array with one row for each point; all further axes become one. A vector has one number per point."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return array.reshape(len(array), int(np.prod(array.shape[1:])))
