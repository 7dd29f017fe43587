"""A resumed run: its settings, how its data is read, and the command that resumes it."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from pathlib import Path

from jsonargparse import Namespace

from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

VARIED = ("edge_types", "edge_hidden", "node_hidden", "mirror", "pinned", "sparsity", "lags")  # what variants change


def restore_reading(args: Namespace, run: Run) -> None:
    """Sets the options of reading that the user left out to those that the run began with."""
    for name, value in (run.about()["read"] or {}).items():
        setattr(args, name, getattr(args, name) or value)


def settings_of(run: Run, given: Config, shape: tuple[int, int, int, int], args: Namespace) -> Config:
    """Returns the settings of the run. Settings that are given again must be the same.

    Raises:
        InputError: a setting was given that the run was not trained with.
    """
    config, auto = run.config(), given.edge_types == "auto"
    # Where K was chosen, the epochs or minutes of the run are what the choice has left of those given.
    chosen = {"edge_types", "epochs", "minutes"} if auto else set()
    if run.about().get("held_out_frames"):
        chosen |= {"minutes", *VARIED}
    given = resolve(replace(given, edge_types=config.edge_types) if auto else given, shape)
    for f in fields(Config):
        value, old = getattr(given, f.name), getattr(config, f.name)
        if f.name not in chosen and getattr(args, f.name) != f.default and value != old:
            raise InputError(
                f"option {f.name}: {value}, but {run.folder} has {old}, which --resume keeps; leave it out, or "
                "choose another --out"
            )
    return config


def resume_command(data: str | Path, run: Run, part: str | None = None) -> str:
    """Returns the command that resumes a run. How the data was read is kept in the run, except for its part."""
    line = f"bouncegrad train --resume --data {shlex.quote(str(data))} --out {shlex.quote(str(run.folder))}"
    return line + (f" --part {shlex.quote(part)}" if part else "")
