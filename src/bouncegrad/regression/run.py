"""The folder of a run on regression tasks: config.yaml, metrics.jsonl, and modules.pt and errors.json when it is done.

A run that is not done has a checkpoint.pt instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
import yaml
from jaxtyping import Int
from torch import Tensor

from bouncegrad.core.compositions.functions import FunctionComposition
from bouncegrad.core.points import RegressionBatch, every_task
from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.regression.building import build_modules, build_tasks
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.regression.training import Errors, Trained, Training, measured
from bouncegrad.runs.folder import HEADING, Run, require_format
from bouncegrad.settings.safe_yaml import load_plain

MODULES, CHECKPOINT, ERRORS = "modules.pt", "checkpoint.pt", "errors.json"
FORMAT = 1
DAMAGE = (OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError, UnpicklingError, yaml.YAMLError)


def begin(folder: Path, config: RegressionConfig) -> Training:
    """A run from the start; writes its settings as resolved, and from here on it can be resumed.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    Run(folder).require_free()
    training = Training(config)
    with replacing(folder / "config.yaml") as path:
        path.write_text(f"{HEADING}{FORMAT}\n" + yaml.safe_dump(training.config.to_mapping(), sort_keys=False))
    pause(training, folder)
    return training


def again(folder: Path, config: RegressionConfig) -> Training:
    """A run that was stopped, with its own settings; rows of metrics after its checkpoint are cut.

    Raises:
        InputError: the folder holds no stopped run, or one with other settings.
    """
    if Run(folder).killed_early:
        raise InputError(f"{folder}: training was killed before it began; leave --resume out to begin")
    if not (folder / CHECKPOINT).is_file():
        raise InputError(f"{folder}: holds no run that was stopped; leave out --resume")
    with consistent(folder):
        training = Training(settings_of(folder))
        require_settings(training.config, config, folder)
        state = read_torch(folder / CHECKPOINT)
        require_format(state.get("format", FORMAT), FORMAT, folder / CHECKPOINT)
        training.load_state_dict(state)
    # With steps still to be summed up, the row of this very pass is yet to be written.
    Run(folder).cut_rows(training.epoch + (training.counts.visits == 0))
    return training


def is_done(folder: Path, config: RegressionConfig) -> bool:
    """Whether a run with these settings has ended, so that there is nothing to go on with.

    Raises:
        InputError: one with other settings has.
    """
    if (folder / CHECKPOINT).exists() or not (folder / ERRORS).exists():
        return False
    with consistent(folder):
        require_settings(settings_of(folder), config, folder)
    return True


def require_settings(begun: RegressionConfig, given: RegressionConfig, folder: Path) -> None:
    """Refuses other settings than those that a run was begun with."""
    if given.resolve() != begun:
        raise InputError(f"{folder}: was begun with other settings; give the same ones again, or choose another --out")


def pause(training: Training, folder: Path) -> None:
    """Writes the checkpoint that `again` goes on from."""
    write_torch({"format": FORMAT} | training.state_dict(), folder / CHECKPOINT)


def save(done: Trained, folder: Path) -> None:
    """Writes modules and structures, and the four errors; the run is done.

    Raises:
        InputError: the folder cannot be written.
    """
    found = {"modules": done.modules.state_dict(), "z": [done.z_training, done.z_new]}
    write_torch({"format": FORMAT} | found, folder / MODULES)
    with replacing(folder / ERRORS) as path:
        about = {"format": FORMAT, "meta_steps": done.meta_steps, "seconds": done.seconds}
        path.write_text(json.dumps(numbers(done.errors, done.config) | about))
    (folder / CHECKPOINT).unlink(missing_ok=True)


class Done(NamedTuple):
    """A run that is done: settings as resolved, modules; visits to all training and all new tasks, their structures."""

    config: RegressionConfig
    modules: FunctionComposition
    visits: tuple[RegressionBatch, RegressionBatch]
    z: tuple[Int[Tensor, "M S"], Int[Tensor, "M_new S"]]


def evaluate(folder: Path, inner_steps: int | None = None) -> dict[str, Any]:
    """The four errors, measured anew from what is in the folder.

    Args:
        folder: of a run that is done.
        inner_steps: gradient steps of each task on its fitted points; 0 adapts nothing, None as the run has it.
    """
    with consistent(folder):
        done = opened(folder)
        config = done.config if inner_steps is None else replace(done.config, test_inner_steps=inner_steps)
        return numbers(measured(*done._replace(config=config)), config)


def opened(folder: Path) -> Done:
    """What is in the folder.

    Args:
        folder: of a run that is done.

    Raises:
        InputError: the run is not done, or a file is missing or damaged.
    """
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder}: was stopped before its end; go on with bouncegrad train --resume")
    with consistent(folder):
        config = settings_of(folder)
        training, new = build_tasks(config)
        modules = build_modules(config, training.x.shape[2], training.y.shape[2], torch.Generator())
        saved = read_torch(folder / MODULES)
        require_format(saved.get("format", FORMAT), FORMAT, folder / MODULES)
        modules.load_state_dict(saved["modules"])
        z_training, z_new = saved["z"]
        return Done(config, modules, (every_task(training), every_task(new)), (z_training, z_new))


def settings_of(folder: Path) -> RegressionConfig:
    """The settings of the run, as resolved."""
    path = folder / "config.yaml"
    return RegressionConfig.from_mapping(load_plain(path.read_text()), str(path))


@contextmanager
def consistent(folder: Path) -> Iterator[None]:
    """Files that are missing, damaged or do not fit each other are the user's error, not a bug."""
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{folder}: its files are damaged or do not fit; restore them or train anew") from error


def numbers(errors: Errors, config: RegressionConfig) -> dict[str, Any]:
    """By name, as they are printed and stored, with the inner steps that they were measured after."""
    named = {f"mse_{name}": error for name, error in errors._asdict().items()}
    return named | {"inner_steps": config.test_inner_steps}
