"""Makes objects from settings: compositions, couplings, priors and the loop. `build_search.py` makes the search.

Only these two files turn settings into objects. They are separate from `config.py`, so that reading settings and
printing help do not load torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import RandomFrames, scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.graph_settings import Inputs, Likelihood, Messages, Networks, Place
from bouncegrad.core.couplings import MOST_STATES, EntityTypes, Independent, Symmetric
from bouncegrad.core.heat_bath import Enumeration
from bouncegrad.core.marks import counted
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.priors import Prior, known_edges, sparsity
from bouncegrad.core.seams import Coupling, Head, Relational, Staged
from bouncegrad.core.spread import HORIZONS
from bouncegrad.core.steady import steady_part
from bouncegrad.core.streaming import StreamedTracks
from bouncegrad.core.structures import adjacency_to_structure, random_structure
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.settings.build_search import build_annealer, build_proposal, build_search
from bouncegrad.settings.parts import COMPOSITIONS, HEADS, load
from bouncegrad.settings.resolved import COOLING_TASKS, ResolvedConfig

NEEDED: tuple[str, ...] = (
    "pairs",
    "entities",
    "features",
    "lags",
    "pinned",
    "temperature",
    "slots",
    "choices",
    "groups",
    "loss",
    "conditional_losses",
    "on",
    "named_parameters",
    "state_dict",
    "load_state_dict",
    "eval",
    "cpu",
)
"""What a composition has to have, by `seams.Relational`."""
ALIKE = 0.05  # share of their first differences that edge modules keep, so that tracks set labels, not first weights


@dataclass(frozen=True)
class CompositionSetup:
    """The arguments of a composition.

    Args:
        place: the entities, the candidate pairs (its slots) and the kinds of entities.
        features: names of the D features.
        scaling: of the training part.
        generator: draws the first weights.
        config: settings; `config.edge_types` is K.
        angles: features that are angles, in the notation of `Trajectories.angles`.
    """

    place: Place
    features: Sequence[str]
    scaling: Scaling
    generator: torch.Generator
    config: ResolvedConfig
    angles: Sequence[str] = ()


def build(
    config: ResolvedConfig,
    data: Trajectories,
    scaling: Scaling,
    pairs: Int[Tensor, "2 E"],
    known: Int[np.ndarray, "M N N"] | None = None,
    truth: Int[np.ndarray, "M N N"] | None = None,
    first: Prior | None = None,
) -> tuple[BounceGrad, RandomFrames | Mirrored]:
    """Returns the loop of a run on these tasks, and the batches that it visits.

    Args:
        config: settings.
        data: the training part.
        scaling: of its states.
        pairs: candidate pairs.
        known: types of edges that need not be found, -1 for all others.
        truth: true edges; only the oracle proposal reads them.
        first: probabilities of the types that the search begins from, see `first_graph.py`.

    Raises:
        InputError: settings and data do not fit each other.
    """
    generator = torch.Generator(torch.get_default_device()).manual_seed(config.seed)
    m, _, n, _ = data.shape
    require_turnable(config, data)
    place = Place(n, pairs, kind_numbers(data.kinds, data.kinds))
    composition = build_composition(CompositionSetup(place, data.features, scaling, generator, config, data.angles))
    group = torch.as_tensor(data.group_numbers) if config.shared_graph else torch.arange(m)
    prior = build_prior(config, composition.pairs, known)
    search = build_search(config, composition, m, group, build_coupling(config, n), prior, first)
    proposal = build_proposal(config, data, composition, scaling, generator, truth)
    annealer = build_annealer(config)
    z = random_structure(int(group.max()) + 1, composition.slots, config.edge_types, generator)[group]
    kind = Muon if config.optimizer == "muon" else torch.optim.Adam
    optimizer = kind([p for _, p in composition.named_parameters()], lr=config.learning_rate)
    if config.annealer == "geometric" and config.hot and isinstance(composition, Staged):
        composition.bring_together(ALIKE)
    loop = BounceGrad(composition, search, proposal, annealer, z, generator, optimizer, config.clip)
    complete = data.mask is None or bool(data.mask.all())
    tracks = StreamedTracks(data, scaling) if data.mapped and complete else scaled_tracks(data, scaling)
    some = tracks if isinstance(tracks, Tensor) else tracks[:COOLING_TASKS]
    if isinstance(composition, Staged):
        composition.hide(steady_part(some, composition.features))
    counts = counted(some, composition.features, config.lags)
    batches = RandomFrames(tracks, config.batch, config.segments or None, config.steps, config.lags, counts)
    return loop, Mirrored(batches, data.features, scaling, generator.device) if config.mirror else batches


def build_composition(setup: CompositionSetup) -> Relational:
    """Returns the composition that the settings name, with new weights.

    Raises:
        InputError: it lacks something that training or inference asks for, see `seams.Relational`.
    """
    name = setup.config.composition
    composition = load("composition", COMPOSITIONS.get(name, name))(setup)
    if missing := [part for part in NEEDED if not hasattr(composition, part)]:
        raise InputError(
            f"setting composition: {name} lacks {', '.join(missing)}; see the protocol Relational in "
            "bouncegrad/core/seams.py"
        )
    found: Relational = composition
    return found


def graph(
    setup: CompositionSetup, likelihood: Likelihood | None = None, pinned: bool | None = None
) -> GraphComposition:
    """Returns the graph composition with new weights; likelihood and pinned type are by default those of the settings.

    Raises:
        InputError: a lagged feature is not in the data, or the setting `relative` is given without positions.
    """
    config, features = setup.config, setup.features
    if unknown := [name for name in config.lagged if name not in features]:
        raise InputError(f"setting lagged: feature {unknown[0]!r} is not in the data, which has {', '.join(features)}")
    places = [features.index(name) for name in POSITIONS if name in features]
    if config.relative != "no" and not places:
        raise InputError(f"setting relative: no feature of {', '.join(features)} is a position x, y or z; leave it out")
    head: Head = load("head", HEADS.get(config.head, config.head))()
    return GraphComposition(
        setup.place,
        len(features),
        config.edge_types,
        setup.scaling,
        setup.generator,
        Networks(
            edge_hidden=config.edge_hidden,
            node_hidden=config.node_hidden,
            message=config.message,
            activation=config.activation,
            likelihood=likelihood or likelihood_of(config),
            head=head,
            resolution=() if likelihood else config.resolution,
            shortcut=likelihood is not None,
        ),
        Inputs(
            lags=config.lags,
            lagged=[features.index(name) for name in config.lagged] or None,
            polar=places if config.polar and len(places) > 1 else (),
            relative=places if config.relative != "no" else (),
            placeless=config.relative == "everything",
            angles=[features.index(angle.partition(":")[0]) for angle in setup.angles],
        ),
        Messages(pinned=config.pinned if pinned is None else pinned, momentum=config.momentum),
    )


def likelihood_of(config: ResolvedConfig) -> Likelihood:
    """Returns the likelihood of changes that the settings name."""
    if config.loss == "rollout":
        return "shared"
    return "learned" if config.steps == 1 else "rolled"


def kind_numbers(kinds: Sequence[str], known: Sequence[str]) -> list[int]:
    """Returns the number of the node module of each entity; `known` has the kinds of training.

    Example:
        >>> kind_numbers(["player", "ball"], ["ball", "player", "player"])
        [1, 0]
    """
    names = sorted(set(known))
    return [names.index(kind) for kind in kinds]


def require_turnable(config: ResolvedConfig, data: Trajectories) -> None:
    """Refuses settings that do not work with angles or with periodic positions.

    Raises:
        InputError: the data has some; the message names the setting.
    """
    if data.periodic and config.proposal == "learned":
        raise InputError(
            f"setting proposal: it does not work with periodic positions ({', '.join(data.periodic)}); leave it out"
        )
    for name in ("mirror", *(["proposal"] if config.proposal == "learned" else [])):
        if data.angles and getattr(config, name):
            raise InputError(
                f"setting {name}: it does not work with angles ({', '.join(data.angles)}); leave it out, or give sines "
                "and cosines as features"
            )


def build_forecaster(setup: CompositionSetup, silent: int | None) -> Forecaster:
    """Returns the forecaster with new weights; if the inferred type `silent` is given, it sends nothing.

    Errors are weighted as in published tables: positions and velocities are scaled to [-1, 1].
    """
    config, scaling = setup.config, setup.scaling
    made = graph(setup, "shared", silent is not None)
    weight = (scaling.published() * np.array(scaling.change)) ** 2
    weight = (scaling.published() * np.array(scaling.scale)) ** 2 / weight.mean()
    others = [k for k in range(config.edge_types) if k != silent]
    order = others if silent is None else [silent, *others]
    types = torch.tensor([order.index(k) for k in range(config.edge_types)])
    return Forecaster(
        made, torch.tensor(weight).float(), types, config.node_hidden, setup.generator, config.substeps, HORIZONS
    )


def build_coupling(config: ResolvedConfig, entities: int) -> Coupling:
    """Returns the coupling of the settings.

    Raises:
        InputError: there are more entities than can be drawn at once.
    """
    if config.symmetric:
        return Symmetric()
    if config.entity_types is None:
        return Independent()
    k, a = config.edge_types, config.entity_types
    if k ** (entities - 1) > Enumeration().whole or a**entities > MOST_STATES:
        raise InputError(
            f"setting entity_types: {a} for {entities} entities and {k} edge types are too many to be drawn at once; "
            "use --symmetric, or fewer entities"
        )
    return EntityTypes(a, k)


def build_prior(
    config: ResolvedConfig, pairs: Int[Tensor, "2 E"], known: Int[np.ndarray, "M N N"] | None = None
) -> Prior | None:
    """Returns the prior from the expected sparsity and from known edges; None if neither is given.

    Raises:
        InputError: a known edge has a type that the model does not have.
    """
    parts, k = [], config.edge_types
    if config.sparsity is not None:
        parts.append(sparsity(pairs.shape[1], k, config.sparsity, pairs.device))
    if known is not None:
        if known.max() >= k:
            raise InputError(
                f"known edges: type {known.max()}, but there are {k} edge types; give types from 0 to {k - 1}, or a "
                "larger --edge_types"
            )
        parts.append(known_edges(adjacency_to_structure(torch.as_tensor(known), pairs), k))
    return sum(parts[1:], parts[0]) if parts else None
