"""Variants: settings that the user need not know are chosen by held-out frames, and the rivals are held against them.

    1  the settings as given; small modules; mirrored copies; the lags of the best regression
    2  beside the best of these: two rivals, one edge type and no edges at all; one edge type more, or type 0 without
       interaction
    3  the best one again, trained three times as long

All of this is part of the time of the run. What is judged slowly, such as a graph of many entities, leaves no time for
every variant: one that would end after three fifths of the run is left out, but for the first one and the two rivals.

Each variant is trained for the same time on the training part of `held_out.py`, and the one with the least held-out
loss is kept. What the second step tries must be better by three standard errors, since it changes what types mean. The
final model is trained on all frames with the chosen settings; it is trained long only if the third step was better. So
few recordings are not learned by heart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import POSITIONS, VELOCITIES, Trajectories
from bouncegrad.fitting.environment import Environment, Row
from bouncegrad.fitting.stages import train
from bouncegrad.models.held_out import HeldOut, errors_of, hold_out, rivals_of
from bouncegrad.models.trust import Trust
from bouncegrad.results.blocks import paired_z
from bouncegrad.results.verdict import ALONE, MODULES, ONE_KIND, REGRESSION, SURE, Verdict, decided
from bouncegrad.settings.config import Config
from bouncegrad.settings.devices import computing
from bouncegrad.settings.resolved import MINUTES

EACH, LONG = 0.05, 3  # share of the run that one variant takes, and how many times longer the third step is
MOST = 0.6  # share of the run after which no variant may end, unless the verdict needs it
LEAST_MINUTES = 0.5  # shorter runs cannot train each variant long enough to judge it
WIDTH = 16  # of small modules
AFTER_SHORT = 2.0  # the final training is so many times longer than a variant, where longer ones are not better
AS_GIVEN, NO_EDGES, ONE_TYPE, SMALL, MIRRORED, LAGGED, ANOTHER, PINNED, LONGER = (
    "as given",
    "no edges",
    "one edge type",
    "small modules",
    "mirrored copies",
    "lags of the regression",
    "one edge type more",
    "type 0 is no interaction",
    "trained longer",
)
FIRST = (AS_GIVEN, SMALL, MIRRORED, LAGGED)  # the best of these stays unless another is surely better
NEEDED = (AS_GIVEN, NO_EDGES, ONE_TYPE)  # there is no verdict without them


@dataclass(frozen=True)
class Chosen:
    """What held-out frames decided.

    Args:
        config: the settings of the final run.
        tried: held-out loss of each variant, in nats per number, in the order in which they were tried.
        name: the variant that was chosen.
        verdict: of the best variant against its rivals.
        share: share of the time of the run that all of this took.
        in_time: whether the recordings were divided in time.
        priors: knowledge about edges that was chosen, in words.
    """

    config: Config
    tried: dict[str, float]
    name: str
    verdict: Verdict
    share: float
    in_time: bool
    priors: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns the variants and the rivals as small tables."""
        width = max(map(len, self.tried))
        rows = [f"{name:<{width}}  {error:14.3f}" for name, error in self.tried.items()]
        took = f"chosen: {self.name}; this took {self.share:.0%} of the time"
        return [f"{'variant':<{width}}  held-out error", *rows, took, "", *self.verdict.lines()]

    @property
    def trust(self) -> Trust:
        """What a model needs to know of this."""
        return Trust(self.verdict, self.in_time, self.priors)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for data.json."""
        about = {"tried": self.tried, "chosen": self.name, "share": self.share, "in_time": self.in_time}
        return about | {"verdict": self.verdict.to_json(), "priors": list(self.priors)}

    @classmethod
    def from_json(cls, values: dict[str, Any], config: Config) -> Chosen:
        """Returns what `to_json` described, with the settings of its run.

        Raises:
            ValueError: values are missing or damaged.
        """
        try:
            tried = {str(name): float(error) for name, error in values["tried"].items()}
            name, share, in_time = str(values["chosen"]), float(values["share"]), bool(values["in_time"])
            priors = tuple(map(str, values.get("priors", ())))
            return cls(config, tried, name, Verdict.from_json(values["verdict"]), share, in_time, priors)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"held-out frames: {error}") from None


def chooses(config: Config) -> bool:
    """Whether variants are compared: in runs that are limited by time, and are long enough to train several."""
    return config.variants == "auto" and config.epochs is None and (config.minutes or MINUTES) >= LEAST_MINUTES


def settle_variants(
    config: Config,
    data: Trajectories,
    known: Int[np.ndarray, "M N N"] | None = None,
    report: Callable[[str, Row, float], None] = lambda name, row, progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Chosen | None:
    """Chooses the variant, and says what held-out frames tell; None if recordings are many, or the choice is off.

    Args:
        config: settings.
        data: the training part; its true edges are not read.
        known: types of edges that need not be found; with them, only settings that keep the types are tried.
        report: called with the variant, each row of metrics of its training, and the share that is done.
        stop: called before each variant; if it returns true, nothing more is tried, and nothing is chosen.
    """
    parts = hold_out(data, config) if chooses(config) else None
    if parts is None:
        return None
    return _Choice(config, parts, known, report, stop).made()


class _Choice:
    """One choice on its way: the variants so far, and their losses by block."""

    def __init__(
        self,
        config: Config,
        parts: HeldOut,
        known: Int[np.ndarray, "M N N"] | None,
        report: Callable[[str, Row, float], None],
        stop: Callable[[], bool],
    ) -> None:
        self.config, self.parts, self.known, self.report, self.stop = config, parts, known, report, stop
        self.minutes = config.minutes or MINUTES
        self.start = time.perf_counter()
        self.configs: dict[str, Config] = {}
        self.errors: dict[str, Float[np.ndarray, " blocks"]] = {}
        self.squared: dict[str, Float[np.ndarray, " blocks"]] = {}
        self.judging = 0.0  # minutes that it took at most to judge a variant
        self.beyond: list[float] = []  # minutes that each training took beyond its limit: to begin and to calibrate

    @property
    def spent(self) -> float:
        """Minutes since the start."""
        return (time.perf_counter() - self.start) / 60

    def made(self) -> Chosen | None:
        rivals = rivals_of(self.parts)
        for name, settings in self.first(rivals.lags):
            self.attempt(name, replace(self.config, **settings))
        if self.stop():
            return None
        best = self.best()
        for name, settings in self.second(self.configs[best]):
            self.attempt(name, replace(self.configs[best], **settings), alone=name == NO_EDGES)
        best = self.best()
        self.attempt(LONGER, self.configs[best], LONG)
        if self.stop():
            return None
        longer = LONGER in self.errors and self.mean(LONGER) < self.mean(best)
        judged = LONGER if longer else best
        squared = None if rivals.squared is None else {MODULES: self.squared[judged], REGRESSION: rivals.squared}
        trained = {ONE_KIND: ONE_TYPE, ALONE: NO_EDGES}
        beside = {rival: self.errors[name] for rival, name in trained.items() if name in self.errors}
        verdict = decided({MODULES: self.errors[judged]} | beside | rivals.errors, rivals.over_own, squared)
        spent = self.spent
        left = max(self.minutes - spent - min(self.beyond), EACH * self.minutes)
        minutes = left if longer else min(left, AFTER_SHORT * EACH * self.minutes)
        tried = {name: self.mean(name) for name in self.errors}
        name = f"{best}, {LONGER}" if longer else best
        config = replace(self.configs[best], minutes=minutes, forecast=self.config.forecast)
        priors = tuple(prior for prior in config.priors if prior not in self.config.priors)
        return Chosen(config, tried, name, verdict, spent / self.minutes, self.parts.in_time, priors)

    def first(self, lags: int) -> list[tuple[str, dict[str, Any]]]:
        """The variants of the first step; `lags` are those of the regression."""
        config, features = self.config, self.parts.training.features
        small = {"edge_hidden": (WIDTH, WIDTH), "node_hidden": (WIDTH, WIDTH)}
        found: list[tuple[str, dict[str, Any]]] = [(AS_GIVEN, {}), (SMALL, small)]
        if not config.mirror and set(POSITIONS[:2]) <= set(features) and not self.parts.training.angles:
            found.append((MIRRORED, {"mirror": True}))
        # The last change of a velocity is the force itself: modules would read types from it instead of from edges.
        if not config.lags and lags and not set(VELOCITIES) & set(features):
            found.append((LAGGED, {"lags": lags}))
        return found

    def second(self, best: Config) -> list[tuple[str, dict[str, Any]]]:
        """The variants of the second step."""
        if self.known is not None or best.edge_types == 1 or best.pinned or best.entity_types is not None:
            return []
        assert isinstance(best.edge_types, int)
        pinned = {"pinned": True, "sparsity": 0.5}
        rivals: list[tuple[str, dict[str, Any]]] = [(NO_EDGES, {"edge_types": 2} | pinned)]
        if best.candidates is None:
            rivals.append((ONE_TYPE, {"edge_types": 1}))
        return [*rivals, (ANOTHER, {"edge_types": best.edge_types + 1}), (PINNED, pinned)]

    def attempt(self, name: str, config: Config, longer: int = 1, alone: bool = False) -> None:
        """Trains one variant and judges it; one that the recordings, or the time, do not allow is left out.

        With `alone`, all edges are known to be of type 0, which sends nothing.
        """
        limit = longer * EACH * self.minutes
        late = self.spent + limit + self.judging > MOST * self.minutes
        if self.stop() or (late and name not in NEEDED):
            return
        config = replace(config, minutes=limit, forecast=0.0)
        environment = Environment(stop=self.stop, report=lambda row, share: self.report(name, row, share))
        tasks, _, n, _ = self.parts.training.shape
        known = np.zeros((tasks, n, n), np.int64) if alone else self.known if self.parts.in_time else None
        start = self.spent
        try:
            model, *_ = train(config, self.parts.training, known=known, environment=environment)
        except InputError:
            if name == AS_GIVEN:
                raise
            return
        trained = self.spent
        self.beyond.append(max(trained - start - limit, 0.0))
        with computing("cpu", config.threads):
            found = errors_of(model, self.parts, alone)
        self.judging = max(self.judging, self.spent - trained)
        self.configs[name], self.errors[name], self.squared[name] = config, *found

    def mean(self, name: str) -> float:
        """The held-out loss of a variant."""
        return float(self.errors[name].mean())

    def best(self) -> str:
        """The variant of least loss; those of the second step must be better than all others by 3 standard errors."""
        first = min((name for name in self.errors if name in FIRST), key=self.mean)
        second = [name for name in (ANOTHER, PINNED) if name in self.errors]
        surely = [name for name in second if paired_z(self.errors[first], self.errors[name]) > SURE]
        return min(surely, key=self.mean, default=first)
