"""Cases on the CPU, and whether they give the same where the default device holds no numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from bouncegrad.core.batches import Batch, whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.marks import with_marks
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.structures import (
    edge_index,
    random_structure,
)

from .conftest import random_batch, small_graph


class Given(NamedTuple):
    """The inputs of a case; all are on the CPU."""

    composition: GraphComposition
    batch: Batch
    z: torch.Tensor
    generator: torch.Generator

    @property
    def tracks(self) -> torch.Tensor:
        return self.batch.tracks

    @property
    def uniform(self) -> Uniform:
        return Uniform(self.composition.groups, self.composition.choices)


def given(entities: int = 4, tasks: int = 6, frames: int = 12, marked: bool = False, **settings) -> Given:
    """Returns new inputs, always the same; with marks, some states of the first task were not observed."""
    composition, batch = small_graph(entities, **settings), random_batch(tasks, frames, entities)
    if marked:
        tracks = with_marks(batch.tracks, 2)
        tracks[0, 4:6, 1, 2:] = 0.0
        batch = whole_tracks(tracks, batch.tasks)
    batch = whole_tracks(batch.tracks, batch.tasks, composition.lags)
    generator = torch.Generator().manual_seed(3)
    return Given(
        composition, batch, random_structure(tasks, composition.slots, composition.choices, generator), generator
    )


GRAPHS: dict[str, dict[str, Any]] = {
    "likelihood": {},
    "squared error": {"likelihood": "shared"},
    "pinned": {"pinned": True},
    "lags": {"lags": 1},
    "kinds": {"kinds": (0, 1, 0, 1)},
    "few pairs": {"pairs": edge_index(4)[:, [0, 1, 3, 4, 5, 6, 9]]},
    "gaps": {"marked": True},
    "positions": {"polar": (0, 1), "relative": (0, 1), "placeless": True, "momentum": True},
    "angles": {"angles": (1,)},
    "dense": {"path": "dense"},
}


def tensors(value: Any) -> list[torch.Tensor]:
    """Returns all tensors in a result."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [found for part in value for found in tensors(part)] if isinstance(value, list | tuple) else []


def same_under_another_default(case: Callable[[Given], Any], **settings) -> None:
    """Asserts that results are on the CPU and equal to those with the usual default device."""
    there = given(**settings)
    expected = tensors(case(given(**settings)))
    with torch.device("meta"):
        assert torch.zeros(()).device.type == "meta"
        found = tensors(case(there))
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.device.type == "cpu"
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
