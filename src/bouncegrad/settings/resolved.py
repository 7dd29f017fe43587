"""Resolved settings: every setting that depends on the data or on the search has its value."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from bouncegrad.data.errors import InputError
from bouncegrad.settings.config import Config

COOLING_TASKS = 1024  # tasks that are visited while structures cool, at most, so that each is visited often
COOLING_ENTITIES, FEWEST_COOLING = 5120, 128  # the same for joint draws: entities of all tasks together, and tasks
MINUTES = 5.0  # the default limit of time
FORECAST, SHORTEST_FORECAST = 0.2, 0.5  # share of forecasting by default; minutes of the shortest run that has it
FIRST_TEMPERATURE = {"geometric": 30.0, "tracked": 5.5e-5, "residual": 5.5e-5, "fixed": 1.0}  # published: exp(-9.8)
ROWS_A_VISIT = 1280  # tasks times segments times entities, so that a visit is the same work for any number of tasks
TRACKS_REMEMBERED, TRACKS_COOLED = 1.6, 3.0  # in lengths of a track: evidence that is kept, steps shown in the cooling
SHORTEST_COOLING, LONGEST_COOLING = 600, 3000  # gradient steps; a slower cooling finds nothing better
SHARED_COOLING = 50_000  # of joint draws of shared graphs; most runs end sooner, so that it takes 70 % of them
LONGEST_EVIDENCE = 0.95  # the largest share kept; older evidence was computed with modules that have changed since
COMPARED = 128  # fillings of the edges into one entity, beyond which joint draws are cheaper than comparing all of them
PAIRS_COMPARED = 1024  # the same for the fillings of all pairs of a task
SHARED_COMPARED = 2**15  # the same for shared graphs; on noisy ones of 15 entities joint draws lost all edges
MOST_EVIDENCE = 2**31  # numbers that joint draws keep of all tasks, 8 GB
UNHURRIED, STEPS_A_MINUTE = 2400, 4000  # gradient steps of a run without haste; gradient steps per minute, roughly


@dataclass(frozen=True)
class ResolvedConfig(Config):
    """Settings with all values filled in that `Config` leaves open; see `Config` for their meaning."""

    edge_types: int = 2
    search: str = "heat-bath"
    annealer: Literal["geometric", "tracked", "residual", "fixed"] = "geometric"
    temperature: float = 30.0
    cooling: int = SHORTEST_COOLING
    cooling_tasks: int = COOLING_TASKS
    evidence: float = LONGEST_EVIDENCE
    loss: Literal["likelihood", "rollout"] = "likelihood"
    steps: int = 1
    segments: int = 1
    first_graph: Literal["regression", "none"] = "none"
    resolution: tuple[float, ...] = ()
    forecast: float = 0.0
    optimizer: Literal["muon", "adam"] = "muon"
    learning_rate: float = 0.01

    @property
    def seconds(self) -> float:
        """The limit of time of the whole run in seconds; infinite if epochs are given."""
        return math.inf if self.minutes is None else 60 * self.minutes


def resolve(config: Config, shape: tuple[int, int, int, int], groups: int = 1) -> ResolvedConfig:
    """Returns the same settings, with a value for every None that depends on the data or on the search.

    Args:
        config: settings.
        shape: (M, T, N, D) of the training part.
        groups: the number of groups of tasks; it counts only if `shared_graph` is set.

    Raises:
        InputError: tracks are too short for the lags or the steps; the number of edge types is still to be chosen.
    """
    m, t, n, _ = shape
    if t < config.lags + 2:
        least = f"{config.lags} lags need {config.lags + 2} frames, the data has {t}"
        raise InputError(f"setting lags: {least}; give fewer lags")
    t -= config.lags
    annealer = config.annealer or ("tracked" if config.proposes else "geometric")
    loss = config.loss or ("rollout" if config.proposes else "likelihood")
    search = chosen_search(config, shape, loss)[0] if config.search == "auto" else config.search
    steps = config.steps or (1 if loss == "likelihood" else min(10, t - 1))
    if steps >= t:
        least = f"{steps} steps need {steps + config.lags + 1} frames, the data has {t + config.lags}"
        raise InputError(f"setting steps: {least}; give fewer steps")
    segments = config.segments
    if segments is None:
        drawn = round(ROWS_A_VISIT / (min(config.batch, m) * n))
        segments = 0 if loss == "rollout" else max(1, min(drawn, t - 1))
    optimizer = config.optimizer or ("muon" if loss == "likelihood" else "adam")
    minutes = None if config.epochs else config.minutes or MINUTES
    expected = config.epochs * -(-m // config.batch) if config.epochs else STEPS_A_MINUTE * (minutes or 0.0)
    haste = min(max((UNHURRIED / expected) ** 0.5, 1.0), 2.0)
    forecasts = loss == "likelihood" and config.composition == "graph" and (minutes or 0.0) >= SHORTEST_FORECAST
    evidence = config.evidence
    if evidence is None:
        evidence = min(max(1 - segments * steps / (TRACKS_REMEMBERED * (t - 1)), 0.0), LONGEST_EVIDENCE)
    # The cooling takes `visits` visits to each of its tasks, times the number of batches in one pass.
    visits = TRACKS_COOLED * (t - 1) / (steps * (segments or (t - 1) // steps))
    few = config.cooling_tasks or COOLING_TASKS
    if config.cooling_tasks is None and search == "joint-draws" and not config.shared_graph:
        few = min(max(FEWEST_COOLING, COOLING_ENTITIES // n), COOLING_TASKS)
    together = config.shared_graph and search == "joint-draws"
    cooling = min(max(SHORTEST_COOLING, round(visits * -(-min(m, few) // config.batch))), LONGEST_COOLING)
    cooling = SHARED_COOLING if together else cooling
    pinned = config.pinned or config.candidates is not None
    added = -(-min(config.batch, m) // groups) if config.shared_graph else 1  # tasks whose log-likelihoods are added
    values = asdict(config) | {
        "search": search,
        "annealer": annealer,
        "optimizer": optimizer,
        "learning_rate": config.learning_rate or {"muon": 0.01 * haste, "adam": 0.003}[optimizer],
        "temperature": config.temperature or FIRST_TEMPERATURE[annealer] * added,
        "loss": loss,
        "steps": steps,
        "segments": segments,
        "evidence": evidence,
        "first_graph": (config.first_graph or "regression") if together else "none",
        "resolution": config.resolution or (),
        "forecast": config.forecast if config.forecast is not None else FORECAST * forecasts,
        "cooling": config.cooling or cooling,
        "cooling_tasks": few,
        "pinned": pinned,
        "sparsity": config.sparsity or (0.9 if pinned else None),
        "minutes": minutes,
    }
    return ResolvedConfig(**values)


def chosen_search(config: Config, shape: tuple[int, int, int, int], loss: str) -> tuple[str, str]:
    """Returns the search that is cheaper for these recordings, and the reason; the usual case needs none.

    Comparing all fillings of the edges into an entity costs K^degree, joint draws cost degree³ and keep degree² numbers
    for each entity of each task. If both directions of a pair have one type, cliques of entities are compared as long
    as all pairs of a task are one clique. Joint draws do not know entity types, and they need the graph composition.
    """
    m, _, n, _ = shape
    able = config.composition == "graph" and config.head == "gaussian" and loss == "likelihood"
    if not able or config.entity_types is not None:
        return "heat-bath", ""
    types = config.edge_types if isinstance(config.edge_types, int) else 1
    degree = min(n - 1, config.candidates) if isinstance(config.candidates, int) else n - 1
    slots, most = (n * (n - 1) // 2, PAIRS_COMPARED) if config.symmetric else (degree, COMPARED)
    most = SHARED_COMPARED if config.shared_graph and not config.symmetric else most
    if types**slots <= most:
        return "heat-bath", ""
    if joint_evidence(1 if config.shared_graph else m, n, degree, types) > MOST_EVIDENCE:
        return "heat-bath", "since the evidence of joint draws on so many tasks and entities would not fit into memory"
    return "joint-draws", "since an entity has too many edges to compare all of their fillings"


def joint_evidence(tasks: int, entities: int, degree: int, types: int) -> int:
    """Returns how many numbers joint draws keep: the quadratic forms of the edges into every entity of every task."""
    size = degree * (types - 1)
    return tasks * entities * size * (size + 1)
