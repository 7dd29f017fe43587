"""How commands read recordings and known edges, and prepare the folder of their results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from bouncegrad.data.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int

    from bouncegrad.data.trajectories import Trajectories
    from bouncegrad.models.model import Model
    from bouncegrad.runs.folder import Run
    from bouncegrad.settings.config import Config

PARTS = ("train", "valid", "test")
READING = (
    *("edges", "edges_order", "velocities", "time_step", "fps", "resample", "angles", "periodic", "groups"),
    *("kinds", "columns", "keypoints", "likelihood", "missing", "strict"),
    *("unit", "origin", "same_unit", "unswap"),
)


def load_known(args: Namespace, data: Trajectories) -> Int[np.ndarray, "M N N"] | None:
    """Returns the types of the edges that the user knows, -1 for all others; None without `--known`."""
    if args.known is None:
        return None
    from bouncegrad.data.formats.edge_table import read_edges

    return read_edges(Path(args.known), data, unlisted=-1)


def load_new(args: Namespace, model: Model) -> tuple[Trajectories, str | None]:
    """Returns the recordings that a trained model is applied to, and the name of their part."""
    require_groups_used(args, model.config)
    return load_data(args.data, args, "test", print_notes=not (args.json or args.quiet), trained=model.features)


def require_groups_used(args: Namespace, config: Config) -> None:
    """Refuses groups of tasks for a model that does not use them.

    Raises:
        InputError: `--groups` is given, but tasks of this model do not share a graph.
    """
    if args.groups is not None and not config.shared_graph:
        raise InputError("option groups: only models trained with --shared_graph use it; add that, or leave this out")


def load_data(
    path: str,
    args: Namespace,
    default_part: str | None,
    *,
    print_notes: bool = False,
    note_assumptions: bool = True,
    trained: tuple[str, ...] = (),
) -> tuple[Trajectories, str | None]:
    """Returns the recordings, and the name of the part that was read, None for data without parts.

    Args:
        path: file or folder.
        args: the options of reading.
        default_part: the part to read if the user names none.
        print_notes: whether to print how the recordings differ from the file, for example that they were resampled.
        note_assumptions: whether to print what the file does not state and was assumed; not with --json or --quiet.
        trained: the features of training; recordings get these if their file does not name its own.
    """
    from bouncegrad.data.formats import load, parts  # here, so that help does not load pandas
    from bouncegrad.data.formats.chosen import named_as

    found = parts(path)
    part = args.part
    # If the parts are cases with names of their own, none is the natural choice, and `load` asks for one.
    if part is None and (len(found) == 1 or set(found) & set(PARTS)):
        part = default_part if default_part in found else found[0]
    data = named_as(load(path, part=part, **reading_of(args)), trained)
    if print_notes and data.notes:
        print(f"{path}: {', '.join(data.notes)}")
    if note_assumptions and not (getattr(args, "json", False) or getattr(args, "quiet", False)):
        for line in data.assumed:
            print(f"{path}: {line}")
    return data, part


def separate_parts(path: str) -> tuple[str, ...]:
    """Returns the parts of a path that are data sets of their own; none if there is one, or they are train and test."""
    from bouncegrad.data.formats import overview  # here, so that help does not load numpy

    found = overview(path)
    return () if len(found) < 2 or set(found) & set(PARTS) else found


def reading_of(args: Namespace) -> dict[str, Any]:
    """Returns the options of reading, as `load` takes them."""
    return {name: getattr(args, name) for name in READING}


def reading_options(args: Namespace) -> dict[str, Any]:
    """Returns the options that the data was read with, so that it can be read again in the same way."""
    return {name: getattr(args, name) for name in (*READING, "known")}


def new_folder(path: str) -> Path:
    """Returns a folder for results; makes it if it does not exist.

    Raises:
        InputError: it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose a folder you may write to") from None
    return folder


def warn_if_unfinished(run: Run) -> None:
    """Prints one line on stderr if training was stopped before its end."""
    if (progress := run.progress) < 1:
        print(
            f"bouncegrad: note: training of {run.folder} was stopped at {progress:.0%}, so its modules are not fully "
            f"trained; finish it with bouncegrad train --resume --data DATA --out {run.folder}",
            file=sys.stderr,
        )
