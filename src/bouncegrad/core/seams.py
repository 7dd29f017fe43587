"""The seams: what a part has to do so that it fits, every protocol in one place, and what passes between parts.

    composition   wires modules into a model of each task          `compositions/`
    search        decides on structures                            `search.py`, `heat_bath.py`, `shared_graph.py`
    proposal      suggests structures to a search that tests       `proposals.py`
    move          says which slots a proposal fills again          `moves.py`
    encoder       the network behind a learned proposal            `encoders/`
    coupling      ties edges to each other in a draw               `couplings.py`
    annealer      sets the temperature                             `annealing.py`, `residual.py`
    head          the likelihood of a change                       `heads.py`

Any object with the right methods fits; nothing is inherited. A protocol that is checked while the program runs is a
capability: training and inference use it where a composition or a search has it, and do without it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bouncegrad.core.batches import Batch, Visit


class Clock(NamedTuple):
    """Where a run stands: passes so far, and the shares of the run and of its cooling that are behind it, 0 to 1."""

    epoch: int
    progress: float
    cooled: float = 1.0


class Unexplained(NamedTuple):
    """What predictions of a batch leave unexplained: the mean square, how many numbers a task has, and how alike the
    residuals of one frame and the next are (their correlation, in [-1, 1])."""

    mean_square: float
    numbers: int
    autocorrelation: float


class Move(NamedTuple):
    """What one move did: the structures after it, and which tasks or slots it changed.

    `loss_before` and `loss_proposed` are mean losses of a proposing search, `before` the structures it proposed from;
    the heat bath, which has no rejected proposals, leaves them empty and instead tells `probability`, the conditional
    of every slot's module.
    """

    z: Int[Tensor, "B S"]
    accepted: Bool[Tensor, "B ..."]
    loss_before: Float[Tensor, " B"]
    loss_proposed: Float[Tensor, " B"]
    probability: Float[Tensor, "B S K"] | None = None
    before: Int[Tensor, "B S"] | None = None
    unexplained: Unexplained | None = None


class Joint(NamedTuple):
    """Groups drawn at once: every allowed state, as the number of the filling that it means for each member."""

    members: Int[Tensor, " g"]
    states: Int[Tensor, "states g"]


class Plan(NamedTuple):
    """Which of each group's slots are drawn (by column), and jointly for which groups; no joints: each group apart."""

    columns: Int[Tensor, "G block"]
    joints: tuple[Joint, ...] = ()


class Composition(Protocol):
    """Wires modules into one model per task, given a structure `z: Int[B, S]`. Knows nothing of search or annealing."""

    @property
    def slots(self) -> int:
        """S."""

    @property
    def choices(self) -> int:
        """K: how many modules may fill a slot."""

    @property
    def groups(self) -> Int[Tensor, "G degree"]:
        """Slots that belong together (for a graph: the edges into one entity), padded with S."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """What is learned of the modules, with names for messages."""

    def state_dict(self) -> dict[str, Any]:
        """The modules' weights."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Takes them up again."""

    def loss(self, batch: Visit, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Mean loss of each task per observed number; differentiable in the modules."""


class Enumerable(Composition, Protocol):
    """A composition that tells the loss of every filling of a group at once: what the heat bath asks for."""

    def conditional_losses(
        self, batch: Batch, z: Int[Tensor, "B S"], columns: Int[Tensor, "G block"]
    ) -> Float[Tensor, "B G fillings"]:
        """Summed negative log-likelihood of every filling of `groups[g, columns[g]]`, the other slots as in `z`.

        Exact only where the loss is a sum over groups, each term depending on its own group's slots alone.
        """


class Explained(Composition, Protocol):
    """A composition that tells what its predictions leave unexplained: what the residual-based annealer asks for."""

    def residuals(self, batch: Batch, z: Int[Tensor, "B S"]) -> Float[Tensor, "B C R N D"]:
        """Predicted less observed frames, R in a row, whose mean square is the loss."""


class Search(Protocol):
    """One move for every task of a batch, without gradient."""

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        """The move from `z` at this temperature."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes it up again."""


class Proposal(Protocol):
    """Suggests new structures, and may learn from what became of them."""

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        """New structures for the batch."""

    def learn(self, batch: Batch, move: Move) -> None:
        """Called once after every move."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes it up again."""


class Redraw(Protocol):
    """One way to fill slots anew."""

    def __call__(
        self,
        z: Int[Tensor, "B S"],
        probability: Float[Tensor, "B S K"],
        groups: Int[Tensor, "G degree"],
        generator: torch.Generator,
    ) -> Int[Tensor, "B S"]:
        """New structures; probabilities are above 0 and need not add up to 1, groups are padded with S."""


class Encoder(Protocol):
    """A network behind the learned proposal; `generator` draws what it draws: weights, noise, dropout masks."""

    generator: torch.Generator

    def __call__(
        self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B S"], learning: bool = False
    ) -> Float[Tensor, "B S K"]:
        """Logits of every slot's module, given tracks and present structures; units are dropped while learning."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """What is learned."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """The same with names."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Takes it up again."""


class Coupling(Protocol):
    """Plans a draw; `largest` is the most fillings of one group that may be enumerated in a block."""

    def plan(self, groups: Int[Tensor, "G degree"], choices: int, largest: int, generator: torch.Generator) -> Plan:
        """A fresh plan for one draw."""


class Annealer(Protocol):
    """Holds a temperature and sets it anew from what the moves did."""

    temperature: float

    def update(self, clock: Clock, move: Move) -> None:
        """Called once after every move."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes it up again."""
