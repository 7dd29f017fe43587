"""Result of inference: a type for each edge, a probability for each type, and the loss of each task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.by_name import by_name
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import plural
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.stored import read_stored, save_fields
from bouncegrad.results.verdict import Verdict

if TYPE_CHECKING:  # both are slow to load
    import networkx as nx
    import pandas as pd

FORMAT_VERSION = 1
ARRAYS = ("edges", "probability", "loss", "context")
SURE = 0.95  # smallest probability of a sure edge
DETERMINED = 0.75  # smallest probability of a determined edge: three to one against all other types
PINNED = "type 0 is no interaction"  # what `priors` hold if this was stated
ONE_GRAPH = "tasks share a graph"  # what `priors` hold if this was stated for all tasks, or for the tasks of each group
ROUNDING = 1e-12  # largest error of sums in double precision
SCORE = "score_"  # before the name of a baseline, in the file
NAMES = ("tasks", "entities", "type_names", "priors")
WORDS = ("unlike", "chosen")  # stored if there are any
STATED, CHOSEN = "stated beforehand", "chosen by held-out frames"


@dataclass(frozen=True, eq=False)
class Result:
    """The inferred structures of M tasks of N entities with K edge types.

    Args:
        edges: the most probable type of every edge, `Int[M, N, N]`, `[source, target]`, with zero diagonal:
            `edges = argmax_k probability`.
        probability: probability of every type, `Float[M, N, N, K]` in [0, 1]. It sums to 1 for every edge and is 0 on
            the diagonal.
        loss: mean negative log-likelihood per observed number under the inferred structure, `Float[M]`, in nats, for
            scaled data. The learned modules explain tasks with a high loss badly.
        context: number of frames of each task that inference used.
        tasks: M names, by default 0, 1, ...
        entities: N names, by default 0, 1, ...
        type_names: K names of edge types, by default 0, 1, ...
        priors: prior knowledge about edges, in words, such as "symmetric".
        source: file or command that the result comes from, for messages.
        verdict: what held-out frames said about the model, if it was trained on few recordings, see `verdict.py`.
        unlike: how the recordings differ from those of training, in words; empty if they do not.
        scores: scores of simple baselines for each pair, `Float[M, N, N]`, by the name of the baseline; None if they
            were not computed. `bouncegrad infer` adds them where no true edges are given.
        chosen: those of `priors` that held-out frames chose; the user stated the others.

    Raises:
        InputError: shapes do not agree, numbers are not probabilities, or edges are not the most probable types.

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
    verdict: Verdict | None = None
    unlike: tuple[str, ...] = ()
    scores: Mapping[str, Float[np.ndarray, "M N N"]] | None = None
    chosen: tuple[str, ...] = ()

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
        """Returns the probabilities, without rounding errors of single precision."""
        total = probability.sum(-1)
        wanted = 1.0 - np.eye(probability.shape[1])
        bad = ~(np.abs(total - wanted) < 1e-4) | ~((probability >= 0) & (probability <= 1 + 1e-4)).all(-1)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{self.source}: probability at (task, source, target) {at} is {probability[at].round(4).tolist()}; "
                "it must sum to 1, and be all 0 on the diagonal"
            )
        # Sums that are 1 in double precision are not changed, so that a file returns exactly what was saved.
        return probability / np.where(np.abs(total - wanted) > ROUNDING, total, 1.0)[..., None]

    def _check_edges(self) -> None:
        """Raises an error if an edge is not the most probable type, or not 0 on the diagonal."""
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
        """Sets default names, or raises an error if the number of names is wrong or names are equal."""
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
        """Returns the result whose edges are the most probable types (on a tie, the lower type)."""
        edges = np.asarray(probability).argmax(-1)
        return cls(edges, probability, loss, context, tasks, entities, type_names, priors, source)

    @property
    def undetermined(self) -> Bool[np.ndarray, "M N N"]:
        """Edges that the data do not determine: no type has a probability of 0.75 or more. The diagonal is False."""
        return (self.probability.max(-1) < DETERMINED) & off_diagonal(self.edges.shape[1])

    @property
    def sure(self) -> float:
        """The share of pairs with a probability above 0.95 for one type other than "no interaction"."""
        types = [k for k in range(self.probability.shape[-1]) if k != self.without_type]
        return float((self.probability[..., types].max(-1) > SURE)[:, off_diagonal(self.edges.shape[1])].mean())

    @property
    def without_type(self) -> int | None:
        """The type that means "no interaction", if that was stated beforehand, or chosen by held-out frames."""
        return 0 if PINNED in self.priors else None

    @property
    def origins(self) -> dict[str, str]:
        """The priors in words, by where they come from."""
        return origins(self.priors, self.chosen)

    @property
    def one_graph(self) -> bool:
        """Whether all tasks were stated to have the same graph. Tasks of several groups do not."""
        stated = ONE_GRAPH in self.priors and len(self.tasks) > 1
        return stated and bool((self.probability == self.probability[0]).all())

    def to_pandas(self, *, undirected: bool = False, short: bool = False) -> pd.DataFrame:
        """Returns a table with one row per edge, see `export.edge_table`."""
        table: pd.DataFrame = by_name("results.export", "edge_table")(self, undirected=undirected, short=short)
        return table

    def to_networkx(self, task: int = 0, *, without_type: int | None = None) -> nx.DiGraph:
        """Returns the graph of one task for networkx, see `export.to_networkx`."""
        return by_name("results.export", "to_networkx")(self, task, without_type=without_type)

    def to_pyg(self, task: int = 0, *, without_type: int | None = None) -> Any:
        """Returns the graph of one task for PyTorch Geometric, see `export.to_pyg`."""
        return by_name("results.export", "to_pyg")(self, task, without_type=without_type)

    def _repr_html_(self) -> str | None:
        card: str | None = by_name("results.notebook", "card_of")(self)
        return card

    def save(self, path: str | Path) -> None:
        """Writes one `.npz` file with the fields as keys.

        An older file is replaced only when the new one is complete.
        """
        said: dict[str, Any] = {name: value for name in WORDS if (value := getattr(self, name))}
        if self.verdict is not None:
            said["verdict"] = json.dumps(self.verdict.to_json())
        said |= {SCORE + name: score for name, score in (self.scores or {}).items()}
        save_fields(self, (*ARRAYS, *NAMES), path, FORMAT_VERSION, **said)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Reads a file that `save` wrote.

        Raises:
            InputError: the file is missing, is not a result, is damaged, or was written by a newer version.
        """
        parts = read_stored(path, "result", "infer", FORMAT_VERSION)
        parts.setdefault("priors", np.array((), dtype=np.str_))  # files of the first versions do not have this key
        missing = [name for name in (*ARRAYS, *NAMES) if name not in parts]
        if missing:
            raise InputError(
                f"{path}: not a result file, {missing[0]!r} is missing; give the result.npz of `bouncegrad infer`"
            )
        parts |= {name: tuple(map(str, np.atleast_1d(parts[name]))) for name in NAMES}
        verdict = None
        if "verdict" in parts:
            try:
                verdict = Verdict.from_json(json.loads(str(parts["verdict"])))
            except ValueError:
                raise InputError(f"{path}: its verdict is damaged; run `bouncegrad infer` again") from None
        unlike, chosen = (tuple(map(str, np.atleast_1d(parts.get(name, ())))) for name in WORDS)
        fields = {name: parts[name] for name in (*ARRAYS, *NAMES)}
        scores = {key.removeprefix(SCORE): value for key, value in parts.items() if key.startswith(SCORE)}
        for name, score in scores.items():
            if np.shape(score) != np.shape(parts["edges"]) or np.asarray(score).dtype.kind != "f":
                raise InputError(f"{path}: its scores of {name} do not fit its edges; run `bouncegrad infer` again")
        return cls(**fields, source=str(path), verdict=verdict, unlike=unlike, scores=scores or None, chosen=chosen)


def origins(priors: Sequence[str], chosen: Sequence[str]) -> dict[str, str]:
    """Returns priors in words, by where they come from: those of the user, and those that held-out frames chose."""
    parts = {STATED: [prior for prior in priors if prior not in chosen], CHOSEN: [p for p in priors if p in chosen]}
    return {origin: ", ".join(part) for origin, part in parts.items() if part}
