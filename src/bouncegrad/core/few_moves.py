"""A few moves: the structures of tasks after some moves of a search. Modules and proposals stay as they are.

    z_0 given,    z_i = search(z_{i-1}),    modules fixed

This is the loop of `bouncegrad.py` without its gradient steps. It shows what a search finds in few moves, and with the
published search it infers new tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import Batch
from bouncegrad.core.seams import Composition, Proposal, Search


@torch.no_grad()
def after_moves(
    composition: Composition,
    search: Search,
    proposal: Proposal,
    batch: Batch,
    z: Int[Tensor, "B S"],
    temperature: float,
    counts: Sequence[int],
    generator: torch.Generator,
) -> list[Int[Tensor, "B S"]]:
    """Returns the structures after each of these numbers of moves.

    Args:
        composition: trained modules.
        search: makes the moves.
        proposal: suggests structures to a search that tests them; it does not learn.
        batch: the tasks, with all segments that count as evidence.
        z: the structures before the first move.
        temperature: of all moves.
        counts: numbers of moves, rising.
        generator: draws the moves.
    """
    found = []
    for made in range(1, max(counts, default=0) + 1):
        z = search(composition, proposal, batch, z, temperature, generator).z
        if made in counts:
            found.append(z)
    return found


def rolled_tracks(tracks: Float[Tensor, "B T N D"], tasks: Int[Tensor, " B"], steps: int) -> Batch:
    """Returns a batch of whole tracks in segments of R = `steps` steps, one from every R-th frame on (the paper)."""
    return Batch(tasks, tracks, tracks.unfold(1, steps + 1, steps).movedim(-1, 2))
