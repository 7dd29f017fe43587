"""Defines `Trajectories`, the container for recorded systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.angles import as_stated, box_sizes, periods_of, without_seams
from bouncegrad.data.by_name import by_name
from bouncegrad.data.derivatives import velocities
from bouncegrad.data.errors import InputError

BLOCK = 2**22  # numbers that are processed together
POSITIONS, VELOCITIES = ("x", "y", "z"), ("vx", "vy", "vz")  # names of features
MOST_TYPES = 1000  # true edge types; functions that count types allocate tables of this size


@dataclass(frozen=True, eq=False)
class Trajectories:
    """M tasks, each with T evenly spaced frames of N entities with D features.

    NaN means missing: if a feature of an entity is NaN in a frame, the entity was not observed in that frame.
    Infinities are allowed here, since frames after the context may hold anything; `require_finite` refuses them.

    Args:
        x: states, `Float[M, T, N, D]`, in the user's units. Masked values of a NumPy masked array become NaN.
        mask: `Bool[M, T, N]`, true where an entity was observed; None if every cell was observed. It becomes false
            where a state is NaN.
        edges: the true edge types, `Int[M, N, N]`, `[source, target]`. The diagonal is 0. Unknown types are -1, for
            example of entities that a task does not have. It is None if nothing is known. Only metrics use it.
        dt: time from one frame to the next, in seconds or the user's unit of time.
        features: D names, by default x, y, vx, vy for D = 4 and x0, x1, ... otherwise.
        entities: N names, by default 0, 1, ...
        units: D units; empty strings if unknown.
        tasks: M names, by default 0, 1, ...
        source: the file or command that the data came from, for messages.
        derived: features that were derived from positions; see `with_velocities`.
        angles: features that are angles, as `phase` (radians) or `heading:deg` (degrees), see `angles.py`.
        periodic: positions that wrap at periodic walls, with the size of the box: `x:10`. Differences between entities
            then go the shorter way, and positions themselves have no meaning.
        groups: the group of each of the M tasks. With `shared_graph`, tasks of one group have one graph in common. If
            it is empty, all tasks are one group.
        kinds: the kind of each of the N entities. Every kind has a node module of its own. If it is empty, all entities
            are of one kind.
        resampling: a description of what `resample` did; empty for frames as they were recorded.
        origin: how the file was read, as (name, value) rows for `inspect`. A row `assumed` says what the file does not
            state.

    Raises:
        InputError: there is a wrong number of axes, no task, or fewer than 2 frames or entities; or arrays and names do
            not fit together.

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
    periodic: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    resampling: str = ""
    origin: tuple[tuple[str, str], ...] = ()

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
        # Torch does not accept other byte orders, and modules do not accept half or extended precision.
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
        sizes = box_sizes(tuple(map(str, self.periodic)), self.features, self.source)
        object.__setattr__(self, "periodic", as_stated(sizes, self.features))
        periods_of(self.angles, self.features, self.units, self.source, self.periodic)
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
        observed = ~np.isnan(x).any(-1) & (True if self.mask is None else self.mask)
        object.__setattr__(self, "mask", None if observed.all() else observed)
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
                "save one matrix for each task"
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
            present = np.asarray(self.mask.any(1))
            edges = np.where((present[:, :, None] & present[:, None, :]) | np.eye(n, dtype=bool), edges, -1)
        return edges

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The sizes (M, T, N, D)."""
        m, t, n, d = self.x.shape
        return m, t, n, d

    @property
    def periods(self) -> Float[np.ndarray, " D"]:
        """The period of each feature that is an angle or a periodic position, in its unit; 0 for other features."""
        return periods_of(self.angles, self.features, self.units, self.source, self.periodic)

    @property
    def group_numbers(self) -> Int[np.ndarray, " M"]:
        """The group of each task, counted in order of first appearance."""
        names = list(dict.fromkeys(self.groups))
        return np.array([names.index(name) for name in self.groups] or [0] * len(self.tasks))

    @property
    def mapped(self) -> bool:
        """Whether the states are on disk and are read when they are used."""
        base: object = self.x
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        return isinstance(base, np.memmap)

    def blocks(self) -> Iterator[Trajectories]:
        """Yields some tasks at a time, in order, so that no copy of all states is made."""
        size = max(1, BLOCK // self.x[0].size)
        for start in range(0, len(self.x), size):
            yield self if len(self.x) <= size else self.select(np.arange(start, min(start + size, len(self.x))))

    def summary(self) -> str:
        """Returns one line: sizes, feature names, whether the true edges are known, and `notes`."""
        m, t, n, d = self.shape
        truth = "truth unknown" if self.edges is None else f"truth for {n * (n - 1)} edges"
        count = [f"{k} {plural(w, k)}" for k, w in ((m, "task"), (t, "frame"), (n, "entity"), (d, "feature"))]
        return ", ".join([f"{', '.join(count)} ({', '.join(self.features)})", truth, *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """Descriptions of how the recordings were resampled and how much was not observed; empty if neither applies."""
        missing = "" if self.mask is None else f"{1 - self.mask.mean():.1%} not observed"
        return tuple(note for note in (self.resampling, missing) if note)

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the file does not state and was assumed, one line each."""
        return tuple(text for name, text in self.origin if name == "assumed")

    def __len__(self) -> int:
        """Returns M, the number of tasks."""
        return len(self.tasks)

    def __getitem__(self, tasks: Any) -> Trajectories:
        """Returns some tasks: `data[2]` is the third one alone, `data[:10]` are the first ten, see `select`."""
        if isinstance(tasks, tuple) and tasks[1:] == (Ellipsis,):  # the way scikit-learn asks for rows
            tasks = tasks[0]
        return self.select(np.atleast_1d(np.arange(len(self))[tasks]))

    def _repr_html_(self) -> str | None:
        card: str | None = by_name("data.recordings_card", "recordings_card")(self)
        return card

    def select(self, tasks: Sequence[int] | np.ndarray | slice) -> Trajectories:
        """Returns the tasks of these indices, in this order."""
        index = np.arange(len(self.tasks))[tasks]
        rows: Any = index
        if self.mapped and len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
            rows = slice(index[0], index[0] + len(index))  # a slice makes a view, which reads nothing from disk
        return replace(
            self,
            x=self.x[rows],
            mask=None if self.mask is None else self.mask[rows],
            edges=None if self.edges is None else self.edges[rows],
            tasks=tuple(self.tasks[i] for i in index),
            groups=tuple(self.groups[i] for i in index) if self.groups else (),
        )

    def frames(self, start: int, stop: int | None = None) -> Trajectories:
        """Returns frames `start` to `stop` (exclusive) of every task; derived velocities use only these frames."""
        x, mask = self.x[:, start:stop], None if self.mask is None else self.mask[:, start:stop]
        if self.derived:
            axes = [self.features.index(name.removeprefix("v")) for name in self.derived]
            velocity, mask = velocities(without_seams(x[..., axes], mask, self.periods[axes]), mask, self.dt)
            x = x.copy()
            x[..., [self.features.index(name) for name in self.derived]] = velocity
        return replace(self, x=x, mask=mask)

    def split(self, share: float, seed: int) -> tuple[Trajectories, Trajectories]:
        """Returns two parts, the tasks to train on and `round(share * M)` held-out tasks, both in file order.

        Held-out tasks are drawn at random with the seed; of mapped recordings they are the last ones.
        """
        m = len(self.tasks)
        held = round(share * m)
        if not 0 < held < m:
            raise InputError(
                f"{self.source}: a share of {share} of {m} {plural('task', m)} leaves {m - held} to train "
                f"and {held} to hold out; change the share"
            )
        # Only slices of mapped recordings stay on disk.
        order = np.arange(m)[::-1] if self.mapped else np.random.default_rng(seed).permutation(m)
        return self.select(np.sort(order[held:])), self.select(np.sort(order[:held]))

    def require_finite(self) -> Trajectories:
        """Returns itself if every observed number is finite.

        Raises:
            InputError: names the first task, frame, entity and feature with a number that is not finite.
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
        """Returns itself if every entity was observed in every frame.

        Raises:
            InputError: names the first task, frame and entity without an observation.
        """
        if self.mask is not None and not self.mask.all():
            task, frame, entity = np.argwhere(~self.mask)[0]
            raise InputError(
                f"{self.source}: entity {self.entities[entity]} was not observed in task {self.tasks[task]}, "
                f"frame {frame}; fill the gap or cut these frames"
            )
        return self

    def require_observed(self, frames: int) -> Trajectories:
        """Returns itself if every task has an entity that was observed in this many frames in a row.

        Raises:
            InputError: names the first task without such an entity.
        """
        if self.mask is None:
            return self
        run = np.lib.stride_tricks.sliding_window_view(self.mask, min(frames, self.mask.shape[1]), axis=1)
        missing = ~(np.asarray(run.all(-1)).any((1, 2)) & (frames <= self.mask.shape[1]))
        if missing.any():
            count = int(missing.sum())
            raise InputError(
                f"{self.source}: in task {self.tasks[int(missing.argmax())]} nobody was observed in {frames} frames in "
                f"a row ({count} such {plural('task', count)}); leave such tasks out"
            )
        return self

    def without_edges(self) -> Trajectories:
        """Returns the same recordings without the true edges, which training and search must not see."""
        return replace(self, edges=None)


def writable(name: str) -> bool:
    """Returns whether a name can be written as text: it has no NUL and no surrogate, which is half of a character."""
    return "\0" not in name and (name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name))


def plural(word: str, count: int) -> str:
    """Returns the word in the form for a count: `plural("entity", 5)` is entities."""
    if count == 1:
        return word
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"
