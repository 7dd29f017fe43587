"""The only place, with `build_search.py`, that turns strings into objects: the parts of a run from its settings.

Apart from `config.py`, so that reading settings and printing help load no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.batches import RandomFrames, scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.forecaster import Forecaster
from bouncegrad.core.compositions.graph import GraphComposition, Likelihood
from bouncegrad.core.couplings import MOST_STATES, EntityTypes, Independent, Symmetric
from bouncegrad.core.heat_bath import ENUMERATED, HeatBath
from bouncegrad.core.marks import counted
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.priors import Prior, known_edges, sparsity
from bouncegrad.core.seams import Coupling, Search
from bouncegrad.core.search import Metropolis
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.spread import HORIZONS
from bouncegrad.core.steady import steady_part
from bouncegrad.core.streaming import StreamedTracks
from bouncegrad.core.structures import adjacency_to_structure, random_structure
from bouncegrad.data.candidates import candidate_pairs
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.settings.build_search import build_annealer, build_proposal
from bouncegrad.settings.config import FEW, Config

ALIKE = 0.05  # what edge modules keep of their first differences: names come from the tracks, not from first weights


def build(
    config: Config,
    data: Trajectories,
    scaling: Scaling,
    known: Int[np.ndarray, "M N N"] | None = None,
    truth: Int[np.ndarray, "M N N"] | None = None,
) -> tuple[BounceGrad, RandomFrames | Mirrored]:
    """The parts of a run on these tasks, from resolved settings.

    Args:
        config: settings.
        data: the training part.
        scaling: of its states.
        known: edges that need not be found have a type, the others -1.
        truth: true edges, which the oracle alone is given.

    Raises:
        InputError: settings and data do not go together.
    """
    assert config.learning_rate is not None
    assert config.steps is not None
    assert config.evidence is not None
    generator = torch.Generator(torch.get_default_device()).manual_seed(config.seed)
    m, _, n, _ = data.shape
    pairs = torch.as_tensor(candidate_pairs(config.candidates, data))
    require_turnable(config, data)
    kinds = kind_numbers(data.kinds, data.kinds)
    composition = build_composition(config, n, data.features, scaling, generator, angles=data.angles, kinds=kinds)
    composition = composition.on(n, pairs)
    if known is not None and config.search != "heat-bath":
        raise InputError("known edges: only --search heat-bath keeps them; leave out one of the two")
    search: Search = Metropolis(explain=config.annealer == "residual")
    group = torch.as_tensor(data.group_numbers)
    if config.search == "heat-bath":
        coupling, prior = build_coupling(config, n), build_prior(config, composition.pairs, known)
        search = (
            SharedGraph(config.evidence, coupling=coupling, prior=prior, group=group)
            if config.shared_graph
            else HeatBath(m, config.evidence, coupling=coupling, prior=prior)
        )
    proposal = build_proposal(config, data, composition, generator, truth)
    annealer = build_annealer(config)
    groups = int(group.max()) + 1 if config.shared_graph else m
    z = random_structure(groups, composition.slots, config.types, generator)
    z = z[group] if config.shared_graph else z
    kind = Muon if config.optimizer == "muon" else torch.optim.Adam
    optimizer = kind(composition.parameters(), lr=config.learning_rate)
    if config.annealer == "geometric" and config.hot:
        composition.edge.bring_together(ALIKE)
    loop = BounceGrad(composition, search, proposal, annealer, z, generator, optimizer, config.clip)
    complete = data.mask is None or bool(data.mask.all())
    tracks = StreamedTracks(data, scaling) if data.mapped and complete else scaled_tracks(data, scaling)
    some = tracks if isinstance(tracks, Tensor) else tracks[:FEW]
    composition.view.steady.copy_(steady_part(some, composition.features))
    counts = counted(some, composition.features, config.lags)
    batches = RandomFrames(tracks, config.batch, config.segments or None, config.steps, config.lags, counts)
    return loop, Mirrored(batches, data.features, scaling) if config.mirror else batches


def build_composition(
    config: Config,
    entities: int,
    features: Sequence[str],
    scaling: Scaling,
    generator: torch.Generator,
    *,
    angles: Sequence[str] = (),
    kinds: Sequence[int] = (),
    likelihood: Likelihood | None = None,
    pinned: bool | None = None,
) -> GraphComposition:
    """The graph composition of these settings with fresh weights.

    Raises:
        InputError: a feature is to be lagged that the data does not have, or positions are that are not there.
    """
    if unknown := [name for name in config.lagged if name not in features]:
        raise InputError(f"setting lagged: feature {unknown[0]!r} is not in the data, which has {', '.join(features)}")
    places = [features.index(name) for name in POSITIONS if name in features]
    if config.relative != "no" and not places:
        raise InputError(f"setting relative: no feature of {', '.join(features)} is a position x, y or z; leave it out")
    return GraphComposition(
        entities,
        len(features),
        config.types,
        scaling,
        generator,
        edge_hidden=config.edge_hidden,
        node_hidden=config.node_hidden,
        message=config.message,
        likelihood=likelihood or ("learned" if config.loss == "likelihood" else "shared"),
        activation=config.activation,
        pinned=config.pinned if pinned is None else pinned,
        lags=config.lags,
        lagged=[features.index(name) for name in config.lagged] or None,
        polar=places if config.polar and len(places) > 1 else (),
        relative=places if config.relative != "no" else (),
        placeless=config.relative == "everything",
        momentum=config.momentum,
        angles=[features.index(angle.partition(":")[0]) for angle in angles],
        kinds=kinds,
    )


def kind_numbers(kinds: Sequence[str], known: Sequence[str]) -> list[int]:
    """The node module of each entity, by the names of kinds in training.

    Example:
        >>> kind_numbers(["player", "ball"], ["ball", "player", "player"])
        [1, 0]
    """
    names = sorted(set(known))
    return [names.index(kind) for kind in kinds]


def require_turnable(config: Config, data: Trajectories) -> None:
    """Refuses settings that cannot treat angles as such.

    Raises:
        InputError: names the setting.
    """
    for name in ("mirror", *(["proposal"] if config.proposal == "learned" else [])):
        if data.angles and getattr(config, name):
            raise InputError(
                f"setting {name}: it does not know angles ({', '.join(data.angles)}); leave it out, or give sines and "
                "cosines as features"
            )


def build_forecaster(
    config: Config,
    entities: int,
    features: Sequence[str],
    scaling: Scaling,
    silent: int | None,
    generator: torch.Generator,
    angles: Sequence[str] = (),
    kinds: Sequence[int] = (),
) -> Forecaster:
    """The forecaster with fresh weights; inferred type `silent` sends nothing in it.

    Errors count as they are published: positions and velocities scaled to [-1, 1], in units of a typical change.
    """
    graph = build_composition(
        config,
        entities,
        features,
        scaling,
        generator,
        angles=angles,
        kinds=kinds,
        likelihood="shared",
        pinned=silent is not None,
    )
    weight = (scaling.published() * np.array(scaling.change)) ** 2
    weight = (scaling.published() * np.array(scaling.scale)) ** 2 / weight.mean()
    names = [k for k in range(config.types) if k != silent]
    order = names if silent is None else [silent, *names]
    renamed = torch.tensor([order.index(k) for k in range(config.types)])
    return Forecaster(
        graph, torch.tensor(weight).float(), renamed, config.node_hidden, generator, config.substeps, HORIZONS
    )


def build_coupling(config: Config, entities: int) -> Coupling:
    """What the settings say of how edges are tied to each other.

    Raises:
        InputError: more entities than can be drawn at once.
    """
    if config.symmetric:
        return Symmetric()
    if config.entity_types is None:
        return Independent()
    k, a = config.types, config.entity_types
    if k ** (entities - 1) > ENUMERATED or a**entities > MOST_STATES:
        raise InputError(
            f"setting entity_types: {a} for {entities} entities and {k} edge types are too many to be drawn at once; "
            "use --symmetric, or fewer entities"
        )
    return EntityTypes(a, k)


def build_prior(
    config: Config, pairs: Int[Tensor, "2 E"], known: Int[np.ndarray, "M N N"] | None = None
) -> Prior | None:
    """What settings and user say of single edges.

    Raises:
        InputError: a known edge has a type that the model does not have.
    """
    parts = []
    if config.sparsity is not None:
        parts.append(sparsity(pairs.shape[1], config.types, config.sparsity))
    if known is not None:
        if known.max() >= config.types:
            raise InputError(
                f"known edges: type {known.max()}, but there are {config.types} edge types; give types from 0 to "
                f"{config.types - 1}, or a larger --edge_types"
            )
        parts.append(known_edges(adjacency_to_structure(torch.as_tensor(known), pairs), config.types))
    return sum(parts[1:], parts[0]) if parts else None
