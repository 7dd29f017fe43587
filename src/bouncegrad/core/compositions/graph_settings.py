"""The settings of a graph composition: its entities and pairs, its networks, their inputs and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.heads import Gaussian
from bouncegrad.core.modules import Activation, ModulePool, Path
from bouncegrad.core.seams import Head

Likelihood = Literal["learned", "rolled", "shared"]


class Place(NamedTuple):
    """The entities, candidate pairs and kinds that modules are applied to.

    Args:
        entities: N.
        pairs: candidate pairs `Int[2, E]` (source, target), ordered by target; None: all ordered pairs.
        kinds: `[N]`, from 0, the kind of each entity; each kind has its own node module; empty: all entities are alike.
    """

    entities: int
    pairs: Int[Tensor, "2 E"] | None = None
    kinds: Sequence[int] = ()


@dataclass(frozen=True)
class Networks:
    """Shapes of the modules, and the likelihood of a change.

    Args:
        edge_hidden: widths of the hidden layers of the edge modules.
        node_hidden: widths of the hidden layers of the node module.
        message: width of a message.
        activation: "silu" or "relu".
        path: how the modules are evaluated, see `ModulePool`.
        likelihood: "learned": the node module has a second output, the log-variance of each feature's change, and the
            loss is the one-step negative log-likelihood. "rolled": the same, but the loss is that of rollouts, see
            `rolled.py`. "shared": the loss is the squared error of rollouts (as in the paper); in inference each
            feature has one variance, the running mean of its squared one-step error.
        head: the likelihood of a change, given its mean and its log-variance.
        resolution: standard deviation of each feature, in typical changes, whose square is added to every variance; one
            number for all features; empty: 0.
        shortcut: the modules have a linear part, see `ModulePool`. It serves rollouts only: inference needs modules
            without it.
    """

    edge_hidden: Sequence[int] = (64, 64)
    node_hidden: Sequence[int] = (64, 64)
    message: int = 16
    activation: Activation = "silu"
    path: Path = "grouped"
    likelihood: Likelihood = "learned"
    head: Head = field(default_factory=Gaussian)
    resolution: Sequence[float] = ()
    shortcut: bool = False

    def pool(self, modules: int, sizes: Sequence[int], generator: torch.Generator) -> ModulePool:
        """Returns modules of these widths."""
        return ModulePool(modules, sizes, generator, self.activation, self.path, self.shortcut)


@dataclass(frozen=True)
class Inputs:
    """The inputs of the modules.

    Args:
        lags: L, the number of last changes that the modules see.
        lagged: features for which they see the last L changes, in units of a typical change in training; None: all.
        polar: features that are coordinates of one position; edge modules see direction and distance.
        relative: features that edge modules see only as differences between entities.
        placeless: the node module does not see the relative features either: the law is the same everywhere.
        angles: features that are angles, in radians; the modules see sine and cosine.
    """

    lags: int = 0
    lagged: Sequence[int] | None = None
    polar: Sequence[int] = ()
    relative: Sequence[int] = ()
    placeless: bool = False
    angles: Sequence[int] = ()


@dataclass(frozen=True)
class Messages:
    """Restrictions on the messages of edges.

    Args:
        pinned: type 0 sends nothing, and only the types from 1 on have edge modules.
        momentum: `m_{s->t} = f_z(s, t) - f_z(t, s)`. If both directions of a pair have the same type, their messages
            add up to 0.
    """

    pinned: bool = False
    momentum: bool = False
