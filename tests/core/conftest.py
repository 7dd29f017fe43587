"""A system with known laws and structures, and helpers that build small compositions."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import NamedTuple

import pytest
import torch

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.graph_settings import Inputs, Messages, Networks, Place
from bouncegrad.core.structures import random_structure
from bouncegrad.data.scaling import Scaling


def unit_scaling(features: int) -> Scaling:
    """Returns a scaling without shift, with every size 1."""
    ones, zeros = (1.0,) * features, (0.0,) * features
    return Scaling(zeros, ones, ones, ones, (-1.0,) * features, ones)


def small_graph(entities: int, features: int = 2, edge_types: int = 2, seed: int = 0, **settings) -> GraphComposition:
    """Returns a composition with random weights."""
    settings = {"edge_hidden": (7,), "node_hidden": (6, 5), "message": 3} | settings
    generator = torch.Generator().manual_seed(seed)

    def group(kind):
        names = {f.name for f in fields(kind)} if is_dataclass(kind) else set(kind._fields)
        return kind(**{name: settings.pop(name) for name in sorted(names & set(settings))})

    settings["entities"] = entities
    parts = [group(kind) for kind in (Place, Networks, Inputs, Messages)]
    assert not settings
    return GraphComposition(parts[0], features, edge_types, unit_scaling(features), generator, *parts[1:])


def random_batch(tasks: int, frames: int, entities: int, features: int = 2, seed: int = 0) -> Batch:
    tracks = torch.randn(tasks, frames, entities, features, generator=torch.Generator().manual_seed(seed))
    return whole_tracks(tracks, torch.arange(tasks))


class Known(NamedTuple):
    """Modules set by hand, tracks that follow them exactly, and the structure that made the tracks."""

    composition: GraphComposition
    tracks: torch.Tensor
    z: torch.Tensor


@pytest.fixture
def known() -> Known:
    """Scalar entities; type 0 sends nothing, type 1 pulls: x_t' = x_t + 0.1 Σ (x_s - x_t) over its type-1 edges."""
    return make_known(entities=4, tasks=12)


def make_known(entities: int, tasks: int, frames: int = 12) -> Known:
    composition = small_graph(
        entities, features=1, edge_hidden=(2,), node_hidden=(2,), message=1, likelihood="shared", activation="relu"
    )
    with torch.no_grad():
        for parameter in composition.parameters():
            parameter.zero_()
        # relu(v) - relu(-v) = v, so two hidden units carry a linear law.
        composition.edge.weights[0][1, 2] = torch.tensor([1.0, -1.0])
        composition.edge.weights[1][1, :, 0] = torch.tensor([0.1, -0.1])
        composition.node.weights[0][0, 0] = torch.tensor([1.0, -1.0])
        composition.node.weights[1][0, :, 0] = torch.tensor([1.0, -1.0])
        composition.variance.fill_(1e-4)
    generator = torch.Generator().manual_seed(1)
    z = random_structure(tasks, composition.slots, 2, generator)
    x = torch.randn(tasks, 1, entities, 1, generator=generator)
    with torch.no_grad():
        tracks = torch.cat([x, composition.rollout(x, z, frames - 1)[:, 0]], 1)
    return Known(composition.eval(), tracks, z)
