"""The parts of the published search from settings: proposal, encoder and move, and the annealer."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.annealing import Fixed, Geometric, Tracked
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.encoders.convolution import ConvolutionEncoder
from bouncegrad.core.encoders.structure import Disguise, StructureEncoder
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.marks import MARKS
from bouncegrad.core.moves import flip_slot, redraw_all, redraw_group, redraw_slot
from bouncegrad.core.proposals import InTurn, Learned, Truth, Uniform
from bouncegrad.core.residual import Residual
from bouncegrad.core.seams import Annealer, Encoder, Proposal
from bouncegrad.core.structures import adjacency_to_structure
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.settings.config import Config

MOVES = {"edge": redraw_slot, "entity": redraw_group, "flip": flip_slot, "everything": redraw_all}


def build_proposal(
    config: Config,
    data: Trajectories,
    composition: GraphComposition,
    generator: torch.Generator,
    truth: Int[np.ndarray, "M N N"] | None = None,
) -> Proposal:
    """What suggests structures; `truth` is for the oracle alone.

    Raises:
        InputError: the oracle lacks the truth, or the truth has types that the model does not have.
    """
    groups, move = composition.groups, MOVES[config.move]
    if config.proposal == "truth":
        return Truth(true_structures(config, data, composition, truth), groups, config.types, move)
    if config.proposal == "uniform":
        return Uniform(groups, config.types, move)
    names = ("mlp", "structures") if config.encoder == "both" else (config.encoder,)
    learned = [
        Learned(
            build_encoder(config, name, data, composition, generator), groups, move, optimizer=config.encoder_optimizer
        )
        for name in names
    ]
    return InTurn(*learned) if len(learned) > 1 else learned[0]


def build_encoder(
    config: Config, name: str, data: Trajectories, composition: GraphComposition, generator: torch.Generator
) -> Encoder:
    """The encoder of this name with fresh weights."""
    frames, features = data.shape[1], data.shape[3]
    if data.mask is not None and not data.mask.all():
        features += MARKS
    choices, pairs, hidden = config.types, composition.pairs, config.encoder_hidden
    if name == "mlp":
        return TrackEncoder(frames, features, choices, pairs, generator, hidden)
    if name == "cnn":
        return ConvolutionEncoder(features, choices, pairs, generator, hidden)
    disguise: Disguise = "uniform" if name == "structures" else "flipped"
    return StructureEncoder(composition.slots, choices, generator, disguise, hidden=hidden)


def true_structures(
    config: Config, data: Trajectories, composition: GraphComposition, truth: Int[np.ndarray, "M N N"] | None
) -> Int[Tensor, "M E"]:
    """What the oracle proposes."""
    if truth is None:
        raise InputError(
            f"setting proposal: the oracle needs true edges, which {data.source} has not; give --edges TABLE, or "
            "another proposal"
        )
    if truth.max() >= config.types:
        raise InputError(
            f"setting proposal: true edges have type {truth.max()}, but there are {config.types} edge types; give "
            f"--edge_types {truth.max() + 1}"
        )
    return adjacency_to_structure(torch.as_tensor(truth), composition.pairs)


def build_annealer(config: Config) -> Annealer:
    """What sets the temperature, from resolved settings."""
    assert config.temperature is not None
    if config.annealer == "geometric":
        # A floor above 1 is where the cooling ends.
        return Geometric(config.temperature, hot=config.hot, floor=config.floor)
    if config.annealer == "tracked":
        return Tracked(config.temperature, floor=config.floor)
    if config.annealer == "residual":
        return Residual(config.temperature, config.floor)
    return Fixed(config.temperature, config.floor)
