"""Settings of a run: their types, ranges and defaults, and the presets. `build.py` makes objects from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.results.result import ONE_GRAPH, PINNED
from bouncegrad.settings.checks import from_mapping, require, require_kinds, require_positive, require_whole, to_mapping
from bouncegrad.settings.parts import COMPOSITIONS, HEADS, SEARCHES, in_words, is_known, search_part

WIDEST = 2**16  # the largest width of a layer; larger numbers are typing errors
PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Config:
    """Settings of one run; None: the value is chosen from the data or from `search`, see `resolved.py`.

    Args:
        edge_types: K, the number of edge types; each type has an edge module. auto chooses 1 to 4 by held-out tasks.
        composition: graph (messages along edges), or a composition of your own as my.module:Name.
        search: heat-bath compares all fillings of the edges into an entity; joint-draws draws them from a quadratic
            form of the loss, for many entities; auto takes the cheaper of these two; paper proposes, tests and accepts
            (Alet et al. 2019). Or a search of your own as my.module:Name.
        proposal: the part that suggests structures to the search of the paper; nothing leaves structures as they are,
            random, to compare with; truth is an oracle that reads the true edges.
        encoder: network of the learned proposal; mlp, cnn and regression read tracks; regression weighs the causes of
            every change by least squares, and needs at least two edge types; structures and structures-flipped read
            present structures, of which a fifth is made uniform or flipped; both alternates between mlp and
            structures.
        encoder_hidden: width of the layers of the encoder.
        encoder_optimizer: optimizer of the encoder, with a rate of 0.001; sgd (momentum 0.9) is published; adam needs
            only hundreds of tasks.
        uniform: share of the uniform distribution in what a learned proposal draws from, so that it excludes no type;
            near 0, a proposal that is sure and wrong cannot be mended by the search.
        proposals: number of proposals per task and visit, all tested on the same frames (published: 1).
        move: edges that one proposal changes; edge (one edge), entity (the edges into one entity), flip (one edge,
            which gets another type), everything.
        annealer: the part that sets the temperature; by default geometric for heat-bath, and tracked (by acceptance)
            for paper; residual sets it by the errors in training.
        temperature: the first temperature; by default 30 for geometric, exp(-9.8) for tracked and residual, 1 for
            fixed.
        floor: the temperature never falls below this value.
        tracked_passes: passes over which the tracked annealer lowers the wanted rate of accepted worse proposals from
            exp(-1) to exp(-6); the rate goes on falling (published: 800 of 4,000).
        cooling: gradient steps until the geometric annealer reaches temperature 1, at most 70 % of a run; by default
            600, or more if 600 steps visit fewer frames of each task than three tracks have, and 50,000 if joint-draws
            search a shared graph.
        cooling_tasks: tasks that are visited while structures cool, at most, so that each is visited often; by default
            1,024. With joint draws they are visited for two coolings, and have 5,120 entities together, but they are at
            least 128.
        hot: share of the cooling, at its start, in which structures are uniform and modules learn the mean law.
        evidence: share of the evidence on a task that is kept from visit to visit (heat-bath); by default as large as
            keeps the evidence of about one and a half tracks.
        candidates: pairs that may interact; a number k means the k entities that are nearest to each entity on
            average, a file is a table with the columns source and target; by default all pairs. Other pairs do not
            interact, so type 0 is pinned.
        symmetric: both directions of a pair have the same type.
        entity_types: number of types of entities; the type of an edge follows from the types of its two ends. For
            charges, `edge_types 2, entity_types 2` means like and unlike.
        shared_graph: all tasks, or all tasks of a group if the data has groups, have the same graph; their evidence is
            added up.
        first_graph: the edges that the search of a shared graph begins from; regression means those of a regression in
            which all edges share one law, none that all types are equally probable; by default regression for
            joint-draws.
        resolution: errors below this size do not count: its square is added to every variance of the likelihood; a
            number for each feature, or one for all, in typical changes. By default 0, but if joint-draws search a
            shared graph, 0.2 of the errors of a polynomial of the own state; otherwise many frames in which nearly
            nothing changes would count most.
        window: number of changes after which the graph may change; recordings are cut into windows of this length.
        pinned: type 0 means "no interaction" and sends nothing.
        sparsity: expected share of edges of the pinned type 0, before any data; 0.9 by default if type 0 is pinned.
        loss: likelihood (one step, with learned variances; with --search paper also rollouts over `steps` frames) or
            rollout (squared error over `steps` frames).
        head: the likelihood of a change; gaussian, or one of your own as my.module:Name.
        steps: R, steps of a segment; by default 1 for likelihood, 10 for rollout.
        segments: segments drawn per task and visit; by default the number with which a visit is the same work for any
            data; for rollout 0, which means one segment from every R-th frame on.
        lags: L, number of last changes that the modules see; for states that lack a part, such as a position without a
            velocity, or the sine of a phase without its cosine.
        lagged: names of the features with changes that the modules see; all by default. Leave out velocities and
            rates, because their last change is the force itself, and modules could read a type from it instead of from
            the edge.
        polar: if the features have positions (x, y, perhaps z), edge modules also see distance and direction between
            two entities.
        relative: messages means that edge modules see positions only as differences between entities; everything means
            that the node module does not see positions either, so the law is the same everywhere, without walls; no
            means that positions are seen.
        momentum: the message of an edge is minus the message of the opposite edge, if both have the same type; for
            laws with equal and opposite forces.
        edge_hidden: widths of the hidden layers of the edge modules.
        node_hidden: widths of the hidden layers of the node module.
        message: width of a message.
        activation: function between layers.
        forecast: share of the run in which separate modules learn to forecast, after structures are found; 0: no such
            stage. By default 0.2 if the run is limited by time to half a minute or more, and 0 if it is limited by
            epochs, or if its modules learn from rollouts or are not the composition graph.
        horizon: frames ahead that forecasts are trained on, at most the length of the tracks.
        substeps: steps of the forecasting modules from one frame to the next; close encounters need more steps.
        quantities: names of features that have few whole values but are quantities, such as counts; other features
            that look like codes of categories are refused.
        variants: auto, where there are fewer than 100 recordings and the run is limited by time: settings like the
            number of edge types, the width of modules and mirrored copies are chosen by held-out frames, and the
            modules are held against simple rivals, see `fitting/variants.py`; none: settings are used as they are.
        batch: tasks per gradient step.
        mirror: in each visit, tasks are mirrored or turned by one of the eight symmetries of a square; for few tasks,
            with a law that does not distinguish left from right.
        optimizer: muon (all directions of a weight matrix move at one rate) or adam; by default muon for likelihood,
            adam for rollout.
        learning_rate: first rate; by default 0.003 for adam and 0.01 for muon, up to 0.02 in runs of less than 2,400
            gradient steps.
        rate: how the learning rate falls; cosine (to 2 %), or plateau (halved if 40 epochs did not lower the loss, as
            published).
        clip: gradients are scaled down to this norm.
        epochs: number of passes over the tasks; with the same seed the result is the same to the bit.
        minutes: limit of time, used if epochs are not given; 5 by default. A run may end earlier, after ten times the
            steps of its cooling, or fifty times with joint draws.
        holdout: share of the tasks that is kept for `evaluate`, if the data has no parts of its own.
        seed: seed of every random draw.
        threads: threads of matrix products; all cores by default.
        device: cpu, cuda (a graphics card), or auto (a graphics card if there is one).
    """

    edge_types: int | Literal["auto"] = 2
    composition: str = "graph"
    search: str = "auto"
    proposal: Literal["uniform", "learned", "nothing", "truth"] = "uniform"
    encoder: Literal["mlp", "cnn", "regression", "structures", "structures-flipped", "both"] = "mlp"
    encoder_hidden: int = 128
    encoder_optimizer: Literal["sgd", "adam"] = "sgd"
    uniform: float = 0.02
    proposals: int = 1
    move: Literal["edge", "entity", "flip", "everything"] = "entity"
    annealer: Literal["geometric", "tracked", "residual", "fixed"] | None = None
    temperature: float | None = None
    floor: float = 1e-12
    tracked_passes: int = 800
    cooling: int | None = None
    cooling_tasks: int | None = None
    hot: float = 0.15
    evidence: float | None = None
    candidates: int | str | None = None
    symmetric: bool = False
    entity_types: int | None = None
    shared_graph: bool = False
    first_graph: Literal["regression", "none"] | None = None
    resolution: tuple[float, ...] | None = None
    window: int | None = None
    pinned: bool = False
    sparsity: float | None = None
    loss: Literal["likelihood", "rollout"] | None = None
    head: str = "gaussian"
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
    forecast: float | None = None
    horizon: int = 10
    substeps: int = 2
    quantities: tuple[str, ...] = ()
    variants: Literal["auto", "none"] = "auto"
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
        require_kinds(self)
        check = partial(require, self)
        for name, table in (("composition", COMPOSITIONS), ("search", SEARCHES), ("head", HEADS)):
            check(name, is_known(getattr(self, name), table), f"give {in_words(table)}")
        for name in ("hot", "evidence", "holdout", "forecast"):
            value = getattr(self, name)
            check(name, value is None or 0 <= value < 1, "give a share from 0, below 1")
        require_whole(self, 1, "batch", "steps", "epochs", "cooling", "cooling_tasks", "horizon", "window")
        check("resolution", all(0 <= value <= 10 for value in self.resolution or ()), "give numbers from 0 to 10")
        check("uniform", 0 < self.uniform <= 1, "give a share above 0, up to 1")
        check("proposals", 1 <= self.proposals <= 1000, "give a whole number from 1 to 1000")
        check("tracked_passes", 1 <= self.tracked_passes <= 10**9, "give a whole number from 1 to 10^9")
        require_positive(self, "learning_rate", "clip", "minutes", "temperature", "floor")
        check("substeps", 1 <= self.substeps <= 100, "give a whole number from 1 to 100")
        check("seed", 0 <= self.seed < 2**63, "give a whole number from 0, below 2^63")
        # More threads do not help; far more would take all memory or stop the thread library.
        check("threads", self.threads is None or 1 <= self.threads <= 1024, "give a whole number from 1 to 1024")
        check("segments", self.segments is None or 0 <= self.segments <= 10**6, "give a whole number from 0 to 10^6")
        check("lags", 0 <= self.lags <= 1000, "give a whole number from 0 to 1000")
        check("lagged", not self.lagged or self.lags > 0, "it needs --lags, the number of frames")
        for name in ("message", "encoder_hidden"):
            check(name, 1 <= getattr(self, name) <= WIDEST, f"give a whole number from 1 to {WIDEST}")
        for name in ("edge_hidden", "node_hidden"):
            widths = getattr(self, name)
            good = len(widths) > 0 and all(1 <= width <= WIDEST for width in widths)
            check(name, good, f"give at least one width, each from 1 to {WIDEST}")
        self._check_types()
        self._check_search()
        self._check_priors()

    def _check_types(self) -> None:
        check, k = partial(require, self), self.edge_types
        good = k == "auto" if isinstance(k, str) else 1 <= k <= 64
        check("edge_types", good, "give a whole number from 1 to 64, or auto")
        likelihood = self.loss != "rollout" and not self.proposes
        check("edge_types", k != "auto" or likelihood, "auto needs the likelihoods of --search heat-bath")
        check("edge_types", k != 1 or not self.pinned, "with --pinned, type 0 is no interaction; give at least 2")
        if (a := self.entity_types) is not None:
            check("entity_types", 2 <= a <= 64, "give a whole number from 2 to 64")
            check("entity_types", k != "auto", "they determine the number of edge types; give --edge_types as a number")
            lead = sorted({2, a * (a + 1) // 2, a * a})
            given = f"with edge_types {k}; {a} lead to {', '.join(map(str, lead))} edge types"
            check("entity_types", k in lead, given)

    def _check_search(self) -> None:
        check = partial(require, self)
        check("proposal", self.proposes or self.proposal == "uniform", "only --search paper uses proposals")
        check("encoder", self.encoder != "regression" or self.edge_types != 1, "regression needs two edge types")
        check("move", self.proposes or self.move == "entity", "only --search paper uses proposals")
        check("proposals", self.proposes or self.proposals == 1, "only --search paper uses proposals")
        check("uniform", self.proposal == "learned" or self.uniform == 0.02, "only --proposal learned mixes it in")
        encoders = {"encoder": self.encoder == "mlp", "encoder_optimizer": self.encoder_optimizer == "sgd"}
        for name, default in encoders.items():
            check(name, self.proposal == "learned" or default, "only --proposal learned has an encoder")
        accepts = self.proposes or self.annealer not in ("tracked", "residual")
        check("annealer", accepts, "only --search paper has an acceptance")
        of_errors = self.annealer != "residual" or self.loss != "likelihood"
        check("annealer", of_errors, "it needs the errors of --loss rollout")
        floored = self.temperature is None or self.floor <= self.temperature
        check("floor", floored, f"give at most the first temperature, {self.temperature}")
        one = self.loss == "likelihood" and not self.proposes
        check("steps", not one or self.steps in (None, 1), "only --search paper has a likelihood of several steps")
        likelihood = self.loss == "likelihood" or (self.loss is None and not self.proposes)
        check("head", likelihood or self.head == "gaussian", "only --loss likelihood has a likelihood of changes")

    def _check_priors(self) -> None:
        check = partial(require, self)
        both = self.window is not None and self.shared_graph
        guided = self.first_graph != "regression" or (self.shared_graph and self.search in ("auto", "joint-draws"))
        check("first_graph", guided, "only --shared_graph with --search joint-draws begins from a regression")
        check("window", not both, "windows have graphs of their own, --shared_graph has one for all")
        check("symmetric", not self.symmetric or self.entity_types is None, "it cannot be combined with entity types")
        check("candidates", not isinstance(self.candidates, int) or self.candidates >= 1, "give a whole number from 1")
        for name in ("symmetric", "entity_types"):
            check(name, self.candidates is None or not getattr(self, name), "it needs all pairs, without --candidates")
        check("sparsity", self.sparsity is None or 0 < self.sparsity < 1, "give a share above 0, below 1")
        check("sparsity", self.sparsity is None or self.pinned, "it needs --pinned: type 0 is no interaction")
        for name in ("symmetric", "entity_types", "shared_graph", "pinned", "candidates"):
            check(name, not self.proposes or not getattr(self, name), "only --search heat-bath knows it")

    @property
    def proposes(self) -> bool:
        """Whether the search proposes and tests; otherwise it draws from conditional probabilities."""
        return search_part(self.search).proposes

    @property
    def priors(self) -> tuple[str, ...]:
        """The knowledge about edges that the user has stated, in words."""
        return (
            *(["oracle: true edges"] if self.proposal == "truth" else []),
            *([f"{self.candidates} candidates for each"] if isinstance(self.candidates, int) else []),
            *([f"candidates of {self.candidates}"] if isinstance(self.candidates, str) else []),
            *(["symmetric"] if self.symmetric else []),
            *([f"{self.entity_types} entity types"] if self.entity_types else []),
            *([ONE_GRAPH] if self.shared_graph else []),
            *([PINNED] if self.pinned else []),
            *([f"{self.sparsity:g} of the edges are none"] if self.sparsity else []),
        )

    def to_yaml(self) -> str:
        """Returns the settings as YAML."""
        return yaml.safe_dump(to_mapping(self), sort_keys=False)

    @classmethod
    def from_mapping(cls, values: dict[str, Any], source: str) -> Self:
        """Returns settings from a mapping that was read from `source`; unknown settings are refused."""
        return from_mapping(cls, values, source)


def preset(name: str, elsewhere: Iterable[str] = ()) -> Path:
    """Returns the file of a preset.

    Args:
        name: of the preset.
        elsewhere: names of presets in another wing; the message of an unknown name lists them, too.

    Raises:
        InputError: no preset has this name; the message lists all names.
    """
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    if name not in names:
        others = f", or for regression tasks one of {', '.join(elsewhere)}" if elsewhere else ""
        raise InputError(f"preset {name!r} is not known; choose one of {', '.join(names)}{others}")
    return PRESETS / f"{name}.yaml"
