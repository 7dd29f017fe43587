"""What a composition promises to search and to the loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch, Visit


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
