"""Makes the parts of a search from settings: the search itself, its proposal with encoder and move, the annealer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed, Geometric, Tracked
from bouncegrad.core.compositions.pair_view import PairView
from bouncegrad.core.couplings import Independent
from bouncegrad.core.encoders.convolution import ConvolutionEncoder
from bouncegrad.core.encoders.regression import RegressionEncoder
from bouncegrad.core.encoders.structure import Disguise, StructureEncoder
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.joint_draws import JointDraws
from bouncegrad.core.marks import MARKS
from bouncegrad.core.moves import flip_slot, redraw_all, redraw_group, redraw_slot
from bouncegrad.core.priors import Prior
from bouncegrad.core.proposals import InTurn, Learned, Nothing, Truth, Uniform
from bouncegrad.core.residual import Residual
from bouncegrad.core.seams import (
    Annealer,
    ConditionalSearch,
    Coupling,
    Encoder,
    Linearized,
    Proposal,
    Relational,
    Search,
)
from bouncegrad.core.search import Metropolis
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.errors import InputError
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.settings.parts import load, search_part
from bouncegrad.settings.resolved import ResolvedConfig


@dataclass(frozen=True)
class SearchSetup:
    """The arguments of a search.

    Args:
        tasks: M.
        composition: the composition; the search finds its structures.
        config: settings.
        group: the group of each task, numbered from 0; tasks of a group have the same graph.
        coupling, prior: restrictions and knowledge about edges, see `HeatBath`.
        first: probabilities of the types from which joint draws begin, see `JointDraws`.
    """

    tasks: int
    composition: Relational
    config: ResolvedConfig
    group: Int[Tensor, " M"]
    coupling: Coupling
    prior: Prior | None
    first: Prior | None = None


def build_search(
    config: ResolvedConfig,
    composition: Relational,
    tasks: int,
    group: Int[Tensor, " M"],
    coupling: Coupling,
    prior: Prior | None,
    first: Prior | None = None,
) -> Search:
    """Returns the search of the settings.

    Raises:
        InputError: the settings state a prior, a coupling or a shared graph, and this search cannot use it.
    """
    part = search_part(config.search)
    setup = SearchSetup(tasks, composition, config, group, coupling, prior, first)
    search: Search = load("search", part.builder)(setup)
    stated = prior is not None or config.shared_graph or not isinstance(coupling, Independent)
    if stated and not isinstance(search, ConditionalSearch):
        raise InputError(
            "known edges and other priors: only --search heat-bath uses them; leave out one of the two"
            if part.proposes
            else f"setting search: {config.search} does not know priors; leave them out, or use --search heat-bath"
        )
    return search


def heat_bath(setup: SearchSetup) -> HeatBath:
    """Returns the heat bath, with one graph for each task or with shared graphs."""
    decay, coupling, prior = setup.config.evidence, setup.coupling, setup.prior
    if setup.config.shared_graph:
        return SharedGraph(decay, coupling=coupling, prior=prior, group=setup.group)
    return HeatBath(setup.tasks, decay, coupling=coupling, prior=prior)


def joint_draws(setup: SearchSetup) -> JointDraws:
    """Joint draws, with one graph for each task or with shared graphs.

    Raises:
        InputError: entity types tie the edges, or the composition gives no quadratic form.
    """
    config = setup.config
    if not isinstance(setup.composition, Linearized) or config.edge_types < 2:
        what = f"{config.composition} with {config.edge_types} edge types"
        raise InputError(f"setting search: joint-draws cannot draw structures of {what}; give --search heat-bath")
    if config.entity_types:
        raise InputError("setting entity_types: --search joint-draws does not know it; give --search heat-bath")
    group = setup.group if config.shared_graph else None
    prior, coupling, first = setup.prior, setup.coupling, setup.first
    return JointDraws(setup.tasks, config.evidence, prior=prior, coupling=coupling, group=group, first=first)


def metropolis(setup: SearchSetup) -> Metropolis:
    """Returns the published search."""
    return Metropolis(explain=setup.config.annealer == "residual", proposals=setup.config.proposals)


MOVES = {"edge": redraw_slot, "entity": redraw_group, "flip": flip_slot, "everything": redraw_all}


def build_proposal(
    config: ResolvedConfig,
    data: Trajectories,
    composition: Relational,
    scaling: Scaling,
    generator: torch.Generator,
    truth: Int[np.ndarray, "M N N"] | None = None,
) -> Proposal:
    """Returns the proposal of the settings; only the oracle reads `truth`.

    Raises:
        InputError: the oracle lacks the truth, or the truth has types that the model does not have.
    """
    groups, move = composition.groups, MOVES[config.move]
    if config.proposal == "truth":
        return Truth(true_structures(config, data, composition, truth), groups, config.edge_types, move)
    if config.proposal == "nothing":
        return Nothing()
    if config.proposal == "uniform":
        return Uniform(groups, config.edge_types, move)
    names = ("mlp", "structures") if config.encoder == "both" else (config.encoder,)
    encoders = [build_encoder(config, name, data, composition, scaling, generator) for name in names]
    learned = [Learned(encoder, groups, move, config.uniform, config.encoder_optimizer) for encoder in encoders]
    return InTurn(*learned) if len(learned) > 1 else learned[0]


def build_encoder(
    config: ResolvedConfig,
    name: str,
    data: Trajectories,
    composition: Relational,
    scaling: Scaling,
    generator: torch.Generator,
) -> Encoder:
    """Returns the encoder of this name with new weights."""
    frames, features = data.shape[1], data.shape[3]
    if data.mask is not None and not data.mask.all():
        features += MARKS
    choices, pairs, hidden = config.edge_types, composition.pairs, config.encoder_hidden
    if name == "mlp":
        return TrackEncoder(frames, features, choices, pairs, generator, hidden)
    if name == "cnn":
        return ConvolutionEncoder(features, choices, pairs, generator, hidden)
    if name == "regression":
        return regression_encoder(data.features, scaling, choices, pairs, generator, hidden)
    disguise: Disguise = "uniform" if name == "structures" else "flipped"
    return StructureEncoder(composition.slots, choices, generator, disguise, hidden=hidden)


def regression_encoder(
    features: Sequence[str],
    scaling: Scaling,
    choices: int,
    pairs: Int[Tensor, "2 E"],
    generator: torch.Generator,
    hidden: int,
    angles: Sequence[str] = (),
) -> RegressionEncoder:
    """Returns the regression encoder of these features with new weights, without dropout."""
    places = [features.index(name) for name in POSITIONS if name in features]
    turning = [list(features).index(angle.partition(":")[0]) for angle in angles]
    polar = places if len(places) > 1 else ()
    view = PairView(len(features), 0, scaling, polar, angles=turning, device=generator.device)
    change = torch.tensor(np.divide(scaling.change, scaling.scale), device=generator.device).float()
    return RegressionEncoder(view, change, choices, pairs, generator, hidden)


def true_structures(
    config: ResolvedConfig, data: Trajectories, composition: Relational, truth: Int[np.ndarray, "M N N"] | None
) -> Int[Tensor, "M E"]:
    """Returns the true structures, which the oracle proposes.

    Raises:
        InputError: the truth is not known, or has types that the model does not have.
    """
    if truth is None:
        raise InputError(
            f"setting proposal: the oracle needs true edges, which {data.source} does not have; give --edges TABLE, or "
            "another proposal"
        )
    if truth.max() >= config.edge_types:
        raise InputError(
            f"setting proposal: true edges have type {truth.max()}, but there are {config.edge_types} edge types; give "
            f"--edge_types {truth.max() + 1}"
        )
    return adjacency_to_structure(torch.as_tensor(truth), composition.pairs)


def build_annealer(config: ResolvedConfig) -> Annealer:
    """Returns the annealer of the settings."""
    if config.annealer == "geometric":
        # If the floor is above 1, the cooling ends there.
        return Geometric(config.temperature, hot=config.hot, floor=config.floor)
    if config.annealer == "tracked":
        return Tracked(config.temperature, config.tracked_passes, config.floor)
    if config.annealer == "residual":
        return Residual(config.temperature, config.floor)
    return Fixed(config.temperature, config.floor)
