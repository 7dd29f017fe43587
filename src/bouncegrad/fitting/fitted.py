"""Everything that training from Python does and leaves behind, in memory and in a run folder.

1  the number of edge types is chosen, if it is `auto`              edge_types.py
2  where recordings are few, held-out frames choose settings        variants.py
3  modules and structures are learned                               stages.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from bouncegrad.core.structures import structure_to_adjacency
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.edge_types import settle_edge_types
from bouncegrad.fitting.environment import Environment, Row
from bouncegrad.fitting.stages import train
from bouncegrad.fitting.variants import Chosen, settle_variants
from bouncegrad.models.model import Model
from bouncegrad.runs.folder import Run
from bouncegrad.runs.memory import RunInMemory
from bouncegrad.runs.provenance import Provenance
from bouncegrad.settings.config import Config

Show = Callable[[float, str], object]
"""Called with the share of the present work that is done, and with what is done, in words."""


class Fitted(NamedTuple):
    """What training leaves behind.

    Args:
        model: the trained model.
        run: its run, which can be written to a folder.
        structures: of the training tasks, `[task, source, target]`.
        losses: held-out loss by number of edge types, if the number was chosen.
        chosen: what held-out frames decided; None: nothing was chosen.
    """

    model: Model
    run: RunInMemory
    structures: Int[np.ndarray, "M N N"]
    losses: dict[int, float]
    chosen: Chosen | None


def fit(
    config: Config,
    data: Trajectories,
    known: Int[np.ndarray, "M N N"] | None = None,
    new: Trajectories | None = None,
    show: Show = lambda share, words: None,
) -> Fitted:
    """Chooses what is left open, and trains.

    Args:
        config: settings.
        data: the training tasks.
        known: types of edges that need not be found, -1 for all others.
        new: tasks that are only used for validation.
        show: told how far the work is.

    Raises:
        InputError: the data or the settings cannot be used.
    """

    def report(what: str, row: Row, share: float) -> None:
        loss = row.get("forecast_loss", row.get("loss"))
        show(share, what if loss is None else f"{what}, loss {loss:.3f}")

    config, losses = settle_edge_types(
        config, data, known, lambda k, *now: report(f"choosing edge types, K = {k}", *now)
    )
    chosen = settle_variants(config, data, known, lambda name, *now: report(f"held-out frames, {name}", *now))
    config = config if chosen is None else chosen.config
    said = None if chosen is None else chosen.to_json()
    run = RunInMemory()
    model, loop, _ = train(
        config,
        data,
        run,
        provenance=Provenance(data, losses=losses, held_out_frames=said),
        known=known,
        new=new,
        environment=Environment(report=partial(report, "training")),
    )
    run.settle()
    model = replace(model, trust=None if chosen is None else chosen.trust, loss=run.last_loss)
    return Fitted(model, run, structures_of(model, loop.z), losses, chosen)


def read(folder: str | Path) -> Fitted:
    """Returns what a run folder holds, of Python or of `bouncegrad train`.

    Raises:
        InputError: the folder holds no run, or its files are damaged or do not fit each other.
    """
    model, run = Model.load(folder), RunInMemory.read(folder)
    with Run(folder).consistent():
        about = run.about()
        losses = {int(k): float(loss) for k, loss in dict(about.get("held_out_losses") or {}).items()}
        said: dict[str, Any] | None = about.get("held_out_frames")
        chosen = None if said is None else Chosen.from_json(said, run.config())
        structures = structures_of(model, run.state()["z"])
    return Fitted(model.cpu(), run, structures, losses, chosen)


def structures_of(model: Model, z: Int[torch.Tensor, "M E"]) -> Int[np.ndarray, "M N N"]:
    """Returns the structures of the training tasks as matrices."""
    composition = model.composition
    return structure_to_adjacency(z.to(composition.pairs.device), composition.pairs, composition.entities).cpu().numpy()
