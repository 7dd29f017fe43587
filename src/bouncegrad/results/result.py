"""What inference found: a type per edge, a probability per type, and how surprising each task was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import save_arrays
from bouncegrad.data.trajectories import plural
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.stored import read_stored

FORMAT_VERSION = 1
ARRAYS = ("edges", "probability", "loss", "context")
DETERMINED = 0.75
ROUNDING = 1e-12
NAMES = ("tasks", "entities", "type_names", "priors")


@dataclass(frozen=True, eq=False)
class Result:
    """The inferred structures of M tasks of N entities with K edge types.

    `edges` says which type an edge is, `probability` says how sure that is: `edges = argmax_k probability`.

    Args:
        edges: the most probable type of every edge, `Int[M, N, N]`, `[source, target]`, zero diagonal.
        probability: of every type, `Float[M, N, N, K]` in [0, 1]; sums to 1 for every edge, all 0 on the diagonal.
        loss: mean negative log-likelihood per observed number under the inferred structure, `Float[M]`,
            nats, in scaled units; a task with a high loss is one that the learned modules explain badly.
        context: how many frames of each task inference has seen.
        tasks: M names, by default 0, 1, ...
        entities: N names, by default 0, 1, ...
        type_names: K names of edge types, by default 0, 1, ...
        priors: in words, what was stated beforehand, such as "symmetric".
        source: the file or command that the result came from, for messages.

    Raises:
        InputError: parts that do not fit, probabilities that are none, or edges that are not their arg-max.

    Example:
        >>> probability = np.zeros((1, 2, 2, 2))
        >>> probability[0, 0, 1] = 0.1, 0.9
        >>> probability[0, 1, 0] = 0.8, 0.2
        >>> Result.from_probability(probability, loss=np.zeros(1), context=49).edges.tolist()
        [[[0, 1], [0, 0]]]
    """

    edges: Int[np.ndarray, "M N N"]
    probability: Float[np.ndarray, "M N N K"]
    loss: Float[np.ndarray, " M"]
    context: int
    tasks: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    type_names: tuple[str, ...] = ()
    priors: tuple[str, ...] = ()
    source: str = "result"

    def __post_init__(self) -> None:
        edges, probability = np.asarray(self.edges), np.asarray(self.probability)
        loss, context = np.asarray(self.loss), np.asarray(self.context)
        if probability.ndim != 4 or probability.shape[1] != probability.shape[2] or 0 in probability.shape:
            raise InputError(
                f"{self.source}: probability needs the axes (task, source, target, edge type), "
                f"found shape {probability.shape}; give one number per pair and type"
            )
        m, n, _, k = probability.shape
        for name, array, shape, kinds in (
            ("edges", edges, (m, n, n), "iu"),
            ("probability", probability, (m, n, n, k), "f"),
            ("loss", loss, (m,), "f"),
            ("context", context, (), "iu"),
        ):
            if array.shape != shape or array.dtype.kind not in kinds:
                word = "whole numbers" if "i" in kinds else "decimal numbers"
                raise InputError(
                    f"{self.source}: {name} must be {word} of shape {shape}, found {array.dtype} {array.shape}"
                )
        if context < 1:
            raise InputError(f"{self.source}: context is {context}; inference needs at least one frame")
        object.__setattr__(self, "edges", edges.astype(np.int64))
        object.__setattr__(self, "probability", self._checked_probability(probability.astype(np.float64)))
        object.__setattr__(self, "loss", loss.astype(np.float64))
        object.__setattr__(self, "context", int(context))
        self._check_edges()
        for field, count in (("tasks", m), ("entities", n), ("type_names", k)):
            self._set_names(field, count)

    def _checked_probability(self, probability: np.ndarray) -> np.ndarray:
        """The probabilities, the rounding of single precision removed."""
        total = probability.sum(-1)
        wanted = 1.0 - np.eye(probability.shape[1])
        bad = ~(np.abs(total - wanted) < 1e-4) | ~((probability >= 0) & (probability <= 1 + 1e-4)).all(-1)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{self.source}: probability at (task, source, target) {at} is {probability[at].round(4).tolist()}; "
                "it must sum to 1, and be all 0 on the diagonal"
            )
        # What sums to 1 as nearly as it can is left alone, so that a file gives back what was saved.
        return probability / np.where(np.abs(total - wanted) > ROUNDING, total, 1.0)[..., None]

    def _check_edges(self) -> None:
        k = self.probability.shape[-1]
        inside = (self.edges >= 0) & (self.edges < k)
        chosen = np.take_along_axis(self.probability, np.clip(self.edges, 0, k - 1)[..., None], -1)[..., 0]
        bad = ~inside | (chosen < self.probability.max(-1) - 1e-6)
        bad |= np.eye(self.edges.shape[1], dtype=bool) & (self.edges != 0)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{self.source}: edge type {self.edges[at]} at (task, source, target) {at} is not the most probable of "
                f"{self.probability[at].round(4).tolist()}, or is not 0 on the diagonal; take the arg-max"
            )

    def _set_names(self, field: str, count: int) -> None:
        names = tuple(map(str, getattr(self, field))) or tuple(map(str, range(count)))
        if len(names) != count or len(set(names)) < count:
            raise InputError(
                f"{self.source}: {field} needs {count} different {plural('name', count)}, found {', '.join(names)}"
            )
        object.__setattr__(self, field, names)

    @classmethod
    def from_probability(
        cls,
        probability: Float[np.ndarray, "M N N K"],
        loss: Float[np.ndarray, " M"],
        context: int,
        *,
        tasks: tuple[str, ...] = (),
        entities: tuple[str, ...] = (),
        type_names: tuple[str, ...] = (),
        priors: tuple[str, ...] = (),
        source: str = "result",
    ) -> Result:
        """The result whose edges are the most probable types (the lower type on a tie)."""
        edges = np.asarray(probability).argmax(-1)
        return cls(edges, probability, loss, context, tasks, entities, type_names, priors, source)

    @property
    def undetermined(self) -> Bool[np.ndarray, "M N N"]:
        """Edges that the data cannot tell: no type reaches a probability of 0.75. The diagonal is False."""
        return (self.probability.max(-1) < DETERMINED) & off_diagonal(self.edges.shape[1])

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file with the fields as keys, replacing an older one only when complete."""
        parts = {name: getattr(self, name) for name in (*ARRAYS, *NAMES)}
        save_arrays(path, {"format_version": FORMAT_VERSION, **parts})

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is missing, is not a result, is damaged, or was written by a newer version.
        """
        parts = read_stored(path, "result", "infer", FORMAT_VERSION)
        parts.setdefault("priors", np.array((), dtype=np.str_))  # files of the first versions say nothing of them
        missing = [name for name in (*ARRAYS, *NAMES) if name not in parts]
        if missing:
            raise InputError(
                f"{path}: not a result file, {missing[0]!r} is missing; give the result.npz of `bouncegrad infer`"
            )
        parts |= {name: tuple(map(str, np.atleast_1d(parts[name]))) for name in NAMES}
        return cls(**{name: parts[name] for name in (*ARRAYS, *NAMES)}, source=str(path))
