"""The seams: all protocols, which define what a part must do to fit, and the values that pass between parts.

    composition   wires modules into a model of each task          `compositions/`
    search        decides on structures                            `search.py`, `heat_bath.py`, `shared_graph.py`
    proposal      suggests structures to a search that tests       `proposals.py`
    move          selects the slots that a proposal changes        `moves.py`
    encoder       the network behind a learned proposal            `encoders/`
    coupling      restricts which edge types go together           `couplings.py`
    annealer      sets the temperature                             `annealing.py`, `residual.py`
    head          the likelihood of a change                       `heads.py`

Any object with the right methods fits; nothing is inherited. A protocol that is checked while the program runs is a
capability: training and inference use it if a composition or a search has it, and work without it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bouncegrad.core.batches import Batch, Visit


class Clock(NamedTuple):
    """The state of a run: passes so far, and the shares of the run and of its cooling that are done, from 0 to 1."""

    epoch: int
    progress: float
    cooled: float = 1.0


class Unexplained(NamedTuple):
    """The residuals of a batch in three numbers: their mean square, how many there are in a task, and the correlation
    of the residuals of one frame and the next, in [-1, 1]."""

    mean_square: float
    numbers: int
    autocorrelation: float


class Move(NamedTuple):
    """The result of one move: the structures after it, and which tasks or slots it changed.

    A search that tests proposals gives mean losses in `loss_before` and `loss_proposed`, and the structures before the
    move in `before`; several proposals in a row have one column each. The heat bath rejects nothing: it leaves these
    empty and gives `probability`, the conditional probability of every slot's module.
    """

    z: Int[Tensor, "B S"]
    accepted: Bool[Tensor, "B ..."]
    loss_before: Float[Tensor, "B ..."]
    loss_proposed: Float[Tensor, "B ..."]
    probability: Float[Tensor, "B S K"] | None = None
    before: Int[Tensor, "B S"] | None = None
    unexplained: Unexplained | None = None


class Quadratic(NamedTuple):
    """The loss of the slots of every group as ½ wᵀ G w - hᵀ w; coordinates are (slot of the group, type from 1 on).

    `loss` is the exact summed loss of each group at the structure around which the form was made.
    """

    g: Float[Tensor, "B G n n"]
    h: Float[Tensor, "B G n"]
    loss: Float[Tensor, "B G"]


class Joint(NamedTuple):
    """Groups that are drawn together, and their allowed states: a state is the filling number of each member."""

    members: Int[Tensor, " g"]
    states: Int[Tensor, "states g"]


class Plan(NamedTuple):
    """The columns of each group's slots that are drawn, and the groups drawn together; none: each group separately."""

    columns: Int[Tensor, "G block"]
    joints: tuple[Joint, ...] = ()


class Composition(Protocol):
    """Wires modules into one model per task, given structures `z: Int[B, S]`. It does not know search or annealing."""

    @property
    def slots(self) -> int:
        """S, the number of slots."""

    @property
    def choices(self) -> int:
        """K, the number of modules that may fill a slot."""

    @property
    def groups(self) -> Int[Tensor, "G degree"]:
        """Groups of slots that belong together (for a graph: the edges into one entity), padded with S."""

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Returns the learned tensors of the modules, with names for messages."""

    def state_dict(self) -> dict[str, Any]:
        """Returns the weights of the modules."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Restores these weights."""

    def loss(self, batch: Visit, z: Int[Tensor, "B S"]) -> Float[Tensor, " B"]:
        """Returns the mean loss of each task per observed number; differentiable in the modules."""


class Enumerable(Composition, Protocol):
    """A composition that computes the losses of all fillings of a group at once; the heat bath needs it."""

    def conditional_losses(
        self, batch: Batch, z: Int[Tensor, "B S"], columns: Int[Tensor, "G block"]
    ) -> Float[Tensor, "B G fillings"]:
        """Returns the summed negative log-likelihood of each filling of `groups[g, columns[g]]`, other slots as in `z`.

        It is exact only if the loss is a sum over groups, and each term depends only on the slots of its group.
        """


class Linear(Protocol):
    """Quadratic forms and exact losses of one batch."""

    excess: float
    """How many times more work each structure is than if all that does not depend on structures could be kept."""

    def around(self, z: Int[Tensor, "rows S"]) -> Quadratic:
        """Returns the quadratic form around `z`."""

    def surveyed(
        self, z: Int[Tensor, "rows S"], some: Bool[Tensor, "rows G"] | None = None
    ) -> tuple[Quadratic, Float[Tensor, "rows G degree K"]]:
        """Returns the same, and the exact summed loss of each group with one of its slots filled otherwise.

        Args:
            z: structures.
            some: the groups that are asked for; the numbers of others are not defined. None: all groups.
        """

    def losses(
        self, z: Int[Tensor, "rows S draws"], some: Bool[Tensor, "rows G"] | None = None
    ) -> Float[Tensor, "rows G draws"]:
        """Returns the exact summed loss of each group for many structures of every row; `some` as in `surveyed`."""


@runtime_checkable
class Linearized(Enumerable, Protocol):
    """Capability: a composition that gives its loss as a quadratic form of a group's slots; joint draws need it."""

    def linearized(self, batch: Batch, which: Int[Tensor, " B"] | None = None) -> Linear:
        """Returns what makes quadratic forms of this batch around many structures in turn.

        Args:
            batch: the recordings.
            which: the row of the structures that each task belongs to; None: each task has a row of its own.
        """


class Explained(Composition, Protocol):
    """A composition that reports the residuals of its predictions; the residual-based annealer needs it."""

    def residuals(self, batch: Batch, z: Int[Tensor, "B S"]) -> Float[Tensor, "B C R N D"]:
        """Returns predicted minus observed frames, R in a row; their mean square is the loss."""


class Head(Protocol):
    """The likelihood of a change, given the output of the node module."""

    def loss(self, error: Tensor, log_variance: Tensor) -> Tensor:
        """Returns the negative log-density of each element, in nats.

        Args:
            error: the observed change minus the predicted mean, in units of a typical change.
            log_variance: logarithm of the squared scale of the error, in the same units.
        """


@runtime_checkable
class Relational(Enumerable, Protocol):
    """Capability: the slots are edges between entities, so that a structure is a graph. Inference needs it."""

    entities: int
    features: int
    lags: int
    pinned: bool
    pairs: Int[Tensor, "2 E"]
    temperature: Tensor
    """The calibrated temperature of edge probabilities; 1 before calibration."""

    def on(
        self, entities: int, pairs: Int[Tensor, "2 E"] | None = None, kinds: Sequence[int] | None = None
    ) -> Relational:
        """Returns the same modules (shared, not copied) on other entities or candidate pairs."""

    def eval(self) -> Any:
        """Sets the modules to evaluation, as `nn.Module.eval` does."""

    def cpu(self) -> Self:
        """Moves the modules to the CPU, as `nn.Module.cpu` does."""


@runtime_checkable
class Staged(Protocol):
    """Capability: modules that can take part in the stages of training, see `fitting/stages.py`."""

    def bring_together(self, share: float, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Reduces the differences between modules to this share."""

    def hide(self, steady: Float[Tensor, "D D"]) -> None:
        """Takes the map to what constant features explain of a state (`steady.py`), which is hidden until `open(1)`."""

    def open(self, share: float) -> None:
        """Sets how much the modules see of the states themselves, beside their differences, from 0 to 1."""

    def relabel(self, order: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """Gives module k the weights of module `order[k]`, and the optimizer's state that belongs to them."""


class Search(Protocol):
    """Makes one move for every task of a batch, without gradient."""

    def __call__(
        self,
        composition: Composition,
        proposal: Proposal,
        batch: Batch,
        z: Int[Tensor, "B S"],
        temperature: float,
        generator: torch.Generator,
    ) -> Move:
        """Returns the move from `z` at this temperature."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""


@runtime_checkable
class ConditionalSearch(Search, Protocol):
    """Capability: a search that draws from conditional probabilities, with a coupling and a prior."""

    coupling: Coupling
    prior: Float[Tensor, "M S K"] | None

    def group_of(self, tasks: Int[Tensor, " B"]) -> Int[Tensor, " B"] | None:
        """Returns the group of each task; tasks of one group share a graph. None: each task has its own graph."""


class Proposal(Protocol):
    """Suggests new structures, and may learn from the moves that follow."""

    def __call__(self, batch: Batch, z: Int[Tensor, "B S"], generator: torch.Generator) -> Int[Tensor, "B S"]:
        """Returns new structures for the batch."""

    def learn(self, batch: Batch, move: Move) -> None:
        """Learns from a move; it is called once after every move."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""


class Redraw(Protocol):
    """Selects slots of each task, and draws new modules for them."""

    def __call__(
        self,
        z: Int[Tensor, "B S"],
        probability: Float[Tensor, "B S K"],
        groups: Int[Tensor, "G degree"],
        generator: torch.Generator,
    ) -> Int[Tensor, "B S"]:
        """Returns new structures; probabilities are above 0 and need not add up to 1, groups are padded with S."""


class Encoder(Protocol):
    """The network of a learned proposal; `generator` draws its weights, noise and dropout masks."""

    generator: torch.Generator
    reads_structures: bool
    """Whether the logits depend on the present structures, or on random numbers."""

    def __call__(
        self, tracks: Float[Tensor, "B T N D"], z: Int[Tensor, "B S"], learning: bool = False
    ) -> Float[Tensor, "B S K"]:
        """Returns logits of the module of every slot; units are dropped while learning."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """Returns what is learned."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """Returns what is learned, with names."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Restores what `state_dict` returned."""


class Coupling(Protocol):
    """Plans a draw; `largest` is the largest number of fillings that a block may have."""

    def plan(self, groups: Int[Tensor, "G degree"], choices: int, largest: int, generator: torch.Generator) -> Plan:
        """Returns a new plan for one draw."""


class Annealer(Protocol):
    """Holds a temperature, and changes it after every move."""

    temperature: float

    def update(self, clock: Clock, move: Move) -> None:
        """Sets the temperature; it is called once after every move."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
