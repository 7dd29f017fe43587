"""Which tasks a run is trained on, which are held out of it, and on which it is validated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int
from jsonargparse import Namespace

from bouncegrad.app.recordings import load_data, load_known
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import fingerprint
from bouncegrad.settings.config import Config


@dataclass(frozen=True)
class Tasks:
    """The tasks of a data set, some of which are held out.

    Args:
        whole: the data set.
        held_out: indices of the tasks that are held out, or None.
    """

    whole: Trajectories
    held_out: list[int] | None

    @cached_property
    def kept(self) -> Int[np.ndarray, " tasks"]:
        """Indices of the training tasks."""
        return np.setdiff1d(np.arange(len(self.whole.tasks)), self.held_out or [])

    @cached_property
    def training(self) -> Trajectories:
        """The training tasks."""
        return self.whole.select(self.kept) if self.held_out else self.whole

    def known(self, args: Namespace) -> Int[np.ndarray, "M N N"] | None:
        """Returns the types of known edges of the training tasks, -1 for all others; None without `--known`."""
        known = load_known(args, self.whole)
        return None if known is None else known[self.kept]


def read_tasks(args: Namespace, config: Config, run: Run) -> Tasks:
    """Reads the data set and holds out tasks; a resumed run keeps the tasks that it has held out.

    Raises:
        InputError: the run was trained on other data.
    """
    whole, part = load_data(args.data, args, "train")
    if args.resume:
        run.require_same(whole)
        return Tasks(whole, run.about()["held_out"])
    if part is None and round(config.holdout * len(whole.tasks)) > 0:
        _, held = whole.split(config.holdout, config.seed)
        names = set(held.tasks)
        return Tasks(whole, [i for i, name in enumerate(whole.tasks) if name in names])
    return Tasks(whole, None)


def validation_tasks(args: Namespace, tasks: Tasks) -> Trajectories | None:
    """Returns the tasks that the run is validated on, None without `--new`; of the training data only held-out tasks.

    Raises:
        InputError: they are the training tasks.
    """
    if args.new is None:
        return None
    edges = args.edges if args.new == args.data else None
    new, _ = load_data(args.new, Namespace(**(vars(args) | {"part": None, "edges": edges})), "valid")
    if fingerprint(new) != fingerprint(tasks.whole):
        return new
    if not tasks.held_out:
        raise InputError(f"option new: {args.new} are the training tasks, of which none is held out; give other tasks")
    return tasks.whole.select(tasks.held_out)
