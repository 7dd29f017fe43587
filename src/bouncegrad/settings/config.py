"""Settings of a run: kinds, ranges, defaults and the named experiments. `build.py` makes objects of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.settings.values import fits, in_words

ROWS_A_VISIT = 1280  # tasks times segments times entities: one visit is as much work for few tasks as for many
TRACKS_REMEMBERED, TRACKS_COOLED = 1.6, 3.0
SHORTEST_COOLING, LONGEST_COOLING = 600, 3000
PINNED = "type 0 is no interaction"  # among what was stated beforehand
FEW = 1024  # tasks that laws and their names are found from
LONGEST_EVIDENCE = 0.95  # older visits were judged by modules that have changed since
UNHURRIED, STEPS_A_MINUTE = 2400, 4000  # gradient steps; a minute's are only guessed
WIDEST = 2**16
MINUTES = 5.0
FIRST_TEMPERATURE = {"geometric": 30.0, "tracked": 5.5e-5, "residual": 5.5e-5, "fixed": 1.0}
PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Config:
    """Settings of one run. None means: chosen from the data or from `search`, and written down when resolved.

    Args:
        edge_types: K, how many edge modules there are; each edge gets one of them. auto: as many, 1 to 4, as held-out
            tasks need; see `edge_types.py`.
        search: heat-bath draws structures from their conditionals; paper proposes, tests, accepts (Alet et al. 2019).
        proposal: what suggests structures to the paper's search; truth is an oracle, which reads the true edges.
        encoder: network behind the learned proposal; mlp or cnn on tracks, structures or structures-flipped on present
            structures, of which a fifth is made uniform or flipped, both for mlp and structures in turn.
        encoder_hidden: width of its layers.
        encoder_optimizer: what teaches it, at a rate of 0.001: sgd is the published one (momentum 0.9), adam learns
            from hundreds of tasks.
        move: edges that one proposal fills anew: one edge, those into one entity, one that gets another type than it
            has (flip), everything.
        annealer: what sets the temperature; geometric for heat-bath, tracked (acceptance) for paper by default;
            residual goes by the errors in training.
        temperature: the first temperature; 30 for geometric, exp(-9.8) for tracked and residual, 1 for fixed by
            default.
        floor: the temperature never falls below it.
        cooling: gradient steps in which the geometric annealer reaches temperature 1 and structures are found; by
            default 600, or more where these would show less than three tracks of each task, at most 70 % of a run.
        hot: share of the cooling, at its start, with uniform structures, in which modules learn the mean law.
        evidence: share of a task's evidence that is kept from visit to visit (heat-bath); by default so much that
            visits of one and a half tracks are remembered.
        candidates: pairs that may interact at all: k, the k entities nearest to each on average, or a table with the
            columns source and target; all pairs by default. Other pairs do not interact, so type 0 is pinned.
        symmetric: both directions of a pair share a type.
        entity_types: an edge's type follows from the types of its two ends, of which there are this many; as with
            charges, where `edge_types: 2, entity_types: 2` are like and unlike.
        shared_graph: all tasks have the same graph, or those of each group where the data has groups, and their
            evidence is pooled.
        window: frames after which a graph may be another one: recordings are cut into windows of so many changes.
        pinned: type 0 means "no interaction" and sends nothing.
        sparsity: share of edges that are of the pinned type 0, before any data; 0.9 by default where it is pinned.
        loss: likelihood (one step, with learned variances) or rollout (squared error over `steps` frames).
        steps: R, steps of a segment: 1 for likelihood, 10 for rollout by default.
        segments: segments drawn per task and visit; by default so many that a visit costs the same for any data, and
            for rollout 0, which takes one from every R-th frame on.
        lags: L, frames before the present one whose changes modules see: for states that do not tell all of an
            entity, such as a position without a velocity, or the sine of a phase without its cosine.
        lagged: names of the features whose changes are seen; all by default. Leave out velocities and rates: their last
            change is the force itself, from which modules could read a type instead of the edge.
        polar: where the features have positions (x, y and z if there is one), edge modules see distance and direction
            of two entities beside their states.
        relative: positions are seen as differences between entities, by edge modules (messages) or by all (everything:
            a law that is the same everywhere, so without walls); no sees them as they are, too.
        momentum: what one entity sends to another it gets back negated; for laws of equal and opposite forces.
        edge_hidden: widths of the hidden layers of the edge modules.
        node_hidden: widths of the hidden layers of the node module.
        message: width of a message.
        activation: function between layers.
        forecast: share of the run that is given to learning to forecast, by modules of their own, once structures are
            found; 0, graphs alone, by default.
        horizon: frames that forecasts are trained to run ahead, as far as tracks are long.
        substeps: steps of the forecasting modules from one frame to the next; more follow close encounters better.
        quantities: names of features that take few whole values and are quantities all the same, such as counts; what
            looks like codes of categories is refused otherwise.
        batch: tasks per gradient step.
        mirror: every visit sees a task mirrored, one of the eight ways of a square: for few tasks whose law does not
            know left from right.
        optimizer: muon (all directions of a weight matrix move at one rate) or adam; by default muon for likelihood,
            adam for rollout.
        learning_rate: first rate; by default 0.01 for muon, up to 0.02 in runs of less than 2,400 gradient steps, and
            0.003 for adam.
        rate: how it falls; on a cosine to 2 % of it, or by half on each plateau, when 40 passes have not lowered the
            loss (as published).
        clip: gradients are scaled down to this norm.
        epochs: passes over the tasks; reproducible to the bit.
        minutes: a limit of time, used where epochs are not given: a run is fitted to it, and done before after ten
            times the steps of its cooling, where structures cool; 5 by default.
        holdout: share of the tasks that is kept for `evaluate`, where the data has no parts of its own.
        seed: seed of every random draw.
        threads: threads of matrix products; all cores by default.
        device: cpu, cuda (a graphics card), or auto: a graphics card where there is one.
    """

    edge_types: int | Literal["auto"] = 2
    search: Literal["heat-bath", "paper"] = "heat-bath"
    proposal: Literal["uniform", "learned", "truth"] = "uniform"
    encoder: Literal["mlp", "cnn", "structures", "structures-flipped", "both"] = "mlp"
    encoder_hidden: int = 128
    encoder_optimizer: Literal["sgd", "adam"] = "sgd"
    move: Literal["edge", "entity", "flip", "everything"] = "entity"
    annealer: Literal["geometric", "tracked", "residual", "fixed"] | None = None
    temperature: float | None = None
    floor: float = 1e-12
    cooling: int | None = None
    hot: float = 0.15
    evidence: float | None = None
    candidates: int | str | None = None
    symmetric: bool = False
    entity_types: int | None = None
    shared_graph: bool = False
    window: int | None = None
    pinned: bool = False
    sparsity: float | None = None
    loss: Literal["likelihood", "rollout"] | None = None
    steps: int | None = None
    segments: int | None = None
    lags: int = 0
    lagged: tuple[str, ...] = ()
    polar: bool = True
    relative: Literal["no", "messages", "everything"] = "no"
    momentum: bool = False
    edge_hidden: tuple[int, ...] = (64, 64)
    node_hidden: tuple[int, ...] = (64, 64)
    message: int = 16
    activation: Literal["silu", "relu"] = "silu"
    forecast: float = 0.0
    horizon: int = 10
    substeps: int = 2
    quantities: tuple[str, ...] = ()
    batch: int = 64
    mirror: bool = False
    optimizer: Literal["muon", "adam"] | None = None
    learning_rate: float | None = None
    rate: Literal["cosine", "plateau"] = "cosine"
    clip: float = 10.0
    epochs: int | None = None
    minutes: float | None = None
    holdout: float = 0.25
    seed: int = 0
    threads: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        def check(name: str, good: bool, remedy: str) -> None:
            if not good:
                raise InputError(f"setting {name}: {getattr(self, name)!r} cannot be used; {remedy}")

        for name, hint in get_type_hints(type(self)).items():
            check(name, fits(getattr(self, name), hint), f"give {in_words(hint)}")
        auto = self.edge_types == "auto"
        check("edge_types", auto or 1 <= self.types <= 64, "give a whole number from 1 to 64, or auto")
        likelihood = self.loss != "rollout" and self.search == "heat-bath"
        check("edge_types", not auto or likelihood, "it goes by likelihoods, of --search heat-bath")
        check("edge_types", auto or self.types > 1 or not self.pinned, "type 0 is none, and there is no other")
        check("hot", 0 <= self.hot < 1, "give a share from 0, below 1")
        check("evidence", self.evidence is None or 0 <= self.evidence < 1, "give a share from 0, below 1")
        check("holdout", 0 <= self.holdout < 1, "give a share from 0, below 1")
        check("forecast", 0 <= self.forecast < 1, "give a share from 0, below 1")
        check("substeps", 1 <= self.substeps <= 100, "give a whole number from 1 to 100")
        check("seed", 0 <= self.seed < 2**63, "give a whole number from 0, below 2^63")
        for name in ("batch", "steps", "epochs", "cooling", "horizon"):
            check(name, getattr(self, name) is None or getattr(self, name) >= 1, "give a whole number from 1")
        for name in ("learning_rate", "clip", "minutes", "temperature", "floor"):
            value = getattr(self, name)
            check(name, value is None or 0 < value <= 1e30, "give a number above 0, at most 1e30")
        # Far beyond what helps, and far below what takes all memory or brings down the threads' library.
        check("threads", self.threads is None or 1 <= self.threads <= 1024, "give a whole number from 1 to 1024")
        check("segments", self.segments is None or 0 <= self.segments <= 10**6, "give a whole number from 0 to 10^6")
        check("lags", 0 <= self.lags <= 1000, "give a whole number from 0 to 1000")
        check("lagged", not self.lagged or self.lags > 0, "it needs --lags, which says how many frames")
        for name in ("message", "encoder_hidden"):
            check(name, 1 <= getattr(self, name) <= WIDEST, f"give a whole number from 1 to {WIDEST}")
        for name in ("edge_hidden", "node_hidden"):
            widths = getattr(self, name)
            good = len(widths) > 0 and all(1 <= width <= WIDEST for width in widths)
            check(name, good, f"give at least one width, each from 1 to {WIDEST}")
        check("proposal", self.search == "paper" or self.proposal == "uniform", "only --search paper uses proposals")
        check("move", self.search == "paper" or self.move == "entity", "only --search paper uses proposals")
        encoders = {"encoder": self.encoder == "mlp", "encoder_optimizer": self.encoder_optimizer == "sgd"}
        for name, default in encoders.items():
            check(name, self.proposal == "learned" or default, "only --proposal learned has an encoder")
        tests = self.search == "paper" or self.annealer not in ("tracked", "residual")
        check("annealer", tests, "only --search paper has an acceptance")
        check(
            "annealer", self.annealer != "residual" or self.loss != "likelihood", "it goes by errors of --loss rollout"
        )
        floored = self.temperature is None or self.floor <= self.temperature
        check("floor", floored, f"give at most the first temperature, {self.temperature}")
        check("window", self.window is None or self.window >= 1, "give a whole number from 1")
        both = self.window is not None and self.shared_graph
        check("window", not both, "windows have graphs of their own, --shared_graph has one for all")
        check("symmetric", not self.symmetric or self.entity_types is None, "entity types alone say more")
        check("candidates", not isinstance(self.candidates, int) or self.candidates >= 1, "give a whole number from 1")
        for name in ("symmetric", "entity_types"):
            check(name, self.candidates is None or not getattr(self, name), "it needs all pairs, without --candidates")
        if (a := self.entity_types) is not None:
            check("entity_types", 2 <= a <= 64, "give a whole number from 2 to 64")
            check("entity_types", not auto, "they say how many edge types there are; give --edge_types as a number")
            lead = sorted({2, a * (a + 1) // 2, a * a})
            given = f"with edge_types {self.edge_types}; {a} lead to {', '.join(map(str, lead))} edge types"
            check("entity_types", self.types in lead, given)
        check("sparsity", self.sparsity is None or 0 < self.sparsity < 1, "give a share above 0, below 1")
        check("sparsity", self.sparsity is None or self.pinned, "it needs --pinned, which says that type 0 is none")
        for name in ("symmetric", "entity_types", "shared_graph", "pinned", "candidates"):
            check(name, self.search == "heat-bath" or not getattr(self, name), "only --search heat-bath knows it")
        check("steps", self.loss != "likelihood" or self.steps in (None, 1), "the likelihood is of one step")

    def resolve(self, shape: tuple[int, int, int, int], groups: int = 1) -> Config:
        """The same settings, every None that depends on the data (M, T, N, D) or on `search` filled in.

        `groups` is how many groups of tasks have a graph in common, where they have.
        """
        m, t, n, _ = shape
        if t < self.lags + 2:
            raise InputError(
                f"setting lags: {self.lags} lags need {self.lags + 2} frames, the data has {t}; give fewer lags"
            )
        t -= self.lags
        paper = self.search == "paper"
        annealer = self.annealer or ("tracked" if paper else "geometric")
        loss = self.loss or ("rollout" if paper else "likelihood")
        steps = self.steps or (1 if loss == "likelihood" else min(10, t - 1))
        if steps >= t:
            raise InputError(
                f"setting steps: {steps} steps need {steps + self.lags + 1} frames, the data has {t + self.lags}; "
                "give fewer steps"
            )
        segments = self.segments
        if segments is None:
            drawn = round(ROWS_A_VISIT / (min(self.batch, m) * n))
            segments = 0 if loss == "rollout" else max(1, min(drawn, t - 1))
        optimizer = self.optimizer or ("muon" if loss == "likelihood" else "adam")
        minutes = None if self.epochs else self.minutes or MINUTES
        steps_to_come = self.epochs * -(-m // self.batch) if self.epochs else STEPS_A_MINUTE * (minutes or 0.0)
        haste = min(max((UNHURRIED / steps_to_come) ** 0.5, 1.0), 2.0)
        evidence = self.evidence
        if evidence is None:
            evidence = min(max(1 - segments * steps / (TRACKS_REMEMBERED * (t - 1)), 0.0), LONGEST_EVIDENCE)
        # Visits to each of the tasks that names are found from, times batches of one pass.
        visits = TRACKS_COOLED * (t - 1) / (steps * (segments or (t - 1) // steps))
        cooling = min(max(SHORTEST_COOLING, round(visits * -(-min(m, FEW) // self.batch))), LONGEST_COOLING)
        pinned = self.pinned or self.candidates is not None
        pooled = -(-min(self.batch, m) // groups) if self.shared_graph else 1  # log-likelihoods are sums of so many
        return replace(
            self,
            annealer=annealer,
            optimizer=optimizer,
            learning_rate=self.learning_rate or {"muon": 0.01 * haste, "adam": 0.003}[optimizer],
            temperature=self.temperature or FIRST_TEMPERATURE[annealer] * pooled,
            loss=loss,
            steps=steps,
            segments=segments,
            evidence=evidence,
            cooling=self.cooling or cooling,
            pinned=pinned,
            sparsity=self.sparsity or (0.9 if pinned else None),
            minutes=minutes,
        )

    @property
    def types(self) -> int:
        """K, once it is a number."""
        assert not isinstance(self.edge_types, str), "edge types are chosen before"
        return self.edge_types

    @property
    def priors(self) -> tuple[str, ...]:
        """In words, what the user has stated beforehand."""
        return (
            *(["oracle: true edges"] if self.proposal == "truth" else []),
            *([f"{self.candidates} candidates for each"] if isinstance(self.candidates, int) else []),
            *([f"candidates of {self.candidates}"] if isinstance(self.candidates, str) else []),
            *(["symmetric"] if self.symmetric else []),
            *([f"{self.entity_types} entity types"] if self.entity_types else []),
            *(["tasks share a graph"] if self.shared_graph else []),
            *([PINNED] if self.pinned else []),
            *([f"{self.sparsity:g} of the edges are none"] if self.sparsity else []),
        )

    def to_yaml(self) -> str:
        """As YAML, lists in one line."""
        return yaml.safe_dump(
            {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}, sort_keys=False
        )

    @classmethod
    def from_mapping(cls, values: dict[str, Any], source: str) -> Config:
        """From a mapping read from `source`, numpy's numbers and lists welcome; unknown keys are refused."""
        known = {f.name for f in fields(cls)}
        unknown = [name for name in values if name not in known]
        if unknown:
            raise InputError(f"{source}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        try:
            return cls(**settings)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None


def preset(name: str, elsewhere: Iterable[str] = ()) -> Path:
    """Returns the file of a preset.

    Args:
        name: of the preset.
        elsewhere: names of presets that another wing holds; only the message of an unknown name reads them.

    Raises:
        InputError: no preset has this name; the message lists all names.
    """
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    if name not in names:
        others = f", or for regression tasks one of {', '.join(elsewhere)}" if elsewhere else ""
        raise InputError(f"preset {name!r} is not known; choose one of {', '.join(names)}{others}")
    return PRESETS / f"{name}.yaml"
