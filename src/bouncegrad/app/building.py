"""The only place that turns strings into objects: the parts of a run from its settings.

Apart from `config.py`, so that reading settings and printing help load no torch.
"""

from __future__ import annotations

import torch

from bouncegrad.app.config import Config
from bouncegrad.core.annealing import Annealer, Fixed, Geometric, Tracked
from bouncegrad.core.batches import RandomFrames, scaled_tracks
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.encoders import Encoder
from bouncegrad.core.heat_bath import HeatBath
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.proposals import Learned, Proposal, Uniform
from bouncegrad.core.search import Metropolis, Search
from bouncegrad.core.structures import random_structure
from bouncegrad.data.trajectories import Scaling, Trajectories

ALIKE = 0.05  # what edge modules keep of their first differences: names come from the tracks, not from first weights


def build(config: Config, data: Trajectories, scaling: Scaling) -> tuple[BounceGrad, RandomFrames]:
    """The parts of a run on these tasks, from resolved settings."""
    assert config.temperature is not None
    assert config.learning_rate is not None
    assert config.steps is not None
    assert config.evidence is not None
    generator = torch.Generator().manual_seed(config.seed)
    m, t, n, d = data.shape
    composition = build_composition(config, n, d, scaling, generator)
    search: Search = Metropolis() if config.search == "paper" else HeatBath(m, config.evidence)
    proposal: Proposal = Uniform(composition.groups, config.edge_types)
    if config.proposal == "learned":
        encoder = Encoder(t, d, config.edge_types, composition.pairs, generator)
        proposal = Learned(encoder, composition.groups)
    annealer: Annealer
    if config.annealer == "geometric":
        annealer = Geometric(config.temperature, 1.0, config.cooling, config.hot)
    elif config.annealer == "tracked":
        annealer = Tracked(config.temperature)
    else:
        annealer = Fixed(config.temperature)
    z = random_structure(m, composition.slots, config.edge_types, generator)
    kind = Muon if config.optimizer == "muon" else torch.optim.Adam
    optimizer = kind(composition.parameters(), lr=config.learning_rate)
    if config.annealer == "geometric" and config.hot:
        composition.edge.bring_together(ALIKE)
    loop = BounceGrad(composition, search, proposal, annealer, z, generator, optimizer, config.clip)
    batches = RandomFrames(scaled_tracks(data, scaling), config.batch, config.segments or None, config.steps)
    return loop, batches


def build_composition(
    config: Config, entities: int, features: int, scaling: Scaling, generator: torch.Generator
) -> GraphComposition:
    """The graph composition of these settings with fresh weights."""
    return GraphComposition(
        entities,
        features,
        config.edge_types,
        scaling,
        generator,
        edge_hidden=config.edge_hidden,
        node_hidden=config.node_hidden,
        message=config.message,
        likelihood="learned" if config.loss == "likelihood" else "shared",
        activation=config.activation,
    )
