"""What a graph composition is built from: where its modules act, their networks, what they see and what edges send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.heads import Gaussian
from bouncegrad.core.modules import Activation, Path
from bouncegrad.core.seams import Head

Likelihood = Literal["learned", "shared"]


class Place(NamedTuple):
    """Where modules act.

    Args:
        entities: N.
        pairs: candidate pairs `Int[2, E]` (source, target), ordered by target; None: all ordered pairs.
        kinds: `[N]`, from 0, the kind of each entity; each kind has a node module of its own; empty: all are alike.
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
        path: how the edge modules are evaluated, see `ModulePool`.
        likelihood: "learned": the node module has a second output, the log-variance of each feature's change, and the
            loss is the one-step negative log-likelihood. "shared": the loss is the squared error of rollouts (the
            paper); for inference a feature has one variance, the running mean of its squared one-step error.
        head: the likelihood of a change, given its mean and its log-variance.
    """

    edge_hidden: Sequence[int] = (64, 64)
    node_hidden: Sequence[int] = (64, 64)
    message: int = 16
    activation: Activation = "silu"
    path: Path = "grouped"
    likelihood: Likelihood = "learned"
    head: Head = field(default_factory=Gaussian)


@dataclass(frozen=True)
class Inputs:
    """What the modules see of a state.

    Args:
        lags: L, frames before the present one whose changes the modules see.
        lagged: features whose last L changes they see, in units of the training part's changes; None: all.
        polar: features that are places in one space; edge modules see direction and distance.
        relative: features that edge modules see as differences between entities only.
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
    """What edges may send.

    Args:
        pinned: type 0 sends nothing; the edge modules are those of the types from 1 on.
        momentum: what one entity sends, it gets back negated, `m_{s->t} = f_z(s, t) - f_z(t, s)`. If both directions
            of a pair share a type, their messages add up to 0.
    """

    pinned: bool = False
    momentum: bool = False
