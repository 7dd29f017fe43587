"""The one container for recorded systems: `Trajectories`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import periods_of
from bouncegrad.data.derivatives import velocities
from bouncegrad.data.errors import InputError

BLOCK = 2**22  # numbers looked at together
POSITIONS, VELOCITIES = ("x", "y", "z"), ("vx", "vy", "vz")  # names of features
MOST_TYPES = 1000  # true edge types; whatever counts them makes a table of this size


@dataclass(frozen=True, eq=False)
class Trajectories:
    """M tasks, each T evenly spaced frames of N entities with D features.

    NaN means missing: where a feature of an entity is NaN, the entity was not observed in that frame. Beside that only
    shapes are checked, since frames after the context may hold anything; `require_finite` refuses infinities.

    Args:
        x: states, `Float[M, T, N, D]`, in the user's units; what a masked array of NumPy masks counts as NaN.
        mask: `Bool[M, T, N]`, true where an entity was observed; None when every cell was. Where a state is NaN it
            becomes false.
        edges: the true edge types, `Int[M, N, N]`, `[source, target]`, zero diagonal, -1 where one is not known, as of
            entities that a task does not have; None when nothing is known. Only metrics read it.
        dt: seconds (or the user's unit of time) from one frame to the next.
        features: D names, by default x, y, vx, vy for D = 4 and x0, x1, ... otherwise.
        entities: N names, by default 0, 1, ...
        units: D units, empty where unknown.
        tasks: M names, by default 0, 1, ...
        source: the file or command that the data came from, for messages.
        derived: features that were derived from positions; see `with_velocities`.
        angles: features that are angles, named `phase` (radians) or `heading:deg` (degrees), see `angles.py`.
        groups: M names of groups of tasks that have a graph in common, for `shared_graph`; empty: all are one.
        kinds: N names of kinds of entities, each of which moves by a node module of its own; empty: all are of one.
        resampling: what `resample` did, in words; empty for frames as they were recorded.

    Raises:
        InputError: a wrong number of axes, no task, fewer than 2 frames or entities, or parts that do not fit.

    Example:
        >>> t = Trajectories(np.zeros((3, 49, 5, 4)), dt=0.1)
        >>> print(t.summary())
        3 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth unknown
    """

    x: Float[np.ndarray, "M T N D"]
    mask: Bool[np.ndarray, "M T N"] | None = None
    edges: Int[np.ndarray, "M N N"] | None = None
    dt: float = 1.0
    features: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    source: str = "array"
    derived: tuple[str, ...] = ()
    angles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    resampling: str = ""

    def __post_init__(self) -> None:
        hidden = np.ma.getmaskarray(self.x) if isinstance(self.x, np.ma.MaskedArray) else None
        x = np.asarray(self.x)
        if x.ndim != 4:
            raise InputError(
                f"{self.source}: states need 4 axes (task, frame, entity, feature), found shape {x.shape}; "
                "add the missing axes or transpose"
            )
        if x.dtype.kind not in "fiu":
            raise InputError(f"{self.source}: states must be numbers, found dtype {x.dtype}; convert them to float")
        m, t, n, d = x.shape
        for size, least, word, remedy in (
            (m, 1, "task", "give at least one recording"),
            (t, 2, "frame", "a change needs at least two frames"),
            (n, 2, "entity", "an interaction needs at least two entities"),
            (d, 1, "feature", "give at least one number per entity"),
        ):
            if size < least:
                raise InputError(f"{self.source}: {size} {plural(word, size)} in shape {x.shape}; {remedy}")
        # Foreign byte orders and half or extended precision would trip later, in torch.
        x = x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
        x = x if hidden is None else np.where(hidden, np.nan, x)
        object.__setattr__(self, "x", x)
        self._set_names("features", d, ("x", "y", "vx", "vy") if d == 4 else tuple(f"x{i}" for i in range(d)))
        self._set_names("entities", n, tuple(map(str, range(n))))
        self._set_names("units", d, ("",) * d)
        self._set_names("tasks", m, tuple(map(str, range(m))))
        for field, word, count in (("groups", "task", m), ("kinds", "entity", n)):
            labels = tuple(map(str, getattr(self, field)))
            if labels and len(labels) != count:
                what = f"{len(labels)} {field} for {count} {plural(word, count)}"
                raise InputError(f"{self.source}: {what}; give one each")
            object.__setattr__(self, field, labels)
        object.__setattr__(self, "angles", tuple(map(str, self.angles)))
        periods_of(self.angles, self.features, self.units, self.source)
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"{self.source}: dt is {self.dt}; give the positive time between two frames")
        if self.mask is not None:
            mask = np.asarray(self.mask)
            if mask.shape != (m, t, n) or mask.dtype != bool:
                raise InputError(
                    f"{self.source}: mask must be boolean of shape {(m, t, n)} (task, frame, entity), "
                    f"found {mask.dtype} {mask.shape}; save True where an entity was observed"
                )
            object.__setattr__(self, "mask", mask)
        there = ~np.isnan(x).any(-1) & (True if self.mask is None else self.mask)
        object.__setattr__(self, "mask", None if there.all() else there)
        if self.edges is not None:
            object.__setattr__(self, "edges", self._checked_edges(np.asarray(self.edges), m, n))

    def _set_names(self, field: str, count: int, default: tuple[str, ...]) -> None:
        names = tuple(map(str, getattr(self, field))) or default
        if len(names) != count:
            raise InputError(f"{self.source}: {len(names)} names in {field} for {count}; give one name each")
        if field != "units" and len(set(names)) < count:
            twice = next(name for name, found in Counter(names).items() if found > 1)
            raise InputError(f"{self.source}: the name {twice!r} stands twice in {field}; names must differ")
        if broken := [name for name in names if not writable(name)]:
            raise InputError(f"{self.source}: the name {broken[0]!r} in {field} cannot be written as text; rename it")
        object.__setattr__(self, field, names)

    def _checked_edges(self, edges: np.ndarray, m: int, n: int) -> np.ndarray:
        if edges.shape != (m, n, n):
            raise InputError(
                f"{self.source}: edges must have shape {(m, n, n)} (task, source, target), found {edges.shape}; "
                "save one matrix a task"
            )
        if edges.dtype.kind not in "iu":
            whole = edges.dtype.kind in "fb" and np.array_equal(edges, np.round(edges.astype(float)))
            if not whole:
                raise InputError(
                    f"{self.source}: edges must be whole numbers 0, 1, ..., found dtype {edges.dtype}; number the types"
                )
        edges = edges.astype(np.int64)
        strange = (edges < -1) | (edges >= MOST_TYPES)
        if strange.any():
            at = tuple(int(i) for i in np.argwhere(strange)[0])
            raise InputError(
                f"{self.source}: edge type {edges[at]} at (task, source, target) {at}; types count from 0 to at most "
                f"{MOST_TYPES - 1}; -1: unknown"
            )
        if np.einsum("mii->mi", edges).any():
            task, entity = np.argwhere(np.einsum("mii->mi", edges))[0]
            raise InputError(
                f"{self.source}: task {task} has an edge from entity {entity} to itself; set the diagonal to 0"
            )
        if self.mask is not None:
            here = np.asarray(self.mask.any(1))
            edges = np.where((here[:, :, None] & here[:, None, :]) | np.eye(n, dtype=bool), edges, -1)
        return edges

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(M, T, N, D)."""
        m, t, n, d = self.x.shape
        return m, t, n, d

    @property
    def periods(self) -> Float[np.ndarray, " D"]:
        """A whole turn of each feature that is an angle, in its unit; 0 for others."""
        return periods_of(self.angles, self.features, self.units, self.source)

    @property
    def group_numbers(self) -> Int[np.ndarray, " M"]:
        """The group of each task, counted in order of first appearance."""
        names = list(dict.fromkeys(self.groups))
        return np.array([names.index(name) for name in self.groups] or [0] * len(self.tasks))

    @property
    def mapped(self) -> bool:
        """Whether the states lie on disk and are read when looked at."""
        base: object = self.x
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        return isinstance(base, np.memmap)

    def blocks(self) -> Iterator[Trajectories]:
        """Some tasks at a time, in order, so that no copy of all states is made."""
        size = max(1, BLOCK // self.x[0].size)
        for start in range(0, len(self.x), size):
            yield self if len(self.x) <= size else self.select(np.arange(start, min(start + size, len(self.x))))

    def summary(self) -> str:
        """One line: counts, feature names, whether the truth is known, and the notes."""
        m, t, n, d = self.shape
        truth = "truth unknown" if self.edges is None else f"truth for {n * (n - 1)} edges"
        count = [f"{k} {plural(w, k)}" for k, w in ((m, "task"), (t, "frame"), (n, "entity"), (d, "feature"))]
        return ", ".join([f"{', '.join(count)} ({', '.join(self.features)})", truth, *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """In words, what is not as in complete, even recordings: how they were resampled, how much was not observed."""
        missing = "" if self.mask is None else f"{1 - self.mask.mean():.1%} not observed"
        return tuple(note for note in (self.resampling, missing) if note)

    def select(self, tasks: Sequence[int] | np.ndarray | slice) -> Trajectories:
        """The tasks of these indices, in this order."""
        index = np.arange(len(self.tasks))[tasks]
        rows: Any = index
        if self.mapped and len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
            rows = slice(index[0], index[0] + len(index))  # a view, which reads nothing
        return replace(
            self,
            x=self.x[rows],
            mask=None if self.mask is None else self.mask[rows],
            edges=None if self.edges is None else self.edges[rows],
            tasks=tuple(self.tasks[i] for i in index),
            groups=tuple(self.groups[i] for i in index) if self.groups else (),
        )

    def frames(self, start: int, stop: int | None = None) -> Trajectories:
        """Frames `start` to `stop` (exclusive) of every task; velocities that were derived know these frames alone."""
        x, mask = self.x[:, start:stop], None if self.mask is None else self.mask[:, start:stop]
        if self.derived:
            axes = [self.features.index(name.removeprefix("v")) for name in self.derived]
            velocity, mask = velocities(x[..., axes], mask, self.dt)
            x = x.copy()
            x[..., [self.features.index(name) for name in self.derived]] = velocity
        return replace(self, x=x, mask=mask)

    def split(self, share: float, seed: int) -> tuple[Trajectories, Trajectories]:
        """Two parts in file order, the rest and `round(share * M)` tasks held out: random ones, of mapped the last."""
        m = len(self.tasks)
        held = round(share * m)
        if not 0 < held < m:
            raise InputError(
                f"{self.source}: a share of {share} of {m} {plural('task', m)} leaves {m - held} to train "
                f"and {held} to hold out; change the share"
            )
        order = np.arange(m)[::-1] if self.mapped else np.random.default_rng(seed).permutation(m)  # slices stay mapped
        return self.select(np.sort(order[held:])), self.select(np.sort(order[:held]))

    def require_finite(self) -> Trajectories:
        """Itself, if every observed number is finite.

        Raises:
            InputError: names the first task, frame, entity and feature that is not.
        """
        first, count = "", 0
        for part in self.blocks():
            bad = ~np.isfinite(part.x)
            if part.mask is not None:
                bad &= part.mask[..., None]
            if bad.any() and not count:
                task, frame, entity, feature = np.argwhere(bad)[0]
                first = f"{part.x[task, frame, entity, feature]} at task {part.tasks[task]}, frame {frame}, "
                first += f"entity {self.entities[entity]}, feature {self.features[feature]}"
            count += int(bad.sum())
        if count:
            such = f"({count} such {plural('value', count)})"
            raise InputError(f"{self.source}: {first} {such}; put NaN where nothing was recorded or cut these frames")
        return self

    def require_complete(self) -> Trajectories:
        """Itself, if every entity was observed in every frame.

        Raises:
            InputError: names the first task, frame and entity that was not.
        """
        if self.mask is not None and not self.mask.all():
            task, frame, entity = np.argwhere(~self.mask)[0]
            raise InputError(
                f"{self.source}: entity {self.entities[entity]} was not observed in task {self.tasks[task]}, "
                f"frame {frame}; fill the gap or cut these frames"
            )
        return self

    def require_told(self, frames: int) -> Trajectories:
        """Itself, if every task has an entity that was observed in so many frames in a row.

        Raises:
            InputError: names the first task that has none.
        """
        if self.mask is None:
            return self
        run = np.lib.stride_tricks.sliding_window_view(self.mask, min(frames, self.mask.shape[1]), axis=1)
        told = np.asarray(run.all(-1)).any((1, 2)) & (frames <= self.mask.shape[1])
        if not told.all():
            raise InputError(
                f"{self.source}: in task {self.tasks[int((~told).argmax())]} nobody was observed in {frames} frames in "
                f"a row ({int((~told).sum())} such {plural('task', int((~told).sum()))}); leave such tasks out"
            )
        return self

    def without_edges(self) -> Trajectories:
        """The same recordings, the truth removed: what training and search are given."""
        return replace(self, edges=None)


def writable(name: str) -> bool:
    """Whether a name is text, which halves of characters and NUL are not."""
    return "\0" not in name and (name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name))


def plural(word: str, count: int) -> str:
    """The word for a count: `plural("entity", 5)` is entities."""
    if count == 1:
        return word
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"
